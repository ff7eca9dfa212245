import { type DBSchema, deleteDB, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import type { NoteRecord } from "./record";

/** How far the feed of changes was read. */
export interface Progress {
  /** The feed's position; "" is its beginning. */
  since: string;
  /** Whether the feed was read to its end. */
  whole: boolean;
  /** Which reading of the feed from its beginning this is. */
  round: number;
}

/** A change that a tab made and had not written when it was left. */
export interface Edit {
  seen: NoteRecord | undefined;
  now: NoteRecord;
  /** What the tab had when it began a write that it had not heard the end of: the note's, if it has this `rev` or a later one. */
  begun?: { now: NoteRecord | undefined; rev: number };
}

interface Schema extends DBSchema {
  notes: { key: string; value: NoteRecord };
  /** By tab. */
  edits: { key: string; value: Edit[] };
  meta: { key: "progress"; value: Progress };
}

type Writing = IDBPTransaction<Schema, ("notes" | "edits" | "meta")[], "readwrite">;

/** What the disk had of some notes, or has since. */
export type Records = ReadonlyMap<string, NoteRecord | undefined>;

export interface Contents {
  notes: NoteRecord[];
  progress: Progress | undefined;
}

const nameOf = (user: string): string => "trellis-" + user;

/** Deletes what this device keeps of a user's notes, and closes their replica in every tab. */
export async function forgetReplica(user: string): Promise<void> {
  await deleteDB(nameOf(user));
}

/** The user's notes on this device's disk. */
export class Disk {
  #db: Promise<IDBPDatabase<Schema>> | undefined;
  #open: IDBPDatabase<Schema> | undefined;
  #gone = false;
  #left = false;
  readonly #tab = crypto.randomUUID();

  /** `onGone` is called when another tab deletes it all. */
  constructor(
    private readonly user: string,
    private readonly onGone: () => void,
  ) {}

  async read(): Promise<Contents> {
    const tx = (await this.#connected()).transaction(["notes", "meta"]);
    const [notes, progress] = await Promise.all([
      tx.objectStore("notes").getAll(),
      tx.objectStore("meta").get("progress"),
    ]);
    return { notes, progress };
  }

  async get(ids: readonly string[]): Promise<Records> {
    const store = (await this.#connected()).transaction("notes").store;
    return new Map(await Promise.all(ids.map(async (id) => [id, await store.get(id)] as const)));
  }

  /**
   * Writes what `become` makes of some notes, all or nothing; one that is
   * undefined is removed. Nobody else writes them in between. Resolves when it
   * is kept, with what `become` returned.
   */
  async update(ids: readonly string[], become: (was: Records) => Records, progress?: Progress): Promise<Records> {
    const tx = (await this.#connected()).transaction(["notes", "edits", "meta"], "readwrite");
    const left = this.#left;
    return finish(tx, async () => {
      if (left) quietly(tx.objectStore("edits").delete(this.#tab));
      if (progress) quietly(tx.objectStore("meta").put(progress, "progress"));
      return this.#replace(tx, ids, become);
    }).finally(() => {
      if (left) this.#left = false;
    });
  }

  /** Writes what tabs left, as `become` says for each. */
  async fold(become: (edit: Edit, was: NoteRecord | undefined) => Records): Promise<Records> {
    const tx = (await this.#connected()).transaction(["notes", "edits", "meta"], "readwrite");
    return finish(tx, async () => {
      const edits = (await tx.objectStore("edits").getAll()).flat();
      quietly(tx.objectStore("edits").clear());
      const folded = new Map<string, NoteRecord | undefined>();
      for (const edit of edits) {
        const { id } = edit.now;
        for (const entry of await this.#replace(tx, [id], (was) => become(edit, was.get(id)))) folded.set(...entry);
      }
      return folded;
    });
  }

  /** Whether this tab left changes that it may have written since. */
  get left(): boolean {
    return this.#left;
  }

  /** Keeps changes for another tab, without waiting for anything: this one may end any moment. */
  leave(edits: Edit[]): void {
    if (!this.#open || this.#gone) return;
    const tx = this.#open.transaction("edits", "readwrite");
    quietly(tx.done);
    quietly(tx.store.put(edits, this.#tab));
    tx.commit();
    this.#left = true;
  }

  async #replace(tx: Writing, ids: readonly string[], become: (was: Records) => Records): Promise<Records> {
    const notes = tx.objectStore("notes");
    const was = new Map(await Promise.all(ids.map(async (id) => [id, await notes.get(id)] as const)));
    const now = become(was);
    for (const [id, record] of now) {
      if (record !== was.get(id)) quietly(record ? notes.put(record) : notes.delete(id));
    }
    return now;
  }

  close(): void {
    this.#gone = true;
    this.#open?.close();
  }

  #connected(): Promise<IDBPDatabase<Schema>> {
    if (this.#gone) return Promise.reject(new Error("the replica is closed"));
    return (this.#db ??= this.#connect().catch((err: unknown) => {
      this.#lost();
      throw err;
    }));
  }

  async #connect(): Promise<IDBPDatabase<Schema>> {
    const db = await openDB<Schema>(nameOf(this.user), 1, {
      upgrade(db) {
        db.createObjectStore("notes", { keyPath: "id" });
        db.createObjectStore("edits");
        db.createObjectStore("meta");
      },
      terminated: () => this.#lost(),
    });
    if (this.#gone) db.close();
    // Another tab wants it gone, or is of a newer page that keeps notes in another shape.
    db.addEventListener("versionchange", (event) => {
      db.close();
      this.#lost();
      if (event.newVersion !== null) return;
      this.#gone = true;
      this.onGone();
    });
    this.#open = db;
    return db;
  }

  // The next one who needs it connects again.
  #lost(): void {
    this.#db = undefined;
    this.#open = undefined;
  }
}

/** Runs what a transaction does, and resolves when that is kept. */
async function finish<T>(tx: Writing, run: () => Promise<T>): Promise<T> {
  const done = tx.done;
  quietly(done);
  const result = await run();
  // From here on it is kept even if the page ends.
  tx.commit();
  await done;
  return result;
}

// What fails in a transaction fails it as a whole, and is told of there.
function quietly(request: Promise<unknown>): void {
  request.catch(() => undefined);
}
