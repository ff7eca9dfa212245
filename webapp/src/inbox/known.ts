import type { Schemas } from "@/api/client";
import type { Entry } from "@/live/types";

export type Notice = Schemas["Notification"];

export const categories = ["security", "account", "sharing", "reminder", "system"] as const;
export type Category = (typeof categories)[number];

export const statuses = ["unread", "all", "archived", "snoozed"] as const;
export type Status = (typeof statuses)[number];

/** A part of the inbox, the newest first. */
export interface View {
  status: Status;
  category?: Category | undefined;
}

/** A page of a view, as the server answers. */
export interface Page {
  data: readonly Notice[];
  unread: number;
  stream: { epoch: string; seq: number };
}

/**
 * What is known of the inbox. Each part of it is as it was behind some entry
 * of the stream, and only what is newer changes it: so pages may overtake
 * entries, and entries pages.
 */
export interface Known {
  readonly epoch: string;
  readonly notices: ReadonlyMap<string, Fact<Notice | undefined>>;
  /** That many were read at once, which those that come on later pages may have been, too. */
  readonly readings: readonly Fact<Reading>[];
  readonly unread: Fact<number>;
}

/** What was so behind the entry `at`, or once, if that is -1; a notice that is undefined is deleted. */
export interface Fact<T> {
  readonly is: T;
  readonly at: number;
}

/** What was unread up to a seq, of a category or of any (""), has been read. */
export interface Reading {
  up_to_seq: number;
  category: string;
  read_at: string;
}

export const nothing = (epoch: string): Known => ({
  epoch,
  notices: new Map(),
  readings: [],
  unread: { is: 0, at: -1 },
});

/** The same when entries were missed: it may be so no longer. */
export function outdated(known: Known): Known {
  const notices = [...known.notices].map(([id, { is }]) => [id, { is, at: -1 }] as const);
  return { ...known, notices: new Map(notices), readings: [], unread: { ...known.unread, at: -1 } };
}

export const isUnread = (n: Notice): boolean => !n.read_at && !n.archived_at && !n.snoozed_until;

export function isIn(view: View, n: Notice): boolean {
  if (view.category && n.category !== view.category) return false;
  if (view.status === "snoozed") return !!n.snoozed_until;
  if (view.status === "archived") return !!n.archived_at && !n.snoozed_until;
  return view.status === "unread" ? isUnread(n) : !n.archived_at && !n.snoozed_until;
}

export function afterReading(n: Notice, { up_to_seq, category, read_at }: Reading): Notice {
  return isUnread(n) && n.seq <= up_to_seq && (category === "" || n.category === category) ? { ...n, read_at } : n;
}

/** What is known once a page of a view is. What might have been in that view was on it, or is so no longer. */
export function withPage(known: Known, view: View, page: Page): Known {
  const at = page.stream.seq;
  const was = known.epoch === page.stream.epoch ? known : nothing(page.stream.epoch);
  const notices = new Map(was.notices);
  for (const [id, { is, at: since }] of was.notices) {
    if (is && since < 0 && isIn(view, is)) notices.delete(id);
  }
  for (const notice of page.data) {
    if ((was.notices.get(notice.id)?.at ?? -1) > at) continue;
    const later = was.readings.filter((r) => r.at > at);
    notices.set(notice.id, { is: later.reduce((n, r) => afterReading(n, r.is), notice), at });
  }
  return { ...was, notices, unread: newer(was.unread, { is: page.unread, at }) };
}

/** What is known once an entry is. */
export function withEntry(known: Known, { type, data, seq: at, unread }: Entry): Known {
  const next = unread === undefined ? known : { ...known, unread: newer(known.unread, { is: unread, at }) };
  if (type === "notification") {
    const is = parseNotice(data);
    return is ? withNotice(next, is.id, { is, at }) : next;
  }
  if (type === "notification.deleted") {
    return isObject(data) && typeof data.id === "string" ? withNotice(next, data.id, { is: undefined, at }) : next;
  }
  const reading = type === "notifications.read" && parseReading(data);
  return reading ? withReading(next, { is: reading, at }) : next;
}

function withNotice(known: Known, id: string, fact: Fact<Notice | undefined>): Known {
  return { ...known, notices: new Map(known.notices).set(id, newer(known.notices.get(id), fact)) };
}

function withReading(known: Known, reading: Fact<Reading>): Known {
  const notices = new Map(known.notices);
  for (const [id, was] of known.notices) {
    const is = was.is && was.at < reading.at ? afterReading(was.is, reading.is) : was.is;
    notices.set(id, { is, at: was.at });
  }
  return { ...known, notices, readings: [...known.readings, reading] };
}

const newer = <T>(was: Fact<T> | undefined, is: Fact<T>): Fact<T> => (was && was.at >= is.at ? was : is);

/**
 * What is known once the server has answered a change with what it made of the
 * notification, until the entry of that comes. If it has come, or something
 * else of that notification has since it was asked, that stands.
 */
export function withAnswer(known: Known, asked: Known, id: string, is: Notice | undefined): Known {
  const was = known.notices.get(id);
  if (!was || was.at !== asked.notices.get(id)?.at) return known;
  const more = Number(!!is && isUnread(is)) - Number(!!was.is && isUnread(was.is));
  const unread = { is: Math.max(0, known.unread.is + more), at: asked.unread.at };
  return { ...known, unread, notices: new Map(known.notices).set(id, { is, at: was.at }) };
}

/** The same for many that were read at once, and how many are unread since; if nothing else has come. */
export function withReadingAnswer(known: Known, asked: Known, reading: Reading, unread: number): Known {
  if (known.unread.at !== asked.unread.at) return known;
  const notices = new Map(known.notices);
  for (const [id, { is, at }] of known.notices) notices.set(id, { is: is && afterReading(is, reading), at });
  return { ...known, notices, unread: { ...known.unread, is: unread } };
}

/** Reads a notification that somebody else wrote, or returns undefined of what is none. */
export function parseNotice(data: unknown): Notice | undefined {
  if (!isObject(data)) return undefined;
  const texts = ["id", "category", "title", "body", "link", "created_at"].every((k) => typeof data[k] === "string");
  const times = ["read_at", "archived_at", "snoozed_until"].every(
    (k) => data[k] === null || typeof data[k] === "string",
  );
  return texts && times && Number.isSafeInteger(data.seq) ? (data as unknown as Notice) : undefined;
}

function parseReading(data: unknown): Reading | undefined {
  if (!isObject(data)) return undefined;
  const { up_to_seq, category, read_at } = data;
  const ok = typeof up_to_seq === "number" && typeof category === "string" && typeof read_at === "string";
  return ok ? { up_to_seq, category, read_at } : undefined;
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null;
