import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { vi } from "vitest";
import type { Position } from "./message";

export const testUser = {
  id: "01939f0a-0000-7000-8000-000000000001",
  email: null,
  username: "ada",
  name: "Ada",
  roles: [],
  email_verified: false,
  mfa: false,
  created_at: "2025-01-01T00:00:00Z",
};

interface Connection {
  over: "socket" | "events";
  /** Up to where the client was told; undefined until it is known where it is. */
  at: Position | undefined;
  send: (message: object) => void;
  end: (code: number) => void;
  cut: () => void;
}

export interface Answer {
  status: number;
  body?: object;
}

/** One user's stream, as the notify service serves it. Tests only. */
export class TestServer {
  epoch = "A";
  seq = 0;
  /** Of the entries that are kept, by their seq. */
  readonly entries = new Map<number, object>();
  readonly connections = new Set<Connection>();
  /** Ways of the connections there were. */
  readonly opened: string[] = [];
  /** How many WebSockets were not opened. */
  refused = 0;
  /** How many of the next WebSockets are refused. */
  blocked = 0;
  sessionEnded = false;
  down = false;
  /** Answers what is not about the stream. */
  answer: (method: string, url: URL, body: unknown) => Answer | Promise<Answer> = () => ({ status: 404 });
  readonly #tickets = new Set<string>();
  readonly #http = createServer((req, res) => this.#serve(req, res));

  /** Listens, and has the page find its API here, as somebody who is logged in. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#http.listen(0, "127.0.0.1", resolve));
    const origin = "http://127.0.0.1:" + (this.#http.address() as AddressInfo).port;
    const fetchThere = fetch;
    vi.stubGlobal("fetch", async (input: string | Request, init?: RequestInit) => {
      if (!(input instanceof Request)) return fetchThere(new URL(input, origin), init);
      const { method, headers, signal, url } = input;
      const body = method === "GET" ? null : await input.text();
      return fetchThere(origin + url.slice(location.origin.length), { method, headers, signal, body });
    });
    const upgrade = (url: URL, socket: TestSocket) => this.#upgrade(url, socket);
    const Socket = class extends TestSocket {
      constructor(url: URL) {
        super();
        setTimeout(() => upgrade(url, this));
      }
    };
    vi.stubGlobal("WebSocket", Socket);
    vi.stubGlobal("navigator", Object.assign(Object.create(navigator), { locks: new TestLocks() }));
  }

  async stop(): Promise<void> {
    vi.unstubAllGlobals();
    for (const c of this.connections) c.cut();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  /** Adds an entry, and tells of it whoever is connected. */
  publish(type: string, data: unknown = {}, unread = 0): void {
    this.seq++;
    this.entries.set(this.seq, { epoch: this.epoch, seq: this.seq, type, data, unread });
    for (const c of this.connections) this.#catchUp(c);
  }

  #catchUp(c: Connection): void {
    if (!c.at) return;
    const entries = Array.from({ length: Math.max(0, this.seq - c.at.seq) }, (_, i) =>
      this.entries.get((c.at?.seq ?? 0) + i + 1),
    );
    const here = c.at.epoch === this.epoch || (c.at.epoch === "" && c.at.seq === 0);
    if (!here || c.at.seq > this.seq || entries.includes(undefined)) c.send({ type: "resync", ...this.position });
    else for (const entry of entries) if (entry) c.send(entry);
    c.at = this.position;
  }

  get position(): Position {
    return this.seq === 0 ? { epoch: "", seq: 0 } : { epoch: this.epoch, seq: this.seq };
  }

  #begin(c: Connection): void {
    this.connections.add(c);
    this.opened.push(c.over);
    c.send({ type: "hello", ...this.position });
    this.#catchUp(c);
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    const url = new URL(req.url ?? "", "http://x");
    const json = (status: number, body: object) =>
      res.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    if (this.down) return void req.socket.destroy();
    if (url.pathname === "/v1/auth/login" || url.pathname === "/v1/auth/refresh") {
      const tokens = { access_token: randomUUID(), expires_in: 600, user: testUser };
      return void (this.sessionEnded ? json(401, { code: "session_ended" }) : json(200, tokens));
    }
    if (this.sessionEnded || !req.headers.authorization) return void json(401, { code: "token_invalid" });
    if (url.pathname === "/v1/realtime/ticket") {
      const ticket = randomUUID();
      this.#tickets.add(ticket);
      return void json(201, { ticket, expires_in: 30 });
    }
    if (url.pathname !== "/v1/realtime/events") return void this.#answer(req, url, json);
    res.writeHead(200, { "Content-Type": "text/event-stream" }).write("retry: 1000\n\n");
    const end = (code: number) => {
      const type = { 1012: "restart", 4401: "session_ended" }[code];
      res.end(type && `event: ${type}\ndata: {"type":"${type}"}\n\n`);
    };
    const send = (m: object) => res.write(`event: x\ndata: ${JSON.stringify(m)}\n\n`);
    const c: Connection = { over: "events", at: resumed(url) ?? this.position, send, end, cut: () => res.destroy() };
    res.on("close", () => this.connections.delete(c));
    this.#begin(c);
  }

  async #answer(req: IncomingMessage, url: URL, json: (status: number, body: object) => void): Promise<void> {
    let text = "";
    for await (const chunk of req) text += String(chunk);
    const { status, body } = await this.answer(req.method ?? "", url, text && JSON.parse(text));
    json(status, body ?? {});
  }

  #upgrade(url: URL, socket: TestSocket): void {
    const ok = !this.down && !this.blocked && this.#tickets.delete(url.searchParams.get("ticket") ?? "");
    if (!ok) {
      this.refused++;
      this.blocked = Math.max(0, this.blocked - 1);
      return socket.end(1006);
    }
    const send = (m: object) => setTimeout(() => socket.hear(JSON.stringify(m)));
    const end = (code: number) => {
      this.connections.delete(c);
      setTimeout(() => socket.end(code));
    };
    const c: Connection = { over: "socket", at: resumed(url), send, end, cut: () => end(1006) };
    socket.sent = () => {
      c.at ??= this.position; // the one message there is for it: {}
    };
    socket.closed = () => this.connections.delete(c);
    socket.onopen?.();
    this.#begin(c);
  }
}

/** A WebSocket as far as it is used, without the wire. */
class TestSocket {
  onopen: (() => void) | undefined;
  onmessage: ((e: { data: string }) => void) | undefined;
  onclose: ((e: { code: number }) => void) | undefined;
  sent: (() => void) | undefined;
  closed: (() => void) | undefined;
  #open = true;

  hear(data: string): void {
    if (this.#open) this.onmessage?.({ data });
  }

  end(code: number): void {
    if (this.#open) this.onclose?.({ code });
    this.#open = false;
  }

  send(): void {
    this.sent?.();
  }

  close(): void {
    this.closed?.();
    this.end(1000);
  }
}

function resumed(url: URL): Position | undefined {
  const epoch = url.searchParams.get("epoch");
  return epoch === null ? undefined : { epoch, seq: Number(url.searchParams.get("seq")) };
}

type Holding = (lock: { name: string } | null) => Promise<unknown>;

/** navigator.locks, as far as it is used: one after the other. */
class TestLocks {
  readonly #last = new Map<string, Promise<unknown>>();

  request(
    name: string,
    ...rest: [Holding] | [{ signal?: AbortSignal; ifAvailable?: boolean }, Holding]
  ): Promise<unknown> {
    const [options, run] = rest.length === 1 ? [undefined, rest[0]] : rest;
    if (options?.ifAvailable && this.#last.has(name)) return run(null);
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(() => {
      options?.signal?.throwIfAborted();
      return run({ name });
    });
    const done = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(name) === done) this.#last.delete(name);
      });
    this.#last.set(name, done);
    return turn;
  }
}
