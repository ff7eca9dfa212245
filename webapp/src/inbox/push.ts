import { useEffect, useState } from "react";
import { api, data } from "@/api/client";

/**
 * Whether this browser shows what is pushed: it can't, or not here; the user
 * forbade it, which only the browser's settings take back; it does, or does not.
 */
export type PushState = "unsupported" | "denied" | "on" | "off";

interface Kept {
  /** The id that this browser chose for its subscription. */
  id: string;
  endpoint: string;
}

const keyOf = (user: string) => "trellis-push-" + user;

/** The user's pushes to this browser. What turns them on and off rejects when that failed. */
export function usePush(user: string) {
  const [state, setState] = useState<PushState>();
  useEffect(() => {
    void stateOf(user).then(setState);
  }, [user]);
  const then = (change: Promise<void>) => change.finally(async () => setState(await stateOf(user)));
  return {
    /** Undefined until it is known. */
    state,
    turnOn: () => then(turnOn(user)),
    turnOff: () => then(turnOff(user)),
  };
}

async function stateOf(user: string): Promise<PushState> {
  if (!(await manager())) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  return Notification.permission === "granted" && recall(user) ? "on" : "off";
}

async function turnOn(user: string): Promise<void> {
  const pushes = await manager();
  if (!pushes || (await Notification.requestPermission()) !== "granted") return;
  const { public_key: applicationServerKey } = await data(api.GET("/v1/push/config"));
  await (await pushes.getSubscription())?.unsubscribe(); // it may be for another key
  await send(user, await pushes.subscribe({ userVisibleOnly: true, applicationServerKey }));
}

async function turnOff(user: string): Promise<void> {
  const kept = recall(user);
  if (kept) await data(api.DELETE("/v1/push/subscriptions/{id}", { params: { path: { id: kept.id } } }));
  await forgetPush(user);
}

/** Renews what the browser's push service has replaced, or the user taken back. */
export async function keepPush(user: string): Promise<void> {
  const kept = recall(user);
  if (!kept) return;
  const subscription = await (await manager())?.getSubscription();
  if (!subscription) localStorage.removeItem(keyOf(user));
  else if (subscription.endpoint !== kept.endpoint) await send(user, subscription);
}

/** Shows no more pushes here. The server is told so by the browser's push service. */
export async function forgetPush(user: string): Promise<void> {
  if (!recall(user)) return;
  localStorage.removeItem(keyOf(user));
  await (await (await manager())?.getSubscription())?.unsubscribe();
}

async function send(user: string, subscription: PushSubscription): Promise<void> {
  const { endpoint, keys } = subscription.toJSON();
  if (!endpoint || !keys?.p256dh || !keys.auth) throw new Error("a subscription without keys");
  const id = recall(user)?.id ?? crypto.randomUUID();
  const body = { endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth } };
  await data(api.PUT("/v1/push/subscriptions/{id}", { params: { path: { id } }, body }));
  localStorage.setItem(keyOf(user), JSON.stringify({ id, endpoint } satisfies Kept));
}

async function manager(): Promise<PushManager | undefined> {
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return undefined;
  return (await navigator.serviceWorker.getRegistration())?.pushManager;
}

function recall(user: string): Kept | undefined {
  const kept = localStorage.getItem(keyOf(user));
  return kept === null ? undefined : (JSON.parse(kept) as Kept);
}
