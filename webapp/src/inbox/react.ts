import { useSyncExternalStore } from "react";
import { useLive } from "@/live/react";
import type { Live } from "@/live/types";
import { Inbox, type State } from "./store";

// One for all who ask, for as long as its stream.
const inboxes = new WeakMap<Live, Inbox>();

export function useInbox(): Inbox {
  const live = useLive();
  let inbox = inboxes.get(live);
  if (!inbox) inboxes.set(live, (inbox = new Inbox(live)));
  return inbox;
}

export function useInboxState(): State {
  const inbox = useInbox();
  return useSyncExternalStore(inbox.subscribe, inbox.state);
}
