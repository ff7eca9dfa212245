import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useNotes, useReplica, useSync } from "@/replica/react";
import { Button } from "@/ui/button";
import Panel from "@/ui/panel";
import { pathTo } from "../lists";
import { gist } from "../plain";
import type { Standing } from "../standing";

/** How many unsaved notes are named. */
const named = 5;

interface Props extends Standing {
  anchor: RefObject<HTMLElement | null>;
  side: "top" | "bottom";
  /** What the anchor says. */
  line: string;
  onClose: () => void;
}

/** What the line of the sync state means, which notes it is about, and what can be done. */
export function SyncPanel({ anchor, side, line, onClose, kind, count }: Props) {
  const { t } = useTranslation("notes");
  const replica = useReplica();
  const { online } = useSync();
  const notes = [...useNotes().values()].filter((n) => n.saving !== "saved");
  return (
    <Panel
      anchor={anchor}
      label={t("sync.title")}
      side={side}
      align={side === "top" ? "start" : "end"}
      className="flex w-[min(21rem,calc(100vw-1rem))] flex-col gap-3 p-4"
      onClose={onClose}
    >
      <div>
        <h2 className="font-semibold text-balance">{line}</h2>
        <p className="mt-1 text-sm text-soft">{t("sync.text." + kind, { count })}</p>
      </div>
      {notes.length > 0 && (
        <ul className="-mx-2">
          {notes.slice(0, named).map((note) => (
            <li key={note.id}>
              <Link
                href={pathTo(note)}
                onClick={onClose}
                className="flex min-h-10 items-center gap-3 rounded-lg px-2 text-sm hover:bg-sunken"
              >
                <span className="min-w-0 flex-1 truncate">{gist(note).title || t("untitled")}</span>
                <span className="shrink-0 text-soft">{t("saving." + note.saving)}</span>
              </Link>
            </li>
          ))}
          {notes.length > named && (
            <li className="px-2 py-1 text-sm text-soft">{t("sync.others", { count: notes.length - named })}</li>
          )}
        </ul>
      )}
      {(kind !== "saved" || !online) && <Button onClick={() => replica.pull()}>{t("common:retry")}</Button>}
    </Panel>
  );
}
