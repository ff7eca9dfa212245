import { NotebookPen } from "lucide-react";
import { Suspense, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { navigate, useSearch } from "wouter/use-browser-location";
import { useNote, useNotes } from "@/replica/react";
import { Boundary } from "@/ui/boundary";
import { Button } from "@/ui/button";
import { whenIdle } from "@/ui/idle";
import { useTitle } from "@/ui/page";
import { Empty, Skeleton } from "@/ui/state";
import { useActions } from "./actions";
import { ListPane, useListName } from "./list";
import { preload } from "./later";
import { Pane } from "./parts";
import type { Place } from "./place";
import { gist } from "./plain";
import type { RowsHandle } from "./rows";

/** A list, and the note of it that is open: beside it, or over it on a phone. */
export function Notes({ place, onMenu }: { place: Place; onMenu: (() => void) | undefined }) {
  const { t } = useTranslation("notes");
  const { id, list, path } = place;
  const name = useListName(list);
  const note = useNote(id ?? "");
  const title = id ? (note && gist(note).title) || t("untitled") : name;
  const back = path + useSearch();
  const pane = useRef<HTMLElement>(null);
  const rows = useRef<RowsHandle>(null);
  useTitle(title);
  usePreload();

  const enter = () => pane.current?.focus({ preventScroll: true });
  useEffect(() => {
    const state = history.state as { fresh?: boolean; enter?: boolean } | null;
    // A new note takes the focus itself. On a phone the list goes from sight, and the focus with it.
    if (id && !state?.fresh && (state?.enter || lost())) enter();
  }, [id]);
  const before = useRef(id);
  useEffect(() => {
    if (before.current && !id && (lost() || document.activeElement === pane.current)) rows.current?.focus(before.current);
    before.current = id;
  }, [id]);

  return (
    <main className="relative grid h-full min-h-0 grid-cols-[minmax(0,1fr)] bg-surface sm:grid-cols-[18rem_minmax(0,1fr)] lg:grid-cols-[21.25rem_minmax(0,1fr)]">
      <Boundary of={path}>
        <ListPane key={path} place={place} name={name} onMenu={onMenu} rows={rows} onEnter={enter} />
      </Boundary>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape goes back to the list */}
      <section
        ref={pane}
        tabIndex={-1}
        aria-label={id ? title : t("pane")}
        data-content={id && ""}
        className={`min-h-0 min-w-0 bg-surface outline-none max-sm:absolute max-sm:inset-0 ${id ? "" : "max-sm:hidden"}`}
        onKeyDown={(e) => {
          if (e.key !== "Escape" || e.defaultPrevented || !id || !e.currentTarget.contains(e.target as Node)) return;
          if (!rows.current?.focus(id)) navigate(back);
        }}
      >
        {id ? (
          <Boundary of={id}>
            <Suspense fallback={<Waiting />}>
              <Pane id={id} back={back} />
            </Suspense>
          </Boundary>
        ) : (
          <Nothing place={place} />
        )}
      </section>
    </main>
  );
}

/** Whether the focus is on nothing, or on what is out of sight. */
function lost(): boolean {
  const at = document.activeElement;
  return !at || at === document.body || !at.checkVisibility({ visibilityProperty: true });
}

/** Has at hand what one does next: open a note, or a menu. */
function usePreload() {
  useEffect(() => {
    const load = () => {
      Pane.preload().catch(() => undefined);
      preload();
    };
    return whenIdle(load);
  }, []);
}

function Nothing({ place }: { place: Place }) {
  const { t } = useTranslation("notes");
  const { create } = useActions();
  const { size } = useNotes();
  // The list says it all then.
  if (size === 0) return null;
  return (
    <Empty
      icon={<NotebookPen />}
      title={t("none.title")}
      action={<Button onClick={() => create(place.list)}>{t("new")}</Button>}
    >
      {t("none.text")}
    </Empty>
  );
}

function Waiting() {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("loading")} className="mx-auto flex max-w-3xl flex-col gap-4 px-6 pt-20">
      <Skeleton className="h-8 w-3/5" />
      <Skeleton className="mt-4 h-4" />
      <Skeleton className="h-4 w-11/12" />
      <Skeleton className="h-4 w-4/5" />
    </div>
  );
}
