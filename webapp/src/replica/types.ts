import type { ProblemField } from "@/api/problem";
import type { Schemas } from "@/api/client";

/** A note as the server has it. */
export type ServerNote = Schemas["Note"];

export type Status = "active" | "archived" | "trashed";
export type Role = "owner" | "editor" | "viewer";

/** What a user makes of a note: all that can be changed. */
export interface Content {
  title: string;
  body: string;
  tags: readonly string[];
  pinned: boolean;
  status: Status;
  /** RFC 3339, in UTC. */
  reminder_at: string | null;
}

/**
 * Where a note's text is:
 * - `saved`: the server has it;
 * - `saving`: it is on its way, or about to be;
 * - `waiting`: it is on this device, until the network is back;
 * - `conflict`: the server has another text, and only a person can merge them;
 * - `refused`: the server does not take it as it is;
 * - `unkept`: not even this device could keep it (its storage is full).
 */
export type Saving = "saved" | "saving" | "waiting" | "conflict" | "refused" | "unkept";

/** A note as this device has it, which is ahead of the server's while it is not saved. */
export interface LocalNote extends Content {
  readonly id: string;
  readonly role: Role;
  readonly created_at: string;
  /** When its content was last changed, on whatever device. */
  readonly updated_at: string;
  /** The server's version this is made from, 0 if the server has none yet. */
  readonly version: number;
  readonly saving: Saving;
  readonly conflict?: Conflict;
  readonly refusal?: Refusal;
}

/** Two texts that came from one. */
export interface Conflict {
  readonly base: Content;
  readonly mine: Content;
  readonly theirs: Content;
  /** Both, with each overlapping part of `mine` above that of `theirs`: where to begin from. */
  readonly merged: Content;
}

/** Why the server did not take a note. */
export interface Refusal {
  readonly code: string;
  readonly detail: string;
  readonly fields: readonly ProblemField[];
}

/** How this device and the server stand. */
export interface Sync {
  /** The worst of the notes' states. */
  readonly saving: Saving;
  /** How many notes the server has not got in their present state. */
  readonly pending: number;
  /** Whether the server could be reached when last tried. */
  readonly online: boolean;
  /** Whether this device has all of the user's notes; until then search asks the server too. */
  readonly whole: boolean;
  /** Whether this device's disk has been read: until then that there is no note means nothing. */
  readonly loaded: boolean;
}

/**
 * What the replica did that its user may want to be told:
 * - `merged`: what was written elsewhere came into a note that was written in here;
 * - `recovered`: a note went, or may not be changed any more, and what was typed in it became note `as`;
 * - `spared`: a note that was to be erased had been changed elsewhere, and is still there.
 */
export type Happening =
  | { type: "merged"; id: string }
  | { type: "recovered"; id: string; as: string }
  | { type: "spared"; id: string };

export interface Snapshot {
  /** Every note of the user's, trashed ones too. */
  readonly notes: ReadonlyMap<string, LocalNote>;
  readonly sync: Sync;
}

/**
 * The user's notes on this device: read at once, written at once, and brought
 * to the server behind that, in order, by one tab for all.
 */
export interface Replica {
  /** The same object until something changes. */
  snapshot(): Snapshot;
  subscribe(listener: () => void): () => void;
  /** Hears of happenings, in every tab. */
  listen(listener: (happening: Happening) => void): () => void;
  /** Makes a note and returns its id, a UUIDv7 that the server will take over. */
  create(content?: Partial<Content>): string;
  /**
   * Changes what is given. Trashing and undoing that are changes of status.
   * `from` is the note that the change was made in, where that may be behind
   * the present one, as an editor's may while it composes a character: what
   * came in between is merged, and a note that went becomes a new one.
   * What the user's role doesn't let them change is left as it is.
   */
  change(id: string, change: Partial<Content>, from?: Content): void;
  /** Deletes a trashed note for good. */
  erase(id: string): void;
  /** Ends a conflict with this text, which takes the place of both. */
  resolve(id: string, content: Content): void;
  /** Asks the server what is new, now. A live entry, a click on "try again". */
  pull(): void;
  /** Resolves when all that was changed is on this device's disk. */
  kept(): Promise<void>;
  /** Resolves when the server has all, or the signal ends the wait. */
  sent(signal?: AbortSignal): Promise<void>;
  close(): void;
}
