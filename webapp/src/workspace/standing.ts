import type { LocalNote, Saving, Sync } from "@/replica/types";

/** What there is to say of where the user's notes are, the most pressing of it. */
export interface Standing {
  kind: "saved" | "fetching" | "saving" | "offline" | "offline_kept" | "kept" | "refused" | "conflict" | "unkept";
  /** How many notes it is so with. */
  count: number;
}

export function standing(sync: Sync, notes: Iterable<LocalNote>): Standing {
  const { saving, pending, online, whole } = sync;
  if (saving === "unkept" || saving === "conflict" || saving === "refused") return { kind: saving, count: those(notes, saving) };
  if (!online) return { kind: pending > 0 ? "offline_kept" : "offline", count: pending };
  if (saving === "waiting") return { kind: "kept", count: pending };
  if (saving === "saving") return { kind: "saving", count: pending };
  return { kind: whole ? "saved" : "fetching", count: 0 };
}

function those(notes: Iterable<LocalNote>, saving: Saving): number {
  let count = 0;
  for (const note of notes) if (note.saving === saving) count++;
  return count;
}
