import { useEffect, useSyncExternalStore } from "react";
import { api, data } from "@/api/client";
import { session, type User } from "@/api/session";

/** Asks who the user is by now; undefined where nobody is logged in, or it can't be told. */
export async function refreshUser(): Promise<User | undefined> {
  if (session.state.status === "out") return undefined;
  try {
    const user = await data(api.GET("/v1/auth/me"));
    session.update(user);
    return user;
  } catch {
    return undefined;
  }
}

/** Who is logged in with an address that is not verified; looked at again when one comes back from the mail. */
export function useUnverified(): (User & { email: string }) | undefined {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const user = state.status === "in" && !state.user.email_verified ? state.user : undefined;
  const waiting = user?.email != null;
  useEffect(() => {
    if (!waiting) return;
    const look = () => void refreshUser();
    addEventListener("focus", look);
    return () => removeEventListener("focus", look);
  }, [waiting]);
  return user?.email == null ? undefined : { ...user, email: user.email };
}
