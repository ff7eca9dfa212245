import { Problem } from "@/api/problem";

const first = 1_000;
const longest = 60_000;

/** How long to leave a server alone that failed: longer each time, and by chance, so that not all come back at once. */
export class Backoff {
  #failures = 0;

  succeeded(): void {
    this.#failures = 0;
  }

  /** How many milliseconds to wait. */
  failed(err: unknown): number {
    const most = Math.min(longest, first * 2 ** this.#failures++);
    const wished = err instanceof Problem && err.retryAfter ? err.retryAfter * 1000 : 0;
    return wished + Math.random() * most;
  }
}
