import { uuidv7 } from "uuidv7";
import { Alarm } from "./alarm";
import { Disk, type Edit, type Progress, type Records } from "./db";
import { merge3, same } from "./merge";
import * as note from "./record";
import type { NoteRecord, Outcome } from "./record";
import type { Content, Happening, LocalNote, Replica, Saving, Snapshot, Sync } from "./types";

type News =
  | { type: "written"; ids: string[] }
  | { type: "state"; online: boolean; progress: Progress }
  | { type: "happened"; happening: Happening }
  /** Of a tab that opened: what is the state? */
  | { type: "hello" }
  /** Of a tab that may be gone now, with changes that it could not write itself any more. */
  | { type: "left" }
  | { type: "pull" };

/** How soon a write is tried again that the disk did not take. */
const retryAfter = 3_000;

const worst: readonly Saving[] = ["saved", "saving", "waiting", "refused", "conflict", "unkept"];

/** The user's notes in this tab's memory, on the device's disk behind that, and the same in every tab. */
export class Notebook implements Replica {
  /** Rings when a note was changed, in whatever tab. */
  readonly changed = new Alarm();
  /** Ring when the server is to be asked now: one for who brings it what it has not got, one for who fetches. */
  readonly again = [new Alarm(), new Alarm()] as const;
  /** Resolves when the disk was read. */
  readonly ready: Promise<void>;

  /** Each note: as it was on the disk when this tab last looked, and as it is here. */
  readonly #entries = new Map<string, Edit>();
  readonly #dirty = new Set<string>();
  readonly #unwritten = new Set<string>();
  /** Which note one that went lives on as, for whoever still writes in it. */
  readonly #moved = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  readonly #hearers = new Set<(happening: Happening) => void>();
  readonly #disk: Disk;
  readonly #channel: BroadcastChannel;
  readonly #closed = new AbortController();
  readonly #notes = new Map<string, LocalNote>();
  #snapshot: Snapshot | undefined;
  #progress: Progress = { since: "", whole: false, round: 1 };
  #online = true;
  #loaded = false;
  #leading = false;
  #silent = false;
  /** Whether the disk did not take the last that it was given. */
  #full = false;
  #writing: Promise<void> | undefined;
  /** What the disk was given and has not said that it took. */
  #begun = new Map<string, Required<Edit>["begun"]>();
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(user: string) {
    this.#disk = new Disk(user, () => this.close());
    this.#channel = new BroadcastChannel("trellis-" + user);
    this.#channel.onmessage = ({ data }: MessageEvent<News>) => void this.#hear(data);
    this.#tell({ type: "hello" });
    this.ready = this.read();
  }

  /** Aborted once the notebook is closed. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  get progress(): Progress {
    return this.#progress;
  }

  readonly snapshot = (): Snapshot => {
    return (this.#snapshot ??= { notes: new Map(this.#notes), sync: this.#sync() });
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly listen = (hearer: (happening: Happening) => void): (() => void) => {
    this.#hearers.add(hearer);
    return () => this.#hearers.delete(hearer);
  };

  create(content: Partial<Content> = {}): string {
    const record = note.fresh(uuidv7(), content);
    this.#type(record);
    return record.id;
  }

  change(id: string, change: Partial<Content>, from?: Content): void {
    const record = this.record(this.#target(id));
    if (record) {
      this.#type(note.edit(record, from ? since(from, change, note.present(record)) : change));
    } else if (from) {
      const before = note.contentOf(from);
      const content = { ...before, ...change };
      if (!same(before, content)) this.#happen({ type: "recovered", id, as: this.create(content) });
    } else {
      throw new Error("no such note: " + id);
    }
  }

  erase(id: string): void {
    const record = this.record(id);
    if (record && note.roleOf(record) === "owner") this.#type({ ...record, erased: true, refusal: null });
  }

  resolve(id: string, content: Content): void {
    const record = this.record(id);
    if (record) this.#type(note.resolved(record, content));
  }

  pull(): void {
    this.#ask();
    this.#tell({ type: "pull" });
  }

  kept(): Promise<void> {
    return this.#until(() => this.#unwritten.size === 0);
  }

  sent(signal?: AbortSignal): Promise<void> {
    return this.#until(() => this.#loaded && this.#dirty.size === 0, signal);
  }

  close(): void {
    if (this.signal.aborted) return;
    clearTimeout(this.#retry);
    const written = this.#unwritten.size > 0 ? this.#write() : Promise.resolve();
    this.#closed.abort();
    this.#channel.onmessage = null;
    void written.then(() => {
      this.#disk.close();
      this.#silent = true;
      this.#channel.close();
    });
  }

  /** Leaves what is not written yet to another tab, as this one may end any moment. */
  leave(): void {
    if (this.#unwritten.size === 0) return;
    const edits = [...this.#unwritten].flatMap((id) => {
      const [entry, begun] = [this.#entries.get(id), this.#begun.get(id)];
      return entry ? [{ ...entry, ...(begun && { begun }) }] : [];
    });
    this.#disk.leave(edits);
    this.#tell({ type: "left" });
  }

  record(id: string): NoteRecord | undefined {
    return this.#entries.get(id)?.now;
  }

  records(): NoteRecord[] {
    return Array.from(this.#entries.values(), ({ now }) => now);
  }

  /** What the server has not got, in no order. */
  outgoing(): NoteRecord[] {
    return [...this.#dirty].flatMap((id) => this.record(id) ?? []);
  }

  /** Makes this the tab that syncs, and so the one that picks up what others left. */
  async lead(): Promise<void> {
    this.#leading = true;
    await this.ready;
    await this.#fold();
    this.#tellState();
  }

  /** Says whether the server could be reached. */
  reached(online: boolean): void {
    if (this.#online === online) return;
    this.#setOnline(online);
    this.#tellState();
  }

  /** Reads the disk: when the notebook is opened, and when its page was frozen and heard nothing. */
  async read(): Promise<void> {
    try {
      const { notes, progress } = await this.#disk.read();
      if (progress) this.#progress = progress;
      const found = new Map<string, NoteRecord | undefined>(notes.map((record) => [record.id, record]));
      for (const [id, { seen }] of this.#entries) if (seen && !found.has(id)) found.set(id, undefined);
      for (const [id, record] of found) this.#adopt(id, record);
    } catch {
      this.#full = true;
    }
    this.#loaded = true;
    this.#notify();
  }

  /**
   * Makes of each note what `become` says, on the disk and in every tab; all
   * or none, and the progress with it. Where the disk takes nothing it is so
   * in this tab alone, until the disk does.
   */
  async update(
    ids: readonly string[],
    become: (record: NoteRecord | undefined, id: string) => Outcome = note.unchanged,
    progress?: Progress,
  ): Promise<void> {
    const started = new Map<string, NoteRecord | undefined>();
    const happenings: Happening[] = [];
    const step = (was: Records): Records => {
      const next = new Map<string, NoteRecord | undefined>();
      for (const id of ids) {
        const entry = this.#entries.get(id);
        started.set(id, entry?.now);
        const outcome = rebased(entry, was.get(id));
        outcome.push(become(ownOf(id, outcome), id));
        place(id, outcome, was.get(id), next, happenings);
        this.#begun.set(id, { now: entry?.now, rev: next.get(id)?.rev ?? Infinity });
      }
      this.#tellWritten(was, next);
      return next;
    };
    try {
      this.#took(await this.#disk.update(ids, step, progress), started);
    } catch {
      this.#full = true;
      if (this.signal.aborted) return;
      happenings.length = 0;
      this.#inMemory(ids, become, happenings);
    } finally {
      for (const id of ids) this.#begun.delete(id);
    }
    if (progress) {
      this.#progress = progress;
      this.#tellState();
    }
    for (const happening of happenings) this.#happen(happening);
    this.#notify();
  }

  #took(written: Records, started: Records): void {
    this.#full = false;
    for (const [id, record] of written) this.#adopt(id, record, started.get(id));
  }

  #inMemory(
    ids: readonly string[],
    become: (record: NoteRecord | undefined, id: string) => Outcome,
    told: Happening[],
  ): void {
    for (const id of ids) {
      const was = this.record(id);
      const next = new Map<string, NoteRecord | undefined>();
      place(id, [{ records: [] }, become(was, id)], was, next, told);
      for (const [key, now] of next) {
        if (now === this.record(key)) continue;
        this.#set(key, now && { seen: this.#entries.get(key)?.seen, now });
      }
    }
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#write(), retryAfter);
    for (const id of this.#unwritten) this.#show(id);
  }

  async #fold(): Promise<void> {
    const happenings: Happening[] = [];
    const fold = (edit: Edit, was: NoteRecord | undefined): Records => {
      const next = new Map<string, NoteRecord | undefined>();
      const written = edit.begun && was && was.rev >= edit.begun.rev;
      const seen = written ? edit.begun?.now : edit.seen;
      place(edit.now.id, rebased({ seen, now: edit.now }, was), was, next, happenings);
      this.#tellWritten(new Map([[edit.now.id, was]]), next);
      return next;
    };
    try {
      for (const [id, record] of await this.#disk.fold(fold)) this.#adopt(id, record);
    } catch {
      return; // It is tried again by the next one who leads.
    }
    for (const happening of happenings) this.#happen(happening);
    this.#notify();
  }

  // The disk has this now; `started` is what this tab had when that was made.
  #adopt(id: string, record: NoteRecord | undefined, started = this.#entries.get(id)?.seen): void {
    const entry = this.#entries.get(id);
    if (record && entry?.seen && record.rev < entry.seen.rev) return;
    if (!entry || entry.now === started) {
      this.#set(id, record && { seen: record, now: record });
      return;
    }
    const outcome = rebased({ seen: started, now: entry.now }, record);
    const now = ownOf(id, outcome);
    this.#set(id, now && { seen: record, now });
    for (const { records, happening } of outcome) {
      for (const copy of records) if (copy.id !== id) this.#set(copy.id, { seen: undefined, now: copy });
      if (happening) this.#happen(happening);
    }
    void this.#write();
  }

  #type(record: NoteRecord): void {
    const entry = this.#entries.get(record.id);
    if (entry?.now === record) return;
    this.#set(record.id, { seen: entry?.seen, now: record });
    this.#notify();
    void this.#write();
  }

  #write(): Promise<void> {
    return (this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    }));
  }

  async #writeAll(): Promise<void> {
    do {
      await this.update([...this.#unwritten]);
    } while (!this.#full && (this.#unwritten.size > 0 || this.#disk.left));
  }

  async #hear(news: News): Promise<void> {
    switch (news.type) {
      case "written": {
        const records = await this.#disk.get(news.ids).catch(() => undefined);
        for (const [id, record] of records ?? []) this.#adopt(id, record);
        return this.#notify();
      }
      case "state":
        this.#progress = news.progress;
        return this.#setOnline(news.online);
      case "happened":
        return this.#hearHappening(news.happening);
      case "hello":
        return this.#tellState();
      case "left":
        return this.#leading ? this.#fold() : undefined;
      case "pull":
        return this.#ask();
    }
  }

  #ask(): void {
    for (const alarm of this.again) alarm.ring();
  }

  #tell(news: News): void {
    if (!this.#silent) this.#channel.postMessage(news);
  }

  #tellState(): void {
    if (this.#leading) this.#tell({ type: "state", online: this.#online, progress: this.#progress });
  }

  // Before it is done: who reads now waits for that, and is told even if this tab ends there.
  #tellWritten(was: Records, now: Records): void {
    const ids = Array.from(now).flatMap(([id, record]) => (record?.rev === was.get(id)?.rev ? [] : id));
    if (ids.length > 0) this.#tell({ type: "written", ids });
  }

  #happen(happening: Happening): void {
    this.#tell({ type: "happened", happening });
    this.#hearHappening(happening);
  }

  #hearHappening(happening: Happening): void {
    if (happening.type === "recovered") this.#moved.set(happening.id, happening.as);
    for (const hearer of this.#hearers) hearer(happening);
  }

  #target(id: string): string {
    const as = this.#moved.get(id);
    const record = this.record(id);
    return as !== undefined && (!record || note.roleOf(record) === "viewer") ? this.#target(as) : id;
  }

  #set(id: string, entry: Edit | undefined): void {
    mark(this.#dirty, id, entry !== undefined && note.dirty(entry.now));
    mark(this.#unwritten, id, entry !== undefined && entry.seen !== entry.now);
    if (entry) this.#entries.set(id, entry);
    else this.#entries.delete(id);
    this.#show(id);
  }

  #show(id: string): void {
    const record = this.record(id);
    this.#snapshot = undefined;
    if (!record || record.erased) {
      this.#notes.delete(id);
      return;
    }
    const next = note.local(record, this.#full && this.#unwritten.has(id), this.#online);
    const shown = this.#notes.get(id);
    if (!shown || !note.alike(shown, next)) this.#notes.set(id, next);
  }

  #setOnline(online: boolean): void {
    this.#online = online;
    for (const id of this.#dirty) this.#show(id);
    this.#notify();
  }

  #sync(): Sync {
    let saving: Saving = "saved";
    for (const id of this.#dirty) {
      const state = this.#notes.get(id)?.saving ?? (this.#online ? "saving" : "waiting");
      if (worst.indexOf(state) > worst.indexOf(saving)) saving = state;
    }
    const { whole } = this.#progress;
    return { saving, pending: this.#dirty.size, online: this.#online, whole, loaded: this.#loaded };
  }

  #notify(): void {
    this.#snapshot = undefined;
    for (const listener of this.#listeners) listener();
    this.changed.ring();
  }

  async #until(met: () => boolean, signal?: AbortSignal): Promise<void> {
    const ends = signal ? AbortSignal.any([signal, this.signal]) : this.signal;
    if (met() || ends.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        if (!met() && !ends.aborted) return;
        stop();
        ends.removeEventListener("abort", end);
        resolve();
      };
      const stop = this.subscribe(end);
      ends.addEventListener("abort", end);
    });
  }
}

function rebased(entry: Edit | undefined, was: NoteRecord | undefined): Outcome[] {
  return [entry ? note.rebase(entry.seen, entry.now, was) : note.unchanged(was)];
}

function ownOf(id: string, outcomes: readonly Outcome[]): NoteRecord | undefined {
  return outcomes.at(-1)?.records.find((record) => record.id === id);
}

/** Puts what became of a note, and the copies made of it on the way, where they are to be written. */
function place(
  id: string,
  outcomes: readonly Outcome[],
  was: NoteRecord | undefined,
  next: Map<string, NoteRecord | undefined>,
  happenings: Happening[],
): void {
  const own = ownOf(id, outcomes);
  const kept = own && !note.vain(own) ? own : undefined;
  next.set(id, kept && kept !== was ? { ...kept, rev: (was?.rev ?? 0) + 1 } : kept);
  for (const { records, happening } of outcomes) {
    for (const copy of records) if (copy.id !== id) next.set(copy.id, { ...copy, rev: 1 });
    if (happening) happenings.push(happening);
  }
}

function mark(set: Set<string>, id: string, in_: boolean): void {
  if (in_) set.add(id);
  else set.delete(id);
}

/** A change that was made in `from`, as one of the present content. */
function since(from: Content, change: Partial<Content>, now: Content): Content {
  const before = note.contentOf(from);
  return merge3(before, { ...before, ...change }, now).content;
}
