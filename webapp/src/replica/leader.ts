/**
 * Runs `run` in one tab of the browser at a time: here, once no tab that came
 * before holds the lock. Resolves when it is done, or the signal ended the wait;
 * `run` has to end when the signal says so.
 */
export async function whileLeading(
  lock: string,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<void>,
  locks: Pick<LockManager, "request"> = navigator.locks,
): Promise<void> {
  try {
    await locks.request(lock, { signal }, () => run(signal));
  } catch (err) {
    if (!signal.aborted) throw err;
  }
}
