import { useSyncExternalStore } from "react";

let taken: { path: string; token: string } | undefined;

/** Takes the token out of the address before anything else can see it there. */
function take() {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return;
  taken = { path: location.pathname, token };
  history.replaceState(history.state, "", location.pathname + location.search);
}

take();

function subscribe(listener: () => void) {
  const onHash = () => {
    take();
    listener();
  };
  addEventListener("hashchange", onHash);
  return () => removeEventListener("hashchange", onHash);
}

/** The token of the mail's link that led to this page, if one did. */
export function useLinkToken(): string | undefined {
  return useSyncExternalStore(subscribe, () => (taken?.path === location.pathname ? taken.token : undefined));
}
