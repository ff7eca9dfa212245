import { useCallback, useEffect, useState } from "react";

export interface Module<T> {
  /** What the module has, once it is loaded. */
  loaded?: T;
  failed: boolean;
  retry: () => void;
}

/** A part of the page that is loaded when it is needed, or again after that failed. */
export function useModule<T>(load: () => Promise<{ default: T }>): Module<T> {
  const [state, setState] = useState<{ loaded?: T; failed: boolean }>({ failed: false });
  const start = useCallback(() => {
    load().then(
      (module) => setState({ loaded: module.default, failed: false }),
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
