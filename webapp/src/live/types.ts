/** One thing that happened to the user, on whatever device. */
export interface Entry {
  epoch: string;
  seq: number;
  /** "notification", "note.changed", "profile.changed", "session.ended", …, or "resync": all may have changed. */
  type: string;
  data: unknown;
  /** How many notifications are unread since; a resync doesn't tell. */
  unread?: number;
}

/** The user's stream; one tab holds the connection, and every tab hears the entries. */
export interface Live {
  /** The user's id. */
  readonly user: string;
  subscribe(listener: (entry: Entry) => void): () => void;
  close(): void;
}
