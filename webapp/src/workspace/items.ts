import type { LocalNote } from "@/replica/types";

/** Notes under a heading, or under none. */
export interface Group {
  heading?: string;
  notes: readonly LocalNote[];
}

/** What stands in a list, one below the other. */
export type Item = { heading: string; group: number } | { note: LocalNote; group: number; position: number };

export const keyOf = (item: Item | undefined) => (!item ? "" : "note" in item ? item.note.id : "heading " + item.group);

export interface Flat {
  items: readonly Item[];
  /** Notes' ids, in order. */
  ids: readonly string[];
  /** Where a note is in items. */
  indexOf: ReadonlyMap<string, number>;
}

export function flat(groups: readonly Group[]): Flat {
  const items: Item[] = [];
  const ids: string[] = [];
  const indexOf = new Map<string, number>();
  groups.forEach(({ heading, notes }, group) => {
    if (heading) items.push({ heading, group });
    notes.forEach((note, i) => {
      indexOf.set(note.id, items.length);
      ids.push(note.id);
      items.push({ note, group, position: i + 1 });
    });
  });
  return { items, ids, indexOf };
}
