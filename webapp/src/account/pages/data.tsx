import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useEntries } from "@/live/react";
import { Button } from "@/ui/button";
import { full } from "@/ui/time";
import { Delete } from "../delete";
import { Exports } from "../exports";
import { Load } from "../load";
import { jobs } from "../queries";
import { Section } from "../section";

export function Data() {
  const { t } = useTranslation("account");
  const queries = useQueryClient();
  const query = useQuery(jobs);
  // It is told of when an export is ready.
  useEntries(({ type }) => {
    if (type === "notification" || type === "resync") void queries.invalidateQueries(jobs);
  });
  return (
    <>
      <Section title={t("exports.title")} lead={t("exports.lead")}>
        <Load query={query}>{(all) => <Exports exports={all.filter((job) => job.kind === "export")} />}</Load>
      </Section>
      <Deletion />
    </>
  );
}

function Deletion() {
  const { t, i18n } = useTranslation("account");
  const [open, setOpen] = useState(false);
  const { data: all = [] } = useQuery(jobs);
  const erasures = all.filter((job) => job.kind === "erasure");
  const canceled = erasures.filter((job) => job.status === "canceled");
  const asked = erasures.length > canceled.length;
  return (
    <Section title={t("delete.title")} lead={t("delete.lead")} danger>
      <ul className="mb-4 flex list-disc flex-col gap-1.5 pl-5">
        {["before", "then", "never"].map((step) => (
          <li key={step}>{t("delete.steps." + step)}</li>
        ))}
      </ul>
      {!asked && (
        <Button className="text-danger" onClick={() => setOpen(true)}>
          {t("delete.ask")}
        </Button>
      )}
      {canceled.map((job) => (
        <p key={job.id} className="mt-3 text-sm text-soft">
          {t("delete.canceled", {
            asked: full(job.created_at, i18n.language),
            canceled: full(job.updated_at, i18n.language),
          })}
        </p>
      ))}
      {open && <Delete onClose={() => setOpen(false)} />}
    </Section>
  );
}
