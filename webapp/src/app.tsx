import { lazy, Suspense, useSyncExternalStore } from "react";
import { Redirect, Route, Switch, useLocation, useSearchParams } from "wouter";
import { session } from "./api/session";
import { Spinner } from "./ui/spinner";
import { Toasts } from "./ui/toast";

const Login = lazy(() => import("./auth/login"));
const Signup = lazy(() => import("./auth/signup"));
const Forgot = lazy(() => import("./auth/forgot"));
const Reset = lazy(() => import("./auth/reset"));
const Verify = lazy(() => import("./auth/verify"));
const Receipt = lazy(() => import("./auth/receipt"));
const Workspace = lazy(() => import("./workspace/workspace"));

/** The whole page: what needs no login, and the workspace of who is logged in. */
export function App() {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  return (
    <>
      <Suspense fallback={<Waiting />}>
        <Switch>
          <Route path="/verify">
            <Verify />
          </Route>
          <Route path="/reset">
            <Reset />
          </Route>
          <Route path="/receipt">
            <Receipt />
          </Route>
          <Route>{state.status === "in" ? <In id={state.user.id} /> : <Out />}</Route>
        </Switch>
      </Suspense>
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
  return (
    <Switch>
      <Route path="/login">
        <Login />
      </Route>
      <Route path="/signup">
        <Signup />
      </Route>
      <Route path="/forgot">
        <Forgot />
      </Route>
      <Route>
        <Redirect to={path === "/" ? "/login" : "/login?next=" + encodeURIComponent(path)} replace />
      </Route>
    </Switch>
  );
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
