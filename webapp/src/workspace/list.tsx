import { ArrowUpDown, SquarePen } from "lucide-react";
import { type RefObject, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useWishes } from "@/account/preferences";
import { useNotes } from "@/replica/react";
import { IconButton } from "@/ui/button";
import { useActions } from "./actions";
import { Bar } from "./bar";
import { EmptyTrash } from "./empty-trash";
import { SearchField, useQuery } from "./field";
import type { Group } from "./items";
import { type Arranged, arranging } from "./lists";
import type { List, Place } from "./place";
import { Rows, type RowsHandle } from "./rows";
import { useFound } from "./search";
import { Later, SortMenu } from "./later";
import { useOpener } from "./opener";
import { Elsewhere, Nothing, NotFound } from "./states";

/** What a list is called. */
export function useListName(list: List): string {
  const { t } = useTranslation("notes");
  return list.kind === "tag" ? "#" + list.tag : t("go." + list.kind);
}

interface Props {
  place: Place;
  name: string;
  onMenu: (() => void) | undefined;
  rows: RefObject<RowsHandle | null>;
  /** The focus is to go into the note that is open. */
  onEnter: () => void;
}

/** A list's notes, or those of them that are sought. */
export function ListPane({ place, name, onMenu, rows, onEnter }: Props) {
  const { t, i18n } = useTranslation("notes");
  const { list, path, id } = place;
  const { create } = useActions();
  const { density, notes: wishes } = useWishes();
  const { sort } = wishes;
  const [query, setQuery] = useQuery();
  // Who types in the search field or in a note does not wait for the list.
  const notes = useDeferredValue(useNotes());
  const sought = useDeferredValue(query.trim());
  const found = useFound(notes, list, sought);
  const [arrange] = useState(arranging);
  const arranged = useMemo(() => arrange(notes, list, sort, i18n.language), [arrange, notes, list, sort, i18n.language]);
  const groups = useMemo(
    () => (found ? [{ notes: found.notes }] : groupsOf(arranged, t("pinned"), t("others"))),
    [found, arranged, t],
  );
  const total = arranged.pinned.length + arranged.others.length;
  const heading = useFocusOnArrival();
  // Other rows take the place of those that may have had the focus.
  const searching = found !== undefined;
  const searched = useRef(searching);
  useEffect(() => {
    if (searching !== searched.current && document.activeElement === document.body) rows.current?.focus();
    searched.current = searching;
  }, [searching, rows]);
  return (
    <section
      aria-label={name}
      data-content={id ? undefined : ""}
      className={`relative flex min-h-0 min-w-0 flex-col outline-none sm:border-r sm:border-line ${id ? "max-sm:invisible" : ""}`}
    >
      <Bar onMenu={onMenu}>
        <h1 ref={heading} tabIndex={-1} title={name} className="min-w-0 truncate text-lg font-semibold outline-none">
          {name}
        </h1>
        <span className="flex-1 pl-1 text-sm text-soft tabular-nums sm:max-lg:hidden">{total > 0 && total}</span>
        <IconButton label={t("new")} keys="C" className="ml-auto max-lg:hidden" onClick={() => create(list)}>
          <SquarePen />
        </IconButton>
      </Bar>
      <div className="flex shrink-0 items-center gap-1 pr-2 pb-2 pl-3">
        <SearchField query={query} onChange={setQuery} name={name} onLeave={() => rows.current?.focus()} />
        <SortButton />
      </div>
      {list.kind === "trash" && !found && total > 0 && <EmptyTrash notes={arranged.others} />}
      <p role="status" className="sr-only">
        {found && t("search.found", { count: found.notes.length })}
      </p>
      {(found ? found.notes.length : total) > 0 ? (
        <Rows
          key={`${density} ${found ? "found" : "all"}`}
          ref={rows}
          groups={groups}
          name={name}
          place={place}
          query={found ? sought : ""}
          onEnter={onEnter}
          foot={found && <Elsewhere found={found} query={query} />}
        />
      ) : (
        <div className="min-h-0 flex-1 overflow-y-auto">
          {found ? <NotFound found={found} query={query} name={name} /> : <Nothing key={path} list={list} />}
        </div>
      )}
      <IconButton
        label={t("new")}
        className="absolute right-5 bottom-[max(1.25rem,env(safe-area-inset-bottom))] size-14 rounded-2xl bg-accent text-on-accent! shadow-raised hover:bg-accent! hover:brightness-110 lg:hidden [&_svg]:size-6"
        onClick={() => create(list)}
      >
        <SquarePen />
      </IconButton>
    </section>
  );
}

function SortButton() {
  const { t } = useTranslation("notes");
  const { button, menu } = useOpener();
  return (
    <>
      <IconButton label={t("sort.label")} {...button}>
        <ArrowUpDown />
      </IconButton>
      <Later>{menu && <SortMenu {...menu} />}</Later>
    </>
  );
}

function groupsOf({ pinned, others }: Arranged, first: string, second: string): Group[] {
  if (pinned.length === 0) return [{ notes: others }];
  return [
    { heading: first, notes: pinned },
    { heading: second, notes: others },
  ].filter((group) => group.notes.length > 0);
}

/** Who comes by keys from a page that is gone goes on from the list's name. */
function useFocusOnArrival() {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
  }, []);
  return heading;
}
