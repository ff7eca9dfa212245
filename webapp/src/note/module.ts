import { useCallback, useEffect, useState } from "react";

export interface Module<T> {
  /** What the module has, once it is loaded. */
  loaded?: T;
  failed: boolean;
  retry: () => void;
}

/** What was loaded, which is there at once. */
const known = new WeakMap<() => unknown, unknown>();

/** A part of the page that is loaded when it is needed, or again after that failed. */
export function useModule<T>(load: () => Promise<{ default: T }>): Module<T> {
  const [state, setState] = useState<Omit<Module<T>, "retry">>(() => ({ loaded: known.get(load) as T, failed: false }));
  const start = useCallback(() => {
    load().then(
      (module) => {
        known.set(load, module.default);
        setState({ loaded: module.default, failed: false });
      },
      () => setState({ failed: true }),
    );
  }, [load]);
  useEffect(start, [start]);
  const retry = () => {
    setState({ failed: false });
    start();
  };
  return { ...state, retry };
}
