import type { TFunction } from "i18next";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { data, open, type Schemas } from "@/api/client";
import { Problem } from "@/api/problem";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { Spinner } from "@/ui/spinner";
import { full } from "@/ui/time";
import { Card } from "./card";
import { useLinkToken } from "./token";
import { Way } from "./way";

type Found = { job: Schemas["AccountJob"] } | { err: unknown };

/** What became of a deletion, for who has its receipt and no account any more. */
export default function Receipt() {
  const { t, i18n } = useTranslation("auth");
  const token = useLinkToken();
  const [found, setFound] = useState<Found>();

  useEffect(() => {
    if (!token || found) return;
    let left = false;
    const set = (found: Found) => !left && setFound(found);
    data(open.POST("/v1/account/receipts", { body: { token } })).then(
      (job) => set({ job }),
      (err: unknown) => set({ err }),
    );
    return () => {
      left = true;
    };
  }, [token, found]);

  const none = !token || (found && "err" in found && found.err instanceof Problem && found.err.status === 404);
  if (none) {
    return (
      <Card title={t("receipt.none")} lead={<p role="status">{t("receipt.none_lead")}</p>}>
        <Way href="/login">{t("login.title")}</Way>
      </Card>
    );
  }
  if (!found) {
    return (
      <Card title={t("receipt.title")}>
        <p role="status" className="flex items-center gap-2 text-soft">
          <Spinner /> {t("receipt.looking")}
        </p>
      </Card>
    );
  }
  const again = <Button onClick={() => setFound(undefined)}>{t("common:retry")}</Button>;
  if ("err" in found) {
    return (
      <Card title={t("receipt.failed")} lead={<p role="alert">{explain(found.err, t)}</p>}>
        {again}
      </Card>
    );
  }
  const { job } = found;
  const status = job.status === "waiting" ? "running" : job.status;
  const when = full(job.erase_at ?? job.updated_at, i18n.language);
  return (
    <Card title={t("receipt.title")} lead={<p role="status">{t("receipt." + status, { when })}</p>}>
      <ul className="divide-y divide-line">
        {job.services.map(({ service, erased, erased_at }) => (
          <li key={service} className="py-2 first:pt-0 last:pb-0">
            <p className="flex justify-between gap-3 font-medium">
              {t("services." + service, { defaultValue: service })}
              {erased_at && (
                <time dateTime={erased_at} className="text-sm font-normal text-soft">
                  {full(erased_at, i18n.language)}
                </time>
              )}
            </p>
            {erased && <p className="text-sm text-soft">{counted(erased, t)}</p>}
          </li>
        ))}
      </ul>
      {status === "running" && <div className="mt-4">{again}</div>}
    </Card>
  );
}

/** "notes: 12 · shares: 3" */
function counted(erased: Record<string, number>, t: TFunction): string {
  const some = Object.entries(erased).filter(([, count]) => count > 0);
  const words = some.map(([of, count]) => `${t("auth:receipt.of." + of, { defaultValue: of })}: ${count}`);
  return words.join(" · ") || t("auth:receipt.nothing");
}
