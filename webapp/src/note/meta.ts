import { useMemo } from "react";
import { useSnapshot } from "@/replica/react";
import type { LocalNote, Snapshot } from "@/replica/types";

/** What of a note does not change with every key, so that what shows only this does no work for one. */
export type Meta = ReturnType<typeof metaOf>;

const metaOf = ({ id, title, tags, pinned, status, reminder_at, role, saving, refusal, conflict }: LocalNote) => {
  return { id, title, tags, pinned, status, reminder_at, role, saving, refusal, inConflict: conflict !== undefined };
};

/** The same object until something of it changes. */
export function useMeta(id: string): Meta | undefined {
  return useSnapshot(useMemo(() => selector(id), [id]));
}

function selector(id: string): (snapshot: Snapshot) => Meta | undefined {
  let last: Meta | undefined;
  return ({ notes }) => {
    const note = notes.get(id);
    const now = note && metaOf(note);
    if (!now || !last || !same(now, last)) last = now;
    return last;
  };
}

const same = (a: Meta, b: Meta) => (Object.keys(a) as (keyof Meta)[]).every((key) => a[key] === b[key]);
