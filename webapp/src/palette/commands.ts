import { useEffect, useRef, useSyncExternalStore } from "react";

/**
 * Something that can be done now, from the palette, by keys, or both. Who
 * shows a button for it registers it while that button is there.
 */
export interface Command {
  /** Stable, such as "note.archive". */
  id: string;
  /** In the user's language. */
  label: string;
  /** The group it is shown in: in the palette and on the help sheet. */
  group: "notes" | "note" | "go" | "app";
  /**
   * Keys as KeyboardEvent.key has them: "c", "?", "g n" (one after the other),
   * "mod+k" (Ctrl, on a Mac ⌘). Keys without mod do nothing while one types.
   */
  keys?: string;
  /** Other words it is found by. */
  words?: string;
  run: () => void;
}

let registered: readonly Command[] = [];
const listeners = new Set<() => void>();

function set(next: readonly Command[]) {
  registered = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Registers commands while the component is there; the latest `run` of each id counts. */
export function useCommands(commands: readonly Command[]): void {
  const latest = useRef(commands);
  useEffect(() => {
    latest.current = commands;
  });
  const shape = JSON.stringify(commands);
  useEffect(() => {
    const mine = latest.current.map((c) => ({
      ...c,
      run: () => latest.current.find((l) => l.id === c.id)?.run(),
    }));
    set([...registered, ...mine]);
    return () => set(registered.filter((c) => !mine.includes(c)));
  }, [shape]);
}

/** All commands there are now. */
export function useRegistered(): readonly Command[] {
  return useSyncExternalStore(subscribe, () => registered);
}

export const current = (): readonly Command[] => registered;
