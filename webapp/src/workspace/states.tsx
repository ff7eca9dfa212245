import { Archive, CloudOff, Hash, NotebookPen, SearchX, Trash2, Users } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useReplica, useSync } from "@/replica/react";
import { Button } from "@/ui/button";
import { Empty, Skeleton } from "@/ui/state";
import { useActions } from "./actions";
import type { List } from "./place";
import type { Found } from "./search";

const icons: Record<List["kind"], ReactNode> = {
  notes: <NotebookPen />,
  shared: <Users />,
  archive: <Archive />,
  trash: <Trash2 />,
  tag: <Hash />,
};

/** A list without notes: there are none, or they are not here yet. */
export function Nothing({ list }: { list: List }) {
  const { t } = useTranslation("notes");
  const { create } = useActions();
  const replica = useReplica();
  const { loaded, whole, online } = useSync();
  if (!loaded) return null;
  if (!whole && online) return <Waiting />;
  if (!whole) {
    return (
      <Empty
        icon={<CloudOff />}
        title={t("empty.offline.title")}
        action={<Button onClick={() => replica.pull()}>{t("common:retry")}</Button>}
      >
        {t("empty.offline.text")}
      </Empty>
    );
  }
  const takesNew = list.kind === "notes" || list.kind === "tag";
  return (
    <Empty
      icon={icons[list.kind]}
      title={t(`empty.${list.kind}.title`)}
      action={
        takesNew && (
          <Button look="primary" className="mt-1" onClick={() => create(list)}>
            {t("new")}
          </Button>
        )
      }
    >
      {t(`empty.${list.kind}.text`)}
    </Empty>
  );
}

function Waiting() {
  const { t } = useTranslation("notes");
  return (
    <div role="status" aria-label={t("sync.line.fetching")} className="flex flex-col gap-6 px-5 pt-4">
      {["w-1/2", "w-3/5", "w-2/5", "w-3/4", "w-1/2"].map((width, i) => (
        <div key={i} className="flex flex-col gap-2">
          <Skeleton className={`h-4 ${width}`} />
          <Skeleton className="h-3.5" />
          <Skeleton className="h-3 w-1/4" />
        </div>
      ))}
    </div>
  );
}

interface FoundProps {
  found: Found;
  query: string;
}

export function NotFound({ found, query, name }: FoundProps & { name: string }) {
  const { t } = useTranslation("notes");
  return (
    <div className="flex min-h-full flex-col justify-center">
      <div>
        <Empty icon={<SearchX />} title={t("search.nothing")}>
          {t("search.nothing_text", { name, query: query.trim() })}
        </Empty>
      </div>
      <Elsewhere found={found} query={query} />
    </div>
  );
}

/** How many notes of other lists are found, and the way to them. */
export function Elsewhere({ found, query }: FoundProps) {
  const { t } = useTranslation("notes");
  if (found.elsewhere.length === 0) return null;
  return (
    <nav aria-label={t("search.elsewhere")} className="flex flex-wrap items-center justify-center gap-2 px-4 pb-6">
      <span className="w-full text-center text-sm text-soft">{t("search.elsewhere")}</span>
      {found.elsewhere.map(({ kind, count }) => (
        <Link
          key={kind}
          href={`/${kind}?q=${encodeURIComponent(query.trim())}`}
          className="inline-flex min-h-9 items-center gap-2 rounded-full border border-line bg-raised px-3.5 text-sm hover:bg-sunken [&_svg]:size-4 [&_svg]:text-soft"
        >
          {icons[kind]}
          {t("go." + kind)}
          <span className="text-soft tabular-nums">{count}</span>
        </Link>
      ))}
    </nav>
  );
}
