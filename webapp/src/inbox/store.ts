import { api, data } from "@/api/client";
import { Problem } from "@/api/problem";
import { session } from "@/api/session";
import type { Entry, Live } from "@/live/types";
import { type Change, changed } from "./change";
import { keep, recall } from "./kept";
import {
  afterReading,
  type Category,
  isIn,
  isUnread,
  type Known,
  type Notice,
  nothing,
  outdated,
  parseNotice,
  type View,
  withAnswer,
  withEntry,
  withPage,
  withReadingAnswer,
} from "./known";

/** How much of a view is known. */
export interface Extent {
  /** Down to which seq; Infinity if nothing was read of it yet. */
  readonly floor: number;
  /** Where the next page begins, null if there is none. */
  readonly cursor: string | null;
  readonly loading: boolean;
  /** Why the last page could not be read. */
  readonly error?: unknown;
}

export interface State {
  /** As they will be, once the server has what was changed here. */
  readonly notices: ReadonlyMap<string, Notice>;
  readonly unread: number;
  readonly extents: ReadonlyMap<string, Extent>;
}

const none: Extent = { floor: Infinity, cursor: null, loading: false };
const keyOf = (view: View) => `${view.status} ${view.category ?? ""}`;

export const extentOf = (state: State, view: View): Extent => state.extents.get(keyOf(view)) ?? none;

/** The notifications of a view without a hole between them; before it was read, those that happen to be known. */
export function listOf(state: State, view: View): Notice[] {
  const { floor } = extentOf(state, view);
  return [...state.notices.values()]
    .filter((n) => isIn(view, n) && (floor === Infinity || n.seq >= floor))
    .sort((a, b) => b.seq - a.seq);
}

/** What a change that the server does not have yet makes of a notification; nothing if it deletes it. */
type Pending = (n: Notice) => Notice | undefined;

/** What the bell shows. */
const everything: View = { status: "all" };
const limit = 30;
/** In which a deletion can be taken back, as long as the toast is there that says so. */
const undoTime = 10_000;

/** The user's notifications, the same in every tab. */
export class Inbox {
  #known: Known;
  #state: State = { notices: new Map(), unread: 0, extents: new Map() };
  #extents = new Map<string, Extent>();
  /** Goes up when what is known of the extents is void. */
  #generation = 0;
  /** Up to where the stream was known when the inbox was last read, Infinity before. */
  #since = Infinity;
  readonly #pending = new Set<Pending>();
  readonly #listeners = new Set<() => void>();
  readonly #arrivals = new Set<(n: Notice) => void>();
  readonly #key: string;

  constructor(live: Live) {
    this.#key = "trellis-inbox-" + live.user;
    this.#known = recall(this.#key);
    this.#render();
    live.subscribe((entry) => this.#hear(entry));
    void this.load(everything);
  }

  readonly state = (): State => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Calls the listener with each unread notification that comes in from now on. */
  onArrival(listener: (n: Notice) => void): () => void {
    this.#arrivals.add(listener);
    return () => this.#arrivals.delete(listener);
  }

  /** Reads the next page of a view, the first one at first. What fails is told in its extent. */
  async load(view: View): Promise<void> {
    const key = keyOf(view);
    const was = extentOf(this.#state, view);
    if (was.loading || was.floor === 0) return;
    const generation = this.#generation;
    this.#extend(key, { floor: was.floor, cursor: was.cursor, loading: true });
    try {
      const { status, category } = view;
      const query = {
        status,
        limit,
        ...(category && { category }),
        ...(was.cursor !== null && { cursor: was.cursor }),
      };
      const page = await data(api.GET("/v1/notifications", { params: { query } }));
      if (generation !== this.#generation) return;
      this.#since = Math.min(this.#since, page.stream.seq);
      this.#known = withPage(this.#known, view, page);
      const { next_cursor: next } = page.page;
      this.#extend(key, { floor: (next !== null && page.data.at(-1)?.seq) || 0, cursor: next, loading: false });
      this.#keep();
    } catch (error) {
      if (generation === this.#generation) this.#extend(key, { ...was, loading: false, error });
    }
  }

  /** Changes a notification, at once here; rejects, and has it as it was, when the server does not. */
  async change(id: string, change: Change): Promise<void> {
    const asked = this.#known;
    await this.#expect(
      (n) => (n.id === id ? changed(n, change) : n),
      async () => {
        const path = { id };
        const notice = await unlessGone(data(api.PATCH("/v1/notifications/{id}", { params: { path }, body: change })));
        this.#known = withAnswer(this.#known, asked, id, notice);
      },
    );
  }

  /** Marks as read what is unread up to a seq, of a category or of any. */
  async readAll(upTo: number, category?: Category): Promise<void> {
    const asked = this.#known;
    const reading = { up_to_seq: upTo, category: category ?? "", read_at: new Date().toISOString() };
    await this.#expect(
      (n) => afterReading(n, reading),
      async () => {
        const body = { up_to_seq: upTo, ...(category && { category }) };
        const { unread } = await data(api.POST("/v1/notifications/read-all", { body }));
        this.#known = withReadingAnswer(this.#known, asked, reading, unread);
      },
    );
  }

  /** Hides a notification, and deletes it in a while unless `undo` is called before; `done` rejects if it stays. */
  remove(id: string): { undo: () => void; done: Promise<void> } {
    const asked = this.#known;
    const wait = new AbortController();
    let undone = false;
    const done = this.#expect(
      (n) => (n.id === id ? undefined : n),
      async () => {
        await untilLate(wait.signal);
        if (undone) return;
        const path = { id };
        await unlessGone(data(api.DELETE("/v1/notifications/{id}", { params: { path }, keepalive: true })));
        this.#known = withAnswer(this.#known, asked, id, undefined);
      },
    );
    const undo = () => {
      undone = true;
      wait.abort();
    };
    return { undo, done };
  }

  /** Forgets what failed, for the next try. */
  retry(): void {
    this.#extents = new Map([...this.#extents].filter(([, { error }]) => error === undefined));
    this.#render();
    if (extentOf(this.#state, everything).floor === Infinity) void this.load(everything);
  }

  /** Leaves nothing of the user's on this device. */
  forget(): void {
    localStorage.removeItem(this.#key);
  }

  #hear(entry: Entry): void {
    if (entry.type === "resync" || (this.#known.epoch !== "" && entry.epoch !== this.#known.epoch))
      this.#restart(entry.epoch);
    else if (extentOf(this.#state, everything).error) this.retry();
    if (entry.type === "resync") return;
    this.#known = withEntry({ ...this.#known, epoch: entry.epoch }, entry);
    this.#render();
    this.#keep();
    const notice = entry.type === "notification" && parseNotice(entry.data);
    // One that only changed has the seq with which it came.
    if (!notice || notice.seq !== entry.seq || entry.seq <= this.#since || !isUnread(notice)) return;
    for (const listener of this.#arrivals) listener(notice);
  }

  #restart(epoch: string): void {
    this.#generation++;
    this.#since = Infinity;
    this.#extents = new Map();
    this.#known = this.#known.epoch === epoch ? outdated(this.#known) : nothing(epoch);
    this.#render();
    void this.load(everything);
  }

  async #expect(pending: Pending, send: () => Promise<void>): Promise<void> {
    this.#pending.add(pending);
    this.#render();
    try {
      await send();
    } finally {
      this.#pending.delete(pending);
      this.#render();
      this.#keep();
    }
  }

  #extend(key: string, extent: Extent): void {
    this.#extents = new Map(this.#extents).set(key, extent);
    this.#render();
  }

  #render(): void {
    const notices = new Map<string, Notice>();
    let { is: unread } = this.#known.unread;
    for (const [id, { is }] of this.#known.notices) {
      let notice = is;
      for (const change of this.#pending) notice = notice && change(notice);
      if (notice) notices.set(id, notice);
      unread += Number(!!notice && isUnread(notice)) - Number(!!is && isUnread(is));
    }
    this.#state = { notices, unread: Math.max(0, unread), extents: this.#extents };
    for (const listener of this.#listeners) listener();
  }

  #keep(): void {
    if (session.state.status === "in") keep(this.#key, this.#known);
  }
}

/** What is gone already need not be changed. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof Problem && err.status === 404) return undefined;
    throw err;
  }
}

/** Resolves when it is late to take something back, because of the time or since the page goes, or on abort. */
function untilLate(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      removeEventListener("pagehide", over);
      resolve();
    };
    const timer = setTimeout(over, undoTime);
    addEventListener("pagehide", over);
    signal.addEventListener("abort", over);
  });
}
