/**
 * Runs something that can wait, when the page is there and nobody has been kept
 * waiting for it; what it returns calls that off.
 */
export function whenIdle(run: () => void): () => void {
  let handle: number | undefined;
  const timer = setTimeout(() => {
    if ("requestIdleCallback" in window) handle = requestIdleCallback(run);
    else run();
  }, 1_000);
  return () => {
    clearTimeout(timer);
    if (handle !== undefined) cancelIdleCallback(handle);
  };
}
