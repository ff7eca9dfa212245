/** One field that was refused, as RFC 9457 problems of this API name it. */
export interface ProblemField {
  pointer?: string;
  parameter?: string;
  code: string;
  detail: string;
}

/** What the server answered instead of what was asked for. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly fields: readonly ProblemField[] = [],
    /** Seconds the server wants to be left alone, if it said so. */
    readonly retryAfter?: number,
    /** The present representation, where a version was stale (412). */
    readonly current?: unknown,
  ) {
    super(`${status} ${code}: ${detail}`);
  }

  /** Whether the same request may succeed later, unchanged. */
  get passing(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408 || this.code === "idempotency_key_running";
  }
}

/** The network did not carry the request, or its answer. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** There is no session any more; only a login helps. */
export class SignedOut extends Error {
  override readonly name = "SignedOut";
}

/** The problem that a response tells, whose body says so in JSON, if it does. */
export function problem(response: Response, body: unknown): Problem {
  const told = (typeof body === "object" && body !== null ? body : {}) as {
    code?: string;
    detail?: string;
    title?: string;
    errors?: ProblemField[];
    current?: unknown;
  };
  const after = Number(response.headers.get("Retry-After"));
  return new Problem(
    response.status,
    told.code ?? "unknown",
    told.detail ?? told.title ?? response.statusText,
    told.errors ?? [],
    after > 0 ? after : undefined,
    told.current,
  );
}

/** Reads a response that is no success. */
export async function problemOf(response: Response): Promise<Problem> {
  return problem(response, await response.json().catch(() => undefined));
}
