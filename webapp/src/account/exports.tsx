import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Check, Download, PackageOpen } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, data } from "@/api/client";
import { Problem } from "@/api/problem";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { Spinner } from "@/ui/spinner";
import { full } from "@/ui/time";
import { toast } from "@/ui/toast";
import { bytes } from "./bytes";
import { download } from "./download";
import { isRunning, type Job, jobs } from "./queries";

/** The exports there are, and the way to another one. */
export function Exports({ exports }: { exports: readonly Job[] }) {
  const { t, i18n } = useTranslation("account");
  const queries = useQueryClient();
  const running = exports.find(isRunning);
  const start = useMutation({
    mutationFn: () =>
      data(api.POST("/v1/account/export", { params: { header: { "Idempotency-Key": crypto.randomUUID() } } })),
    onSuccess: (job) =>
      queries.setQueryData(jobs.queryKey, (all = []) => [job, ...all.filter((other) => other.id !== job.id)]),
    onError: (err) => {
      const many = err instanceof Problem && err.code === "too_many_exports";
      const when = many && full(new Date(Date.now() + (err.retryAfter ?? 0) * 1000).toISOString(), i18n.language);
      toast({ key: "export", tone: "danger", text: when ? t("exports.many", { when }) : explain(err, t) });
    },
  });
  return (
    <>
      <Button look={exports.length ? "plain" : "primary"} busy={start.isPending} disabled={running !== undefined} onClick={() => start.mutate()}>
        <PackageOpen aria-hidden className="size-4.5" />
        {t("exports.start")}
      </Button>
      {exports.length > 0 && (
        <ul aria-live="polite" className="mt-4 divide-y divide-line border-t border-line">
          {exports.map((job) => (
            <li key={job.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3 last:pb-0">
              {isRunning(job) ? <Running job={job} /> : <Ready job={job} />}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Running({ job }: { job: Job }) {
  const { t } = useTranslation(["account", "auth"]);
  return (
    <div className="min-w-0 flex-1">
      <p className="flex items-center gap-2 font-medium">
        <Spinner /> {t("exports.running")}
      </p>
      <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-sm text-soft">
        {job.services.map(({ service, status }) => (
          <li key={service} className={`flex items-center gap-1.5 ${status === "done" ? "text-ink" : ""}`}>
            {status === "done" ? (
              <Check role="img" aria-label={t("exports.done")} className="size-4 text-accent" />
            ) : (
              <span aria-hidden className="size-4" />
            )}
            {t("auth:services." + service, { defaultValue: service })}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Ready({ job }: { job: Job }) {
  const { t, i18n } = useTranslation("account");
  const [share, setShare] = useState<number>();
  const when = full(job.created_at, i18n.language);
  const { download_url: path } = job;

  async function fetch(path: string) {
    setShare(0);
    try {
      await download(path, `trellis-export-${job.created_at.slice(0, 10)}.zip`, setShare);
    } catch (err) {
      toast({ key: "export", tone: "danger", text: explain(err, t) });
    }
    setShare(undefined);
  }

  return (
    <>
      <div className="min-w-0 flex-1 basis-48">
        <p className="font-medium">{when}</p>
        <p className="text-sm text-soft">
          {path && job.expires_at
            ? t("exports.ready", { size: bytes(job.bytes ?? 0, i18n.language), until: full(job.expires_at, i18n.language) })
            : t("exports.expired")}
        </p>
        {share !== undefined && (
          <progress value={share} aria-label={t("exports.downloading")} className="mt-2 h-2 w-full max-w-64 accent-accent" />
        )}
      </div>
      {path && (
        <Button busy={share !== undefined} aria-label={t("exports.download_of", { when })} onClick={() => void fetch(path)}>
          {share === undefined && <Download aria-hidden className="size-4.5" />}
          {t("exports.download")}
        </Button>
      )}
    </>
  );
}
