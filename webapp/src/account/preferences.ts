import { useSyncExternalStore } from "react";
import { api, data } from "@/api/client";
import { Problem, SignedOut } from "@/api/problem";
import { session } from "@/api/session";
import i18n, { speak } from "@/i18n";
import { isEmpty, type Tree } from "./merge";
import { applyTheme, lastTheme, onSystemTheme } from "./theme";
import * as w from "./wishes";

export { defaults, type Patch, type Scope, type Wishes } from "./wishes";

/** `kept`: it is on this device, and sent when the server can be reached. */
export type Outcome = "saved" | "kept";

// Several clicks in a row are one request, and fewer of those than the server takes in a second.
const pause = 250;
// What could not be sent is tried again after this, if nothing wakes it before.
const retry = 30_000;

interface Now {
  user: string | undefined;
  /** What `kept` was read from. */
  text: string | null;
  kept: w.Kept;
  wishes: w.Wishes;
  own: w.Patch;
}

const deviceKey = "trellis.device";
const keyOf = (user: string) => "trellis.wishes." + user;
const listeners = new Set<() => void>();
let now: Now = { user: undefined, text: null, kept: w.nothing, wishes: w.effective(w.nothing), own: {} };

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What the user prefers, as far as this device knows; the account's values once they are read. */
export const useWishes = (): w.Wishes => useSyncExternalStore(subscribe, () => now.wishes);

/** What of that is for this device only. */
export const useOwnWishes = (): w.Patch => useSyncExternalStore(subscribe, () => now.own);

/** Whether something wished here is still to be sent. */
export const useUnsent = (): boolean => useSyncExternalStore(subscribe, () => next() !== undefined);

/** Who the user is to others, as far as this device knows. */
export function useMe(): { id: string; name: string; picture?: string } {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const me = useSyncExternalStore(subscribe, () => now.kept.me);
  if (state.status === "out") return { id: "", name: "" };
  const { id, name, username, email } = state.user;
  const otherwise = name || username || email || "";
  return me ? { id, name: me.name || otherwise, picture: me.picture } : { id, name: otherwise };
}

/**
 * Changes what is given, at once on this device and soon on the server. It is
 * undone where the server does not take it, and rejects with what that said.
 */
export function setWish(patch: w.Patch, scope: w.Scope = "account"): Promise<Outcome> {
  const { user } = now;
  if (!user) return Promise.reject(new SignedOut());
  change(user, (kept) => w.wished(kept, scope, patch as Tree));
  return flush(user);
}

let refreshing: Promise<void> = Promise.resolve();

/** Asks the server what holds now, when it has what waits here; once at a time. */
export function refreshWishes(): Promise<void> {
  return (refreshing = refreshing.then(async () => {
    const { user } = now;
    if (!user || !i18n.isInitialized) return;
    // Where that fails, what is known here holds; the next event asks again.
    await flush(user).catch(() => undefined);
    await pull(user).catch(() => undefined);
  }));
}

/** Begins to follow what is wished for, the theme at once; it is called before anything is shown. */
export function startTheme(): void {
  const refresh = () => void refreshWishes();
  look();
  follow();
  onSystemTheme(follow);
  session.subscribe(() => {
    if (look()) refresh();
  });
  addEventListener("storage", look);
  addEventListener("online", refresh);
  addEventListener("trellis:profile", refresh);
  i18n.on("initialized", () => {
    follow();
    refresh();
  });
}

/** Reads what is kept of who is logged in. It returns whether that is another user. */
function look(): boolean {
  const { state } = session;
  const user = state.status === "in" ? state.user.id : undefined;
  const text = user === undefined ? null : localStorage.getItem(keyOf(user));
  const other = user !== now.user;
  if (!other && text === now.text) return false;
  const kept = text === null ? w.nothing : (JSON.parse(text) as w.Kept);
  now = { user, text, kept, wishes: w.effective(kept), own: w.own(kept) };
  follow();
  for (const listener of listeners) listener();
  return other;
}

function change(user: string, edit: (kept: w.Kept) => w.Kept): void {
  const text = localStorage.getItem(keyOf(user));
  localStorage.setItem(keyOf(user), JSON.stringify(edit(text === null ? w.nothing : (JSON.parse(text) as w.Kept))));
  look();
}

/** Has the page look and speak as is wished; as it did last, while nobody's wishes are known. */
function follow(): void {
  const known = w.isKnown(now.kept);
  applyTheme(known ? now.wishes.theme : lastTheme());
  if (known && i18n.isInitialized) void speak(now.wishes.language);
}

let flushing: Promise<Outcome> | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Sends what waits, one request after the other. */
function flush(user: string): Promise<Outcome> {
  return (flushing ??= send(user).finally(() => {
    flushing = undefined;
  }));
}

async function send(user: string): Promise<Outcome> {
  clearTimeout(timer);
  for (;;) {
    if (now.user !== user) return "kept";
    if (!next()) return "saved";
    await new Promise((resolve) => setTimeout(resolve, pause));
    const scope = next();
    if (now.user !== user || !scope) continue;
    const patch = now.kept.pending[scope];
    try {
      const told = await data(
        api.PATCH("/v1/profile/preferences", {
          // Each wish stands by itself and the last one counts, whatever else was changed: any version will do.
          params: { query: { scope, device: device() }, header: { "If-Match": "*" } },
          body: patch,
        }),
      );
      change(user, (kept) => w.heard(w.sent(kept, scope, patch), scope, told));
    } catch (err) {
      if (err instanceof Problem && !err.passing) {
        change(user, (kept) => w.sent(kept, scope, patch));
        throw err;
      }
      const seconds = err instanceof Problem ? err.retryAfter : undefined;
      timer = setTimeout(() => void refreshWishes(), seconds ? seconds * 1000 : retry);
      return "kept";
    }
  }
}

const next = () => (["account", "device"] as const).find((scope) => !isEmpty(now.kept.pending[scope]));

async function pull(user: string): Promise<void> {
  const read = (scope: w.Scope) =>
    data(api.GET("/v1/profile/preferences", { params: { query: { scope, device: device() } } }));
  const [here, profile] = await Promise.all([read("device"), data(api.GET("/v1/profile"))]);
  const own = Object.values(here.sources).includes("device");
  const account = own ? await read("account") : here;
  // What the account does not know yet, it learns from this device.
  const unspoken = account.sources["/language"] === "default";
  change(user, (kept) => {
    const said = unspoken ? w.wished(kept, "account", { language: i18n.language }) : kept;
    const me = { name: profile.display_name, picture: profile.avatar_url };
    return { ...w.heard(w.heard(said, "device", here), "account", account), me };
  });
  if (unspoken) await flush(user);
  if (!profile.timezone) await settle(profile.version);
}

/** Gives the profile this device's time zone, which quiet hours and reminders go by. */
async function settle(version: number): Promise<void> {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  await data(
    api.PATCH("/v1/profile", {
      params: { header: { "If-Match": `"${version}"` } },
      body: { timezone: timeZone },
    }),
  );
}

/** The name under which the server keeps what is for this device only. */
function device(): string {
  const known = localStorage.getItem(deviceKey);
  if (known) return known;
  const made = crypto.randomUUID();
  localStorage.setItem(deviceKey, made);
  return made;
}
