import { session } from "@/api/session";
import { whileLeading } from "./leader";
import { Notebook } from "./notebook";
import { pull } from "./pull";
import { push } from "./push";
import { type Fetch, fetchAs, Server } from "./server";
import type { Replica } from "./types";

export { forgetReplica } from "./db";

interface Options {
  fetch?: Fetch;
  locks?: Pick<LockManager, "request">;
}

/** Opens the user's notes on this device, and keeps them and the server's the same until it is closed. */
export function openReplica(user: { id: string }, { fetch = fetchAs(user.id), locks }: Options = {}): Replica {
  const notebook = new Notebook(user.id);
  const server = new Server(fetch);
  listen(notebook);
  void whileLeading(
    "trellis-sync-" + user.id,
    notebook.signal,
    async (signal) => {
      await notebook.lead();
      await Promise.all([push(notebook, server, signal), pull(notebook, server, signal)]);
    },
    locks,
  );
  return notebook;
}

/** Has the notebook notice what happens to its page. */
function listen(notebook: Notebook): void {
  const { signal } = notebook;
  const ask = (): void => notebook.pull();
  addEventListener("online", ask, { signal });
  addEventListener("offline", ask, { signal });
  addEventListener("pagehide", () => notebook.leave(), { signal });
  addEventListener("pageshow", ({ persisted }) => void (persisted && notebook.read()), { signal });
  const onVisibility = (): void => (document.hidden ? notebook.leave() : notebook.pull());
  document.addEventListener("visibilitychange", onVisibility, { signal });
  signal.addEventListener("abort", session.subscribe(ask));
}
