import type { Schemas } from "@/api/client";
import { applied, isEmpty, over, picked, type Tree, without } from "./merge";

/** How the user wants things: profile/preferences/schema.json says what each may be. */
export interface Wishes {
  theme: "system" | "light" | "dark";
  language: "en" | "pl";
  density: "comfortable" | "compact";
  editor: { font_size: number; spellcheck: boolean; line_numbers: boolean };
  notes: { sort: "-updated_at" | "updated_at" | "-created_at" | "created_at" | "title" | "-title" };
  notifications: Record<Category, Record<Channel, boolean>> & { quiet_hours: QuietHours };
}

export type Category = "security" | "account" | "sharing" | "reminder" | "system";
export type Channel = "in_app" | "email" | "push";

/** From one time of the day to another, "22:00", which may be on the next. */
export interface QuietHours {
  enabled: boolean;
  from: string;
  to: string;
}

export const defaults: Wishes = {
  theme: "system",
  language: "en",
  density: "comfortable",
  editor: { font_size: 16, spellcheck: true, line_numbers: false },
  notes: { sort: "-updated_at" },
  notifications: {
    security: { in_app: true, email: true, push: true },
    account: { in_app: true, email: true, push: false },
    sharing: { in_app: true, email: false, push: true },
    reminder: { in_app: true, email: false, push: true },
    system: { in_app: true, email: false, push: false },
    quiet_hours: { enabled: false, from: "22:00", to: "07:00" },
  },
};

/** Some of the wishes. Null takes back what this device has for itself. */
export type Patch<T = Wishes> = { [K in keyof T]?: T[K] extends object ? Patch<T[K]> : T[K] | null };

/** For whom a wish holds: on all devices, or, over that, on this one. */
export type Scope = "account" | "device";

/** What a device knows of one user. */
export interface Kept {
  /** What the server has for the account. */
  readonly account: Tree;
  /** What it has for this device. */
  readonly device: Tree;
  /** Which versions these are; answers may overtake each other. */
  readonly versions: Readonly<Record<Scope, number>>;
  /** What was wished here and the server has not taken yet. */
  readonly pending: Readonly<Record<Scope, Tree>>;
  /** Who the user is to others. */
  readonly me?: { readonly name: string; readonly picture: string };
}

export const nothing: Kept = {
  account: {},
  device: {},
  versions: { account: 0, device: 0 },
  pending: { account: {}, device: {} },
};

/** Preferences as the server tells them. */
type Told = Schemas["Preferences"];

/** What holds on this device. */
export function effective({ account, device, pending }: Kept): Wishes {
  const all = [account, pending.account, own({ device, pending })];
  return all.reduce((below, tree) => applied(tree, below), defaults as unknown as Tree) as unknown as Wishes;
}

/** What this device has for itself. */
export function own({ device, pending }: Pick<Kept, "device" | "pending">): Tree {
  return applied(pending.device, device);
}

/** With one more wish to be sent. */
export function wished(kept: Kept, scope: Scope, patch: Tree): Kept {
  return { ...kept, pending: { ...kept.pending, [scope]: over(patch, kept.pending[scope]) } };
}

/** With what was sent no longer to be sent, unless it was wished otherwise meanwhile. */
export function sent(kept: Kept, scope: Scope, patch: Tree): Kept {
  return { ...kept, pending: { ...kept.pending, [scope]: without(kept.pending[scope], patch) } };
}

/** With what the server told, unless it is older than what is known. */
export function heard(kept: Kept, scope: Scope, { values, sources, version }: Told): Kept {
  if (version < kept.versions[scope]) return kept;
  const tree = values as Tree;
  return {
    ...kept,
    [scope]: scope === "account" ? tree : picked(tree, (pointer) => sources[pointer] === "device"),
    versions: { ...kept.versions, [scope]: version },
  };
}

/** Whether something is known of what the account wishes. */
export const isKnown = ({ account, pending }: Kept): boolean => !isEmpty(account) || !isEmpty(pending.account);
