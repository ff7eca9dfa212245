import { useCallback, useEffect, useState } from "react";

interface State<T> {
  value?: T;
  error?: unknown;
}

export interface Answer<T> extends State<T> {
  again: () => void;
}

/**
 * What the server says to a question, which is asked when the component
 * appears, when `ask` is another function, when `when` changes, and again when
 * that is called for; meanwhile what was said to the same question stands.
 */
export function useAnswer<T>(ask: (signal: AbortSignal) => Promise<T>, when?: unknown): Answer<T> {
  const [state, setState] = useState<State<T> & { of?: typeof ask }>({});
  const [round, setRound] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    ask(ended.signal).then(
      (value) => !ended.signal.aborted && setState({ value, of: ask }),
      (error: unknown) => !ended.signal.aborted && setState({ error, of: ask }),
    );
    return () => ended.abort();
  }, [ask, when, round]);
  const again = useCallback(() => setRound((r) => r + 1), []);
  return { ...(state.of === ask && state), again };
}
