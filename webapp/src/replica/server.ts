import { problemOf, SignedOut, Unreachable } from "@/api/problem";
import { reach, session } from "@/api/session";
import type { Content, ServerNote } from "./types";

/** A part of the feed of what became of a user's notes. */
export interface Changes {
  changes: { id: string; note: ServerNote | null }[];
  /** Where to go on. */
  seq: string | number;
  has_more: boolean;
}

export type Fetch = (request: Request) => Promise<Response>;

/** How long an answer may take; a network that lets nothing through says nothing either. */
const patience = 60_000;

/** The notes API. Every method rejects with Problem, Unreachable or SignedOut. */
export class Server {
  constructor(private readonly fetch: Fetch) {}

  create(id: string, content: Content, key: string, signal: AbortSignal): Promise<ServerNote> {
    return this.#ask("POST", "", signal, { body: { id, ...content }, headers: { "Idempotency-Key": key } });
  }

  change(id: string, version: number, change: Partial<Content>, signal: AbortSignal): Promise<ServerNote> {
    return this.#ask("PATCH", "/" + id, signal, { body: change, headers: { "If-Match": `"${version}"` } });
  }

  async erase(id: string, version: number, signal: AbortSignal): Promise<void> {
    await this.#ask("DELETE", `/${id}?permanent=true`, signal, { headers: { "If-Match": `"${version}"` } });
  }

  get(id: string, signal: AbortSignal): Promise<ServerNote> {
    return this.#ask("GET", "/" + id, signal);
  }

  async newest(signal: AbortSignal): Promise<ServerNote[]> {
    return (await this.#ask<{ data: ServerNote[] }>("GET", "?limit=50", signal)).data;
  }

  changes(since: string, signal: AbortSignal): Promise<Changes> {
    const query = since === "" ? "" : "&since=" + encodeURIComponent(since);
    return this.#ask("GET", "/changes?limit=500" + query, signal);
  }

  async #ask<T>(
    method: string,
    path: string,
    signal: AbortSignal,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<T> {
    const ends = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    const request = new Request(location.origin + "/v1/notes" + path, {
      method,
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: ends,
    });
    const response = await Promise.race([this.fetch(request), end(ends)]);
    if (!response.ok) throw await problemOf(response);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}

// Waiting for a token, fetch hears no signal.
function end(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Unreachable(String(signal.reason))), { once: true });
  });
}

/** fetch as this user and nobody else: another may have logged in, in another tab. */
export function fetchAs(user: string): Fetch {
  return async (request) => {
    const again = request.clone();
    const token = await tokenOf(user);
    request.headers.set("Authorization", "Bearer " + token);
    const response = await reach(request);
    if (response.status !== 401) return response;
    session.refused(token);
    again.headers.set("Authorization", "Bearer " + (await tokenOf(user)));
    return reach(again);
  };
}

async function tokenOf(user: string): Promise<string> {
  const token = await session.token();
  if (session.state.status === "out" || session.state.user.id !== user) throw new SignedOut();
  return token;
}

