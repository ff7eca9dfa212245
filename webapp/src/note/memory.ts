import type { Conflict, Content, Replica } from "@/replica/types";

/** Where one was in a note, for as long as the page is open. */
export interface Memory {
  /** The editor's state as JSON: text, selection and what can be undone. */
  editor?: unknown;
  /** The selection in a plain text field, and whether it had the focus. */
  selection?: { anchor: number; head: number } | undefined;
  focused?: boolean | undefined;
  /** The position at the top of what was seen, and how far above the edge its line began. */
  top?: { position: number; above: number } | undefined;
  /** What one has made of a conflict so far, and which it was. */
  merging?: { of: Conflict; content: Content } | undefined;
}

const most = 30;

// Held by the replica, so that nothing is left of a user's notes when it goes.
const memories = new WeakMap<Replica, Map<string, Memory>>();

export const remember = (replica: Replica, id: string, what: Memory): void => {
  Object.assign(memoryOf(replica, id), what);
};

export function memoryOf(replica: Replica, id: string): Memory {
  const all = memories.get(replica) ?? new Map<string, Memory>();
  memories.set(replica, all);
  const memory = all.get(id) ?? {};
  all.delete(id);
  all.set(id, memory);
  const [oldest] = all.keys();
  if (all.size > most && oldest !== undefined) all.delete(oldest);
  return memory;
}
