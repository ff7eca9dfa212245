import type { Fetch } from "./server";
import type { Content, Role, ServerNote } from "./types";

/**
 * The notes API in memory, for tests: versions, Idempotency-Keys, client-made
 * ids, shares and the feed are as the service has them.
 */
export class Model {
  /** Every request that was served, such as "PATCH /v1/notes/…". */
  readonly log: string[] = [];
  readonly notes = new Map<string, Stored>();
  readonly #answers = new Map<string, { asked: string; answer: Answer }>();
  readonly #feed: { seq: number; reader: string; id: string }[] = [];
  #seq = 0;
  #pruned = 0;

  /** fetch as a user, past whatever `line` does to a request or its answer. */
  as(user: string, line: (serve: () => Response) => Promise<Response> = async (serve) => serve()): Fetch {
    return async (request) => {
      const body = await request.text();
      return line(() => this.#serve(user, request, body));
    };
  }

  /** The user's notes, as they are. */
  of(user: string): ServerNote[] {
    return [...this.notes.values()].flatMap((note) => this.#read(user, note) ?? []);
  }

  share(id: string, user: string, role: "viewer" | "editor" | undefined): void {
    const note = this.#stored(id);
    if (role) note.shares.set(user, role);
    else note.shares.delete(user);
    this.#tell(id, [user]);
  }

  /** Changes a note as another client does. */
  change(id: string, change: Partial<Content>): void {
    const note = this.#stored(id);
    Object.assign(note.content, change);
    this.#changed(note);
  }

  remove(id: string): void {
    const note = this.#stored(id);
    this.notes.delete(id);
    this.#tell(id, [note.owner, ...note.shares.keys()]);
  }

  /** Forgets what the feed told up to now of notes that went, and so every reader's place in it. */
  prune(): void {
    this.#pruned = ++this.#seq;
  }

  #stored(id: string): Stored {
    const note = this.notes.get(id);
    if (!note) throw new Error("no such note");
    return note;
  }

  #serve(user: string, request: Request, body: string): Response {
    const url = new URL(request.url);
    this.log.push(request.method + " " + url.pathname + url.search);
    const key = request.headers.get("Idempotency-Key");
    const before = key === null ? undefined : this.#answers.get(user + key);
    if (before && before.asked !== body) return respond(problem(422, "idempotency_key_reused"));
    const answer = before?.answer ?? this.#answer(user, request, url, body);
    if (key !== null) this.#answers.set(user + key, { asked: body, answer });
    return respond(answer);
  }

  #answer(user: string, request: Request, url: URL, body: string): Answer {
    const id = url.pathname.replace(/^\/v1\/notes\/?/, "");
    if (request.method === "POST") return this.#create(user, JSON.parse(body) as Content & { id: string });
    if (id === "changes") return this.#changes(user, url.searchParams);
    if (id === "") return { status: 200, body: { data: this.#newest(user, Number(url.searchParams.get("limit"))) } };
    const note = this.notes.get(id);
    const read = note && this.#read(user, note);
    if (!note || !read) return problem(404, "note_not_found");
    if (request.method === "GET") return { status: 200, body: read };
    return this.#alter(note, read, request, body);
  }

  #alter(note: Stored, read: ServerNote, request: Request, body: string): Answer {
    const change = (body ? JSON.parse(body) : {}) as Partial<Content>;
    const owners = "pinned" in change || "status" in change || "reminder_at" in change || request.method === "DELETE";
    if (read.role === "viewer") return problem(403, "note_read_only");
    if (read.role === "editor" && owners) return problem(403, "note_owners_only");
    const match = request.headers.get("If-Match");
    if (match === null) return problem(428, "if_match_missing");
    if (match !== `"${String(note.version)}"`) return problem(412, "stale", { current: read });
    const trashed = note.content.status === "trashed";
    if (request.method === "DELETE") {
      if (!trashed) return problem(409, "note_not_trashed");
      this.remove(read.id);
      return { status: 204 };
    }
    if (trashed && (change.status ?? "trashed") === "trashed") return problem(409, "note_trashed");
    const refusal = invalid(change);
    if (refusal) return refusal;
    Object.assign(note.content, change);
    this.#changed(note);
    return { status: 200, body: this.#read(note.owner, note, read.role as Role) };
  }

  #create(owner: string, { id, ...content }: Content & { id: string }): Answer {
    const refusal = invalid(content);
    if (refusal || content.status === "trashed") return refusal ?? problem(422, "invalid");
    const made = this.notes.get(id);
    if (made) {
      const alike = JSON.stringify(made.content) === JSON.stringify(content);
      return alike && made.version === 1 && made.owner === owner ? { status: 201, body: this.#read(owner, made) } : problem(409, "id_taken");
    }
    const at = new Date().toISOString();
    const note: Stored = { id, owner, content, version: 0, created_at: at, updated_at: at, shares: new Map() };
    this.notes.set(id, note);
    this.#changed(note);
    return { status: 201, body: this.#read(owner, note) };
  }

  #changed(note: Stored): void {
    note.version++;
    note.updated_at = new Date().toISOString();
    this.#tell(note.id, [note.owner, ...note.shares.keys()]);
  }

  // Of each note the feed has the last change alone.
  #tell(id: string, readers: readonly string[]): void {
    for (const reader of readers) {
      const old = this.#feed.findIndex((entry) => entry.reader === reader && entry.id === id);
      if (old >= 0) this.#feed.splice(old, 1);
      this.#feed.push({ seq: ++this.#seq, reader, id });
    }
  }

  // A position is "812", or "812-950" while its reader goes through what was
  // there when the feed had been pruned to 950.
  #changes(reader: string, query: URLSearchParams): Answer {
    const [since = 0, began = 0] = (query.get("since") ?? "0").split("-").map(Number);
    if (Math.max(since, began) > 0 && Math.max(since, began) < this.#pruned) return problem(410, "resync");
    const from = since === 0 ? this.#pruned : began;
    const rest = this.#feed.filter((entry) => entry.reader === reader && entry.seq > since);
    const page = rest.slice(0, Math.min(7, Number(query.get("limit"))));
    const changes = page.flatMap(({ seq, id }) => {
      const note = this.notes.get(id);
      const read = (note && this.#read(reader, note)) ?? null;
      return read === null && seq <= this.#pruned ? [] : { id, note: read };
    });
    const at = page.at(-1)?.seq ?? since;
    const seq = from > at ? `${String(at)}-${String(from)}` : String(at);
    return { status: 200, body: { changes, seq, has_more: page.length < rest.length } };
  }

  #newest(reader: string, limit: number): ServerNote[] {
    const active = this.of(reader).filter((note) => note.status === "active");
    return active.sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1)).slice(0, limit);
  }

  #read(reader: string, note: Stored, role = roleIn(note, reader)): ServerNote | undefined {
    if (!role || (role !== "owner" && note.content.status === "trashed")) return undefined;
    const { id, content, version, created_at, updated_at } = note;
    return structuredClone({ id, ...content, tags: [...content.tags], version, created_at, updated_at, role });
  }
}

interface Stored {
  id: string;
  owner: string;
  content: Content;
  version: number;
  created_at: string;
  updated_at: string;
  shares: Map<string, "viewer" | "editor">;
}

interface Answer {
  status: number;
  body?: unknown;
}

function roleIn(note: Stored, reader: string): Role | undefined {
  return note.owner === reader ? "owner" : note.shares.get(reader);
}

function invalid({ title = "" }: Partial<Content>): Answer | undefined {
  return [...title].length > 200 ? problem(422, "invalid") : undefined;
}

function problem(status: number, code: string, more: object = {}): Answer {
  return { status, body: { code, detail: code, ...more } };
}

function respond({ status, body }: Answer): Response {
  return new Response(body === undefined ? null : JSON.stringify(body), { status });
}

/** The Web Locks of one browser: who asks first holds a lock until done. */
export class Locks {
  readonly #queues = new Map<string, Promise<unknown>>();

  readonly request = async (name: string, { signal }: LockOptions, run: () => Promise<unknown>): Promise<unknown> => {
    const before = this.#queues.get(name);
    const turn = (async () => {
      await before;
      if (!signal?.aborted) await run();
    })();
    this.#queues.set(name, turn);
    return turn;
  };
}
