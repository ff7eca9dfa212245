import { useEffect, useMemo, useState } from "react";
import { api, data } from "@/api/client";
import { useSync } from "@/replica/react";
import { search } from "@/replica/search";
import type { LocalNote, ServerNote } from "@/replica/types";
import { belongs, type Notes } from "./lists";
import type { List } from "./place";

/** How long one has stopped typing before the server is asked, in milliseconds. */
const pause = 200;

export interface Found {
  /** Those of the list, the best first. */
  notes: readonly LocalNote[];
  /** How many there are in other lists. */
  elsewhere: readonly { kind: Kind; count: number }[];
}

const kinds = ["notes", "shared", "archive", "trash"] as const;
type Kind = (typeof kinds)[number];

/** What a search finds among these notes. */
export function find(notes: Notes, also: readonly LocalNote[], list: List, query: string): Found {
  const all = also.length === 0 ? notes : new Map([...also.map((n) => [n.id, n] as const), ...notes]);
  const found = search(all, query);
  const elsewhere = kinds.flatMap((kind) => {
    const count = kind === list.kind ? 0 : found.filter((n) => belongs({ kind }, n)).length;
    return count > 0 ? [{ kind, count }] : [];
  });
  return { notes: found.filter((n) => belongs(list, n)), elsewhere };
}

/** What the query finds, if there is one; the server helps while this device does not have all notes. */
export function useFound(notes: Notes, list: List, query: string): Found | undefined {
  const { whole } = useSync();
  const hits = useHits(list, whole ? "" : query);
  return useMemo(() => (query ? find(notes, hits, list, query) : undefined), [notes, hits, list, query]);
}

const none: readonly LocalNote[] = [];

/** What the server finds; what it found last for as long as it is asked again. */
function useHits(list: List, query: string): readonly LocalNote[] {
  const [hits, setHits] = useState(none);
  useEffect(() => {
    if (!query) return;
    const outdated = new AbortController();
    const timer = setTimeout(() => {
      ask(list, query, outdated.signal).then(
        (found) => outdated.signal.aborted || setHits(found),
        // Without the server it is what this device has.
        () => undefined,
      );
    }, pause);
    return () => {
      clearTimeout(timer);
      outdated.abort();
    };
  }, [list, query]);
  return query ? hits : none;
}

const asked = {
  notes: {},
  shared: { shared: true },
  archive: { status: "archived" },
  trash: { status: "trashed" },
  tag: {},
} as const;

async function ask(list: List, q: string, signal: AbortSignal): Promise<LocalNote[]> {
  const query = { q, limit: 100, ...asked[list.kind], ...(list.kind === "tag" && { tag: list.tag }) };
  const page = await data(api.GET("/v1/notes", { params: { query }, signal }));
  return page.data.map((note: ServerNote) => ({ ...note, saving: "saved" }) as LocalNote);
}
