import { createContext, type ReactNode, useContext, useEffect, useSyncExternalStore } from "react";
import type { LocalNote, Replica, Snapshot, Sync } from "./types";

const Context = createContext<Replica | undefined>(undefined);

/** Lends a replica to the components within; who opened it closes it. */
export function ReplicaProvider({ replica, children }: { replica: Replica; children: ReactNode }) {
  useEffect(() => {
    replica.pull();
  }, [replica]);
  return <Context value={replica}>{children}</Context>;
}

export function useReplica(): Replica {
  const replica = useContext(Context);
  if (!replica) throw new Error("useReplica outside of a ReplicaProvider");
  return replica;
}

/** What `select` picks of the snapshot; it must return the same object while nothing it picks has changed. */
export function useSnapshot<T>(select: (snapshot: Snapshot) => T): T {
  const replica = useReplica();
  return useSyncExternalStore(replica.subscribe, () => select(replica.snapshot()));
}

export function useNote(id: string): LocalNote | undefined {
  return useSnapshot((s) => s.notes.get(id));
}

export function useNotes(): ReadonlyMap<string, LocalNote> {
  return useSnapshot((s) => s.notes);
}

export function useSync(): Sync {
  return useSnapshot((s) => s.sync);
}
