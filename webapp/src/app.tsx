import { type ComponentType, Suspense, useEffect, useSyncExternalStore } from "react";
import { Redirect, Route, Switch, useLocation, useSearch, useSearchParams } from "wouter";
import { session } from "./api/session";
import { linked, outside, Workspace } from "./pages";
import { Boundary } from "./ui/boundary";
import { whenIdle } from "./ui/idle";
import { Spinner } from "./ui/spinner";
import { Toasts } from "./ui/toast";

/** The whole page: what needs no login, and the workspace of who is logged in. */
export function App() {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const [path] = useLocation();
  return (
    <>
      <Boundary of={path}>
        <Suspense fallback={<Waiting />}>
          <Switch>
            {routes(linked)}
            <Route>{state.status === "in" ? <In id={state.user.id} /> : <Out />}</Route>
          </Switch>
        </Suspense>
      </Boundary>
      <Toasts />
    </>
  );
}

/** The paths of who is logged in; the workspace has the rest of them. */
function In({ id }: { id: string }) {
  const [query] = useSearchParams();
  return (
    <Switch>
      {["/", "/login", "/signup", "/forgot"].map((path) => (
        <Route key={path} path={path}>
          <Redirect to={next(query.get("next"))} replace />
        </Route>
      ))}
      <Route>
        <Workspace key={id} />
      </Route>
    </Switch>
  );
}

function Out() {
  const [path] = useLocation();
  const query = useSearch();
  const here = path + (query && "?" + query);
  // Who logs in goes there next.
  useEffect(() => whenIdle(() => void Workspace.preload().catch(() => undefined)), []);
  return (
    <Switch>
      {routes(outside)}
      <Route>
        <Redirect to={here === "/" ? "/login" : "/login?next=" + encodeURIComponent(here)} replace />
      </Route>
    </Switch>
  );
}

function routes(pages: Record<string, ComponentType>) {
  return Object.entries(pages).map(([path, Page]) => (
    <Route key={path} path={path}>
      <Page />
    </Route>
  ));
}

/** Where a login leads: a path of this page and nothing else, whatever the link said. */
function next(wished: string | null): string {
  return wished?.startsWith("/") && !wished.startsWith("//") && !wished.includes("\\") ? wished : "/notes";
}

function Waiting() {
  return (
    <div role="status" aria-busy className="grid h-full place-items-center text-soft">
      <Spinner className="size-6" />
    </div>
  );
}
