import { useMemo, useSyncExternalStore } from "react";
import { type User, session } from "@/api/session";
import { Follow } from "@/live/follow";
import { openLive } from "@/live/live";
import { LiveProvider } from "@/live/react";
import type { Live } from "@/live/types";
import { openReplica } from "@/replica/open";
import { ReplicaProvider } from "@/replica/react";
import type { Replica } from "@/replica/types";
import { Boundary } from "@/ui/boundary";
import { Later } from "./later";
import { Shell } from "./shell";
import { useUpdates } from "./update";

export { prepare } from "./parts";

/** All that who is logged in sees. */
export default function Workspace() {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  return <Boundary>{state.status === "in" && <Opened user={state.user} />}</Boundary>;
}

function Opened({ user }: { user: User }) {
  useUpdates();
  const opening = useMemo(() => openingOf(user.id), [user.id]);
  const opened = useSyncExternalStore(opening.subscribe, opening.opened);
  if (!opened) return null;
  return (
    <ReplicaProvider replica={opened.replica}>
      <LiveProvider live={opened.live}>
        <Later>
          <Follow />
        </Later>
        <Shell user={user} />
      </LiveProvider>
    </ReplicaProvider>
  );
}

/** The user's replica and stream, which are open while somebody looks at them. */
function openingOf(id: string) {
  let opened: { replica: Replica; live: Live } | undefined;
  return {
    opened: () => opened,
    subscribe: () => {
      const replica = openReplica({ id });
      const live = openLive({ id });
      opened = { replica, live };
      return () => {
        live.close();
        replica.close();
        opened = undefined;
      };
    },
  };
}
