import { createContext, type ReactNode, useContext, useEffect, useEffectEvent } from "react";
import type { Entry, Live } from "./types";

const Context = createContext<Live | undefined>(undefined);

/** Lends a stream to the components within; who opened it closes it. */
export function LiveProvider({ live, children }: { live: Live; children: ReactNode }) {
  return <Context value={live}>{children}</Context>;
}

export function useLive(): Live {
  const live = useContext(Context);
  if (!live) throw new Error("useLive outside of a LiveProvider");
  return live;
}

/** Calls the listener with every entry while the component is there. */
export function useEntries(listener: (entry: Entry) => void): void {
  const live = useLive();
  const latest = useEffectEvent(listener);
  useEffect(() => live.subscribe((entry) => latest(entry)), [live]);
}
