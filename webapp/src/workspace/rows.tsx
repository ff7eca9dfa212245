import { type FocusEvent, type KeyboardEvent, type MouseEvent, type ReactNode, type Ref } from "react";
import { Fragment, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { useWishes } from "@/account/preferences";
import { useCommands } from "@/palette/commands";
import type { LocalNote } from "@/replica/types";
import { useNow } from "@/ui/time";
import { type Act, actsOn } from "./act";
import { useActs } from "./acts";
import { flat, type Group } from "./items";
import type { Place } from "./place";
import { useRowFocus } from "./roving";
import { Row } from "./row";
import { useWindow } from "./window";

export interface RowsHandle {
  /** Moves the focus to a note's row, or to where it was last; false if that can't be. */
  focus(id?: string): boolean;
}

interface Props {
  ref: Ref<RowsHandle>;
  groups: readonly Group[];
  name: string;
  place: Place;
  /** What is sought, if something is. */
  query: string;
  foot: ReactNode;
  /** The focus is to go into the note that is open. */
  onEnter: () => void;
}

/** The notes of a list; only those in sight are in the document. */
export function Rows({ ref, groups, name, place, query, foot, onEnter }: Props) {
  const { t, i18n } = useTranslation("notes");
  const { density } = useWishes();
  const now = useNow();
  const { items, ids, indexOf } = useMemo(() => flat(groups), [groups]);
  const search = query && "?q=" + encodeURIComponent(query);
  const hrefOf = (id: string) => `${place.path}/${id}${search}`;

  // Tab stops at one row: where one was, or at the open one, or else at the first.
  const [at, setAt] = useState<string>();
  const stop = [at, place.id].find((id) => id !== undefined && indexOf.has(id)) ?? ids[0] ?? "";
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useWindow({ scroller, items, also: indexOf.get(stop), keep: query ? undefined : place.path, foot: !!foot });
  const focusRow = useRowFocus(scroller, rows, indexOf);
  const focus = (id = stop) => {
    setAt(id);
    return focusRow(id);
  };
  useImperativeHandle(ref, () => ({ focus }));

  const openIndex = place.id === undefined ? undefined : indexOf.get(place.id);
  const isIn = openIndex !== undefined;
  useEffect(() => {
    if (openIndex !== undefined) rows.scrollToIndex(openIndex);
    // When the open note moves, as one that is changed does, the list stays where it is.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [place.id, isIn]);

  const beside = (id: string, by: number): string | undefined => ids[ids.indexOf(id) + by];
  /** To the next or the previous note, which is opened where one is open. */
  const go = (by: number) => {
    const inside = scroller.current?.contains(document.activeElement) ?? false;
    const from = place.id ?? (inside || at ? stop : undefined);
    const next = from === undefined ? ids[0] : beside(from, by);
    if (next === undefined) return;
    if (place.id !== undefined) navigate(hrefOf(next), { replace: true });
    if (place.id === undefined || inside) focus(next);
  };
  useCommands([
    { id: "notes.next", group: "notes", label: t("next"), keys: "j", run: () => go(1) },
    { id: "notes.previous", group: "notes", label: t("previous"), keys: "k", run: () => go(-1) },
  ]);

  const latest = useRef(focus);
  useLayoutEffect(() => {
    latest.current = focus;
  });
  const acts = useActs({
    onGo: ({ id }) => {
      const next = beside(id, 1) ?? beside(id, -1);
      setAt(next);
      if (id === place.id) navigate(next ? hrefOf(next) : place.path + search, { replace: true });
    },
    onLeave: () => latest.current(),
  });
  const noteOf = (target: EventTarget, mark: "id" | "more"): LocalNote | undefined => {
    const id = target instanceof Element && target.closest<HTMLElement>(`[data-${mark}]`)?.dataset[mark];
    const item = id ? items[indexOf.get(id) ?? -1] : undefined;
    return item && "note" in item ? item.note : undefined;
  };
  const remove = (note: LocalNote, act: Act) => {
    const next = beside(note.id, 1) ?? beside(note.id, -1);
    if (act !== "erase" && next) focus(next);
    acts.act(note, act);
  };
  const listeners = {
    onFocus: (e: FocusEvent) => {
      const note = noteOf(e.target, "id") ?? noteOf(e.target, "more");
      if (note) setAt(note.id);
    },
    onClick: (e: MouseEvent) => {
      const more = noteOf(e.target, "more");
      if (more && e.target instanceof Element) {
        const { left, bottom } = e.target.getBoundingClientRect();
        acts.open(more, left, bottom);
      }
      const note = noteOf(e.target, "id");
      if (!note || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
      e.preventDefault();
      if (note.id === place.id) return e.detail === 0 && onEnter();
      // Who presses Enter goes into the note; who clicks has the focus where they clicked.
      navigate(hrefOf(note.id), { state: e.detail === 0 ? { enter: true } : null });
    },
    onContextMenu: (e: MouseEvent) => {
      const note = noteOf(e.target, "id");
      if (!note || actsOn(note).length === 0) return;
      e.preventDefault();
      const row = (e.target as Element).getBoundingClientRect();
      // A key that opens it points nowhere.
      acts.open(note, e.clientX || row.left + 24, e.clientY || row.top + 24);
    },
    onKeyDown: (e: KeyboardEvent) => {
      const note = noteOf(e.target, "id");
      if (!note || e.metaKey || e.ctrlKey || e.altKey || e.shiftKey) return;
      const goal = { ArrowDown: beside(note.id, 1), ArrowUp: beside(note.id, -1), Home: ids[0], End: ids.at(-1) }[e.key];
      const removal = e.key === "Delete" && actsOn(note).find((a) => a === "trash" || a === "erase");
      if (goal) focus(goal);
      else if (removal) remove(note, removal);
      else return;
      e.preventDefault();
    },
  };
  const shown = rows.getVirtualItems();
  return (
    <>
      <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto overscroll-contain" {...listeners}>
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {groups.map(({ heading, notes }, group) => (
            <Fragment key={heading ?? ""}>
              {shown.map(({ index, start, size }) => {
                const item = items[index];
                return (
                  item?.group === group &&
                  "heading" in item && <Heading key={index} text={item.heading} top={start} height={size} />
                );
              })}
              <ul aria-label={heading ?? name}>
                {shown.map(({ index, start, size }) => {
                  const item = items[index];
                  if (item?.group !== group || !("note" in item)) return null;
                  const { note } = item;
                  return (
                    <Row
                      key={note.id}
                      note={note}
                      href={hrefOf(note.id)}
                      top={start}
                      height={size}
                      density={density}
                      position={item.position}
                      size={notes.length}
                      isOpen={note.id === place.id}
                      hasMenu={note.id === acts.opened}
                      tabbable={note.id === stop}
                      query={query}
                      now={now}
                      t={t}
                      language={i18n.language}
                    />
                  );
                })}
              </ul>
            </Fragment>
          ))}
        </div>
        {foot}
      </div>
      {acts.shown}
    </>
  );
}

function Heading({ text, top, height }: { text: string; top: number; height: number }) {
  return (
    <h2
      style={{ height, transform: `translateY(${top}px)` }}
      className="absolute inset-x-0 top-0 flex items-end px-5 pb-1.5 text-xs font-semibold tracking-wide text-soft"
    >
      {text}
    </h2>
  );
}
