import { Suspense } from "react";
import { Announce } from "@/inbox/announce";
import { useReplica } from "@/replica/react";
import { useEntries } from "./react";

/** Brings what happens elsewhere to what this page has of it. */
export function Follow() {
  const replica = useReplica();
  useEntries(({ type }) => {
    if (type.startsWith("note.") || type === "resync") replica.pull();
    if (type === "profile.changed" || type === "resync") dispatchEvent(new CustomEvent("trellis:profile"));
  });
  return (
    <Suspense>
      <Announce />
    </Suspense>
  );
}
