import { Problem, problemOf, SignedOut, Unreachable } from "./problem";
import type { components } from "./schema";

export type User = components["schemas"]["User"];
type Tokens = components["schemas"]["Tokens"];

/**
 * Who is logged in, in every tab of the browser.
 *
 * The access token lives in memory alone and the refresh token in a cookie
 * that no script can read. localStorage holds who the user is, without a
 * secret, so that the page opens offline and at once.
 */
export type State =
  | { status: "in"; user: User }
  /** `ended` names who was logged in until the session was ended elsewhere. */
  | { status: "out"; ended?: User };

interface Token {
  value: string;
  /** When it is to be renewed, in milliseconds of Date.now(). */
  renewAt: number;
  user: User;
}

type News = { type: "token"; token: Token } | { type: "user"; user: User } | { type: "out"; ended?: User };

const storageKey = "trellis.user";
const lock = "trellis.refresh";
/** How long another tab's news may be on its way, in milliseconds. */
const patience = 500;

class Session {
  #state: State = { status: "out" };
  #token: Token | undefined;
  #refreshing: Promise<string> | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #channel = new BroadcastChannel("trellis.session");

  constructor() {
    const user = stored();
    if (user) this.#state = { status: "in", user };
    this.#channel.onmessage = ({ data }: MessageEvent<News>) => {
      if (data.type === "token") this.#enter(data.token);
      else if (data.type === "out") this.#leave(data.ended);
      else if (this.#state.status === "in") this.#set({ status: "in", user: data.user });
    };
  }

  get state(): State {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * An access token that is good for a while. Rejects with SignedOut where
   * there is no session, and with Unreachable or Problem where that can't be
   * told now.
   */
  async token(): Promise<string> {
    if (this.#state.status === "out") throw new SignedOut();
    if (this.#known) return this.#known;
    return (this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    }));
  }

  /** Tells that the server refused a token, so that the next one is another. */
  refused(token: string): void {
    if (this.#token?.value === token) this.#token = undefined;
  }

  async login(login: string, password: string): Promise<void> {
    this.#open(await this.#post("/v1/auth/login", { login, password, session: "cookie" }));
  }

  /** Opens an account; the same key and fields again are answered with the same account. */
  async signup(fields: { email: string; password: string; name?: string; username?: string }, key: string): Promise<void> {
    this.#open(await this.#post("/v1/auth/signup", { ...fields, session: "cookie" }, { "Idempotency-Key": key }));
  }

  /** Ends this session, or all of the user's, and tells the other tabs. */
  async logout(scope: "current" | "all"): Promise<void> {
    const token = await this.token();
    const response = await reach("/v1/auth/logout?scope=" + scope, {
      method: "POST",
      headers: { Authorization: "Bearer " + token },
    });
    if (!response.ok && response.status !== 401) throw await problemOf(response);
    this.out();
  }

  /** Forgets the session, here and in the other tabs. */
  out(ended?: User): void {
    this.#leave(ended);
    this.#channel.postMessage({ type: "out", ...(ended && { ended }) } satisfies News);
  }

  /** Takes over what changed of the user, such as a verified address. */
  update(user: User): void {
    if (this.#state.status === "out") return;
    localStorage.setItem(storageKey, JSON.stringify(user));
    this.#set({ status: "in", user });
    this.#channel.postMessage({ type: "user", user } satisfies News);
  }

  /** The token, while it is good. */
  get #known(): string | undefined {
    return this.#token && Date.now() < this.#token.renewAt ? this.#token.value : undefined;
  }

  // One tab at a time refreshes; who waited for another has the token of that one.
  async #refresh(): Promise<string> {
    const alone = await navigator.locks.request(lock, { ifAvailable: true }, async (held) => held && (this.#known ?? this.#renew()));
    return (
      alone ??
      navigator.locks.request(lock, async () => {
        // The end of the other's turn may be known before what it told.
        if (!this.#known) await this.#news();
        return this.#known ?? this.#renew();
      })
    );
  }

  async #renew(): Promise<string> {
    if (this.#state.status === "out") throw new SignedOut();
    const { user } = this.#state;
    try {
      return this.#open(await this.#post("/v1/auth/refresh", { session: "cookie" }));
    } catch (err) {
      if (!(err instanceof Problem) || err.status !== 401) throw err;
      this.out(user);
      throw new SignedOut();
    }
  }

  /** Resolves when another tab has told something, or is not going to. */
  async #news(): Promise<void> {
    await new Promise<void>((resolve) => {
      const stop = this.subscribe(resolve);
      setTimeout(() => {
        stop();
        resolve();
      }, patience);
    });
  }

  async #post(path: string, body: unknown, headers?: Record<string, string>): Promise<Tokens> {
    const response = await reach(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as Tokens;
  }

  #open(tokens: Tokens): string {
    // A minute of margin, less for tokens that live for less than two.
    const life = tokens.expires_in * 1000;
    const token = {
      value: tokens.access_token,
      renewAt: Date.now() + life - Math.min(60_000, life / 2),
      user: tokens.user,
    };
    this.#enter(token);
    this.#channel.postMessage({ type: "token", token } satisfies News);
    return token.value;
  }

  #enter(token: Token): void {
    this.#token = token;
    localStorage.setItem(storageKey, JSON.stringify(token.user));
    this.#set({ status: "in", user: token.user });
  }

  #leave(ended?: User): void {
    this.#token = undefined;
    localStorage.removeItem(storageKey);
    this.#set(ended ? { status: "out", ended } : { status: "out" });
  }

  #set(state: State): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** Who was logged in when the page was last open. */
function stored(): User | undefined {
  try {
    const user = JSON.parse(localStorage.getItem(storageKey) ?? "null") as User | null;
    return typeof user?.id === "string" ? user : undefined;
  } catch {
    return undefined;
  }
}

/** fetch, whose failures are Unreachable. */
export async function reach(input: string | Request, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (err) {
    if (err instanceof DOMException && err.name === "AbortError") throw err;
    throw new Unreachable(String(err));
  }
}

export const session = new Session();

/**
 * fetch with the session's token; one that the server no longer takes is
 * renewed once.
 */
export async function authorized(request: Request): Promise<Response> {
  const again = request.clone();
  const token = await session.token();
  request.headers.set("Authorization", "Bearer " + token);
  const response = await reach(request);
  if (response.status !== 401) return response;
  session.refused(token);
  again.headers.set("Authorization", "Bearer " + (await session.token()));
  return reach(again);
}
