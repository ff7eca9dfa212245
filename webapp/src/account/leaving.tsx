import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, data } from "@/api/client";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { full } from "@/ui/time";
import { toast } from "@/ui/toast";
import { isRunning, jobs } from "./queries";

/** Says that the account is going to be deleted, while it is, and lets that be taken back. */
export function Leaving() {
  const { t, i18n } = useTranslation("account");
  const queries = useQueryClient();
  const query = useQuery(jobs);
  const restore = useMutation({
    mutationFn: () => data(api.POST("/v1/account/restore")),
    onError: (err) => toast({ tone: "danger", text: explain(err, t) }),
    onSettled: () => queries.invalidateQueries(jobs),
  });
  const erasure = query.data?.find((job) => job.kind === "erasure" && (job.status === "scheduled" || isRunning(job)));
  if (!erasure) {
    return (
      <div role="status">
        {restore.isSuccess && (
          <p className="mb-4 rounded-2xl border border-accent bg-accent-soft p-5 font-medium">{t("leaving.restored")}</p>
        )}
      </div>
    );
  }
  const scheduled = erasure.status === "scheduled";
  return (
    <div role="status" className="mb-4 rounded-2xl border border-danger bg-danger-soft p-5">
      <p className="font-medium text-danger">
        {scheduled
          ? t("leaving.scheduled", { when: full(erasure.erase_at ?? erasure.created_at, i18n.language) })
          : t("leaving.begun")}
      </p>
      {scheduled && (
        <>
          <p className="mt-1">{t("leaving.until")}</p>
          <Button look="primary" className="mt-3" busy={restore.isPending} onClick={() => restore.mutate()}>
            {t("leaving.restore")}
          </Button>
        </>
      )}
    </div>
  );
}
