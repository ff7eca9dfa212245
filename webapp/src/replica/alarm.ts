/** What one loop waits with for its time, or for a ring. */
export class Alarm {
  #rung = false;
  #wake: (() => void) | undefined;

  /** Ends the wait, or the next one if there is none now. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves after so many milliseconds, when rung, or when the signal ends it all; with whether it rang. */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          this.#wake = undefined;
          resolve();
        };
        const timer = ms === Infinity ? undefined : setTimeout(end, ms);
        this.#wake = end;
        signal.addEventListener("abort", end);
      });
    }
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }
}
