import type { Notice } from "./known";

/** What can be changed of a notification. */
export interface Change {
  read?: boolean;
  archived?: boolean;
  /** RFC 3339; null brings it back. */
  snoozed_until?: string | null;
}

/** A notification as the server will make it. What comes back is not archived, and what is archived does not come back. */
export function changed(n: Notice, { read, archived, snoozed_until: until }: Change): Notice {
  const now = new Date().toISOString();
  const set = (at: string | null | undefined, is: boolean | undefined) =>
    is === undefined ? (at ?? null) : is ? (at ?? now) : null;
  const next = { ...n, read_at: set(n.read_at, read), archived_at: set(n.archived_at, archived) };
  if (until) return { ...next, snoozed_until: until, archived_at: null };
  return until === null || archived ? { ...next, snoozed_until: null } : next;
}
