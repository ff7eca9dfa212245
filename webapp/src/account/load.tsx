import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { Skeleton } from "@/ui/state";

/** What a query found, or that it did not. */
export function Load<T>({ query, children }: { query: UseQueryResult<T>; children: (found: T) => ReactNode }) {
  const { t } = useTranslation("account");
  if (query.data !== undefined) return children(query.data);
  if (query.isPending) {
    return (
      <div role="status" aria-label={t("common:loading")} className="flex flex-col gap-3">
        <Skeleton className="h-5 w-2/3" />
        <Skeleton className="h-5 w-1/2" />
        <Skeleton className="h-5 w-3/5" />
      </div>
    );
  }
  return (
    <div role="alert" className="flex flex-col items-start gap-3">
      <p>{explain(query.error, t)}</p>
      <Button busy={query.isFetching} onClick={() => void query.refetch()}>
        {t("common:retry")}
      </Button>
    </div>
  );
}
