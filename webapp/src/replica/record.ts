import { uuidv7 } from "uuidv7";
import { merge3, same, sameText } from "./merge";
import type { Conflict, Content, Happening, LocalNote, Refusal, Role, Saving, ServerNote } from "./types";

/** What is kept of a note. */
export interface NoteRecord {
  readonly id: string;
  /** Counts what was written of it to this device's disk, so that a tab knows when another did. */
  readonly rev: number;
  /** In which reading of the feed the server last told of it. */
  readonly round: number;
  /** As the server had it when it last told; null while it may not have it at all. */
  readonly base: ServerNote | null;
  /** What was made of it since. */
  readonly draft: Content | null;
  readonly changedAt: number;
  /**
   * What the server was sent and has not answered: it may have taken it. It is
   * sent again, exactly, until there is an answer.
   */
  readonly sent: Sent | null;
  /** To be deleted for good, once the server agrees. */
  readonly erased: boolean;
  /** What the server has in place of base, where the draft overlaps with it. */
  readonly conflict: { readonly base: Content; readonly theirs: ServerNote } | null;
  readonly refusal: Refusal | null;
}

export interface Sent {
  readonly content: Content;
  /** The Idempotency-Key of the note's creation. */
  readonly key: string;
}

/** What becomes of a note: itself unless it goes, perhaps a copy, and what is to be told of it. */
export interface Outcome {
  readonly records: readonly NoteRecord[];
  readonly happening?: Happening;
}

export function unchanged(record: NoteRecord | undefined): Outcome {
  return { records: record ? [record] : [] };
}

const empty: Content = { title: "", body: "", tags: [], pinned: false, status: "active", reminder_at: null };

export function contentOf({ title, body, tags, pinned, status, reminder_at }: Content | ServerNote): Content {
  return { title, body, tags, pinned, status: status as Content["status"], reminder_at };
}

/** The content that the user sees. */
export function present(record: NoteRecord): Content {
  return record.draft ?? (record.base ? contentOf(record.base) : empty);
}

/** Whether the server may not have the note as it is here. */
export function dirty(record: NoteRecord): boolean {
  return record.draft !== null || record.sent !== null || record.base === null || record.erased;
}

/** Whether nobody knows of the note, nor is to: it was deleted before it was sent. */
export function vain(record: NoteRecord): boolean {
  return record.erased && record.base === null && record.sent === null;
}

export function roleOf(record: NoteRecord): Role {
  return (record.base?.role ?? "owner") as Role;
}

export function fresh(id: string, content: Partial<Content>): NoteRecord {
  return {
    id,
    rev: 0,
    round: 0,
    base: null,
    draft: wellFormed({ ...empty, ...content }),
    changedAt: Date.now(),
    sent: null,
    erased: false,
    conflict: null,
    refusal: null,
  };
}

export function known(base: ServerNote, round: number): NoteRecord {
  return { ...fresh(base.id, {}), base, draft: null, round, changedAt: Date.parse(base.updated_at) };
}

// The server takes no half of a surrogate pair and no U+0000: it would have another text than this device.
function wellFormed(content: Content): Content {
  const whole = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd").replaceAll("\0", "");
  const { title, body, tags } = content;
  return { ...contentOf(content), title: whole(title), body: whole(body), tags: tags.map(whole) };
}

/** The note as the user changed it. */
export function edit(record: NoteRecord, change: Partial<Content>): NoteRecord {
  const content = wellFormed({ ...present(record), ...allowed(roleOf(record), change) });
  if (same(content, present(record))) return record;
  const next = { ...record, changedAt: Date.now(), refusal: null, erased: false };
  const { base, conflict } = record;
  if (conflict && (same(content, contentOf(conflict.theirs)) || same(content, conflict.base))) {
    return { ...next, base: conflict.theirs, draft: null, conflict: null };
  }
  const back = base && !conflict && !record.sent && same(content, contentOf(base));
  return { ...next, draft: back ? null : content };
}

function allowed(role: Role, change: Partial<Content>): Partial<Content> {
  if (role === "owner") return change;
  if (role === "viewer") return {};
  const { title, body, tags } = change;
  return { ...(title !== undefined && { title }), ...(body !== undefined && { body }), ...(tags && { tags }) };
}

/** The note whose conflict the user ended with a text. */
export function resolved(record: NoteRecord, content: Content): NoteRecord {
  if (!record.conflict) return edit(record, content);
  const theirs = record.conflict.theirs;
  return edit({ ...record, base: theirs, draft: null, conflict: null }, content);
}

export interface Told {
  /** In which reading of the feed. */
  round: number;
  /** That this is what became of what was sent. */
  answer?: boolean;
  /** That it counts even if it seems to be older than what is known. */
  anyway?: boolean;
}

/** What becomes of a note when the server tells what it has. */
export function learn(record: NoteRecord, theirs: ServerNote, told: Told): Outcome {
  const latest = record.conflict?.theirs ?? record.base;
  if (latest && theirs.version <= latest.version && !told.anyway) return heardBefore(record, latest, theirs, told);
  const ancestor = ancestorOf(record, theirs, told.answer === true);
  if (record.erased && !same(ancestor, contentOf(theirs))) return spared(record, theirs, told);
  const round = Math.max(record.round, told.round);
  const next: NoteRecord = { ...record, round, base: theirs, sent: null, conflict: null };
  if (!record.draft && !record.sent) return { records: [next] };
  const mine = present(record);
  const merged = merge3(ancestor, mine, contentOf(theirs));
  if (theirs.role === "viewer") return kept({ ...next, draft: null }, record, ancestor);
  if (!merged.clean) {
    const { base } = record;
    return { records: [{ ...next, base, draft: mine, conflict: { base: ancestor, theirs } }] };
  }
  const draft = same(merged.content, contentOf(theirs)) ? null : merged.content;
  const records = [{ ...next, draft }];
  if (same(merged.content, mine) || told.answer) return { records };
  return { records, happening: { type: "merged", id: record.id } };
}

// What changed elsewhere is not to be deleted unseen.
function spared(record: NoteRecord, theirs: ServerNote, told: Told): Outcome {
  const { records } = learn({ ...record, erased: false }, theirs, told);
  return { records, happening: { type: "spared", id: record.id } };
}

function heardBefore(record: NoteRecord, latest: ServerNote, theirs: ServerNote, told: Told): Outcome {
  const sent = told.answer ? null : record.sent;
  const role = theirs.version === latest.version ? theirs.role : latest.role;
  const round = Math.max(record.round, told.round);
  if (sent === record.sent && role === latest.role && record.round === round) return { records: [record] };
  return { records: [{ ...record, ...withRole(record, role), sent, round }] };
}

function withRole(record: NoteRecord, role: string): Pick<NoteRecord, "base" | "conflict"> {
  const { base, conflict } = record;
  if (conflict) return { base, conflict: { ...conflict, theirs: { ...conflict.theirs, role } } };
  return { base: base && { ...base, role }, conflict };
}

/**
 * What both the draft and what the server has come from: what was sent, if the
 * server shows that it took it, even when no answer said so.
 */
function ancestorOf(record: NoteRecord, theirs: ServerNote, answer: boolean): Content {
  const { base, conflict, sent } = record;
  const older = conflict?.base ?? (base && contentOf(base));
  if (!sent) return older ?? empty;
  if (answer || !older) return sent.content;
  const taken = merge3(older, sent.content, contentOf(theirs));
  return taken.clean && same(taken.content, contentOf(theirs)) ? sent.content : older;
}

/** What becomes of a note that the server has no more for the user. */
export function gone(record: NoteRecord): Outcome {
  const { base, conflict, sent } = record;
  const known = conflict?.base ?? (base ? contentOf(base) : sent?.content);
  return kept(undefined, record, known ?? empty);
}

// What was written on top of `known` lives on as a note of the user's own.
function kept(rest: NoteRecord | undefined, record: NoteRecord, known: Content): Outcome {
  const records = rest ? [rest] : [];
  return record.erased || sameText(present(record), known) ? { records } : copied(record, records);
}

/** What becomes of a note that can't have its id: it is another's, or was deleted. */
export function renamed(record: NoteRecord): Outcome {
  return record.erased ? { records: [] } : copied(record, []);
}

function copied(record: NoteRecord, records: readonly NoteRecord[]): Outcome {
  const content = present(record);
  const { title, body, tags } = content;
  const copy = fresh(uuidv7(), roleOf(record) === "owner" ? content : { title, body, tags });
  return { records: [...records, copy], happening: { type: "recovered", id: record.id, as: copy.id } };
}

/**
 * What becomes of a note that this tab changed from `seen` to `mine` while
 * another made it `theirs`.
 */
export function rebase(seen: NoteRecord | undefined, mine: NoteRecord, theirs: NoteRecord | undefined): Outcome {
  if (mine === seen) return unchanged(theirs);
  if (seen?.rev === theirs?.rev) return { records: [mine] };
  if (!theirs) return gone(mine);
  const from = seen ? present(seen) : empty;
  const to = present(mine);
  const content = merge3(from, to, present(theirs)).content;
  if (seen?.conflict && !mine.conflict && theirs.conflict) {
    const ended = { ...theirs, base: mine.base, draft: null, conflict: null };
    return learnAgain(edit(ended, content), theirs.conflict.theirs);
  }
  if (same(from, to)) return mine.erased ? erasedUnder(seen, theirs) : { records: [theirs] };
  if (theirs.base && !dirty(theirs)) {
    // The other tab heard from the server what this one was typing over.
    const before = { ...theirs.base, ...from, tags: [...from.tags], version: theirs.base.version - 1 };
    return learnAgain({ ...theirs, base: before, draft: to, changedAt: mine.changedAt }, theirs.base);
  }
  return { records: [edit(theirs, content)] };
}

// A note is not deleted with what came into it unseen.
function erasedUnder(seen: NoteRecord | undefined, theirs: NoteRecord): Outcome {
  const known = seen && same(present(seen), present(theirs)) && latestOf(seen) === latestOf(theirs);
  if (known) return { records: [{ ...theirs, erased: true }] };
  return { records: [theirs], happening: { type: "spared", id: theirs.id } };
}

function latestOf({ conflict }: NoteRecord): number | undefined {
  return conflict?.theirs.version;
}

function learnAgain(record: NoteRecord, theirs: ServerNote): Outcome {
  return learn(record, theirs, { round: record.round });
}

/** Whether the user sees the same in both. */
export function alike(a: LocalNote, b: LocalNote): boolean {
  return (
    !a.conflict && !b.conflict && a.refusal === b.refusal && a.saving === b.saving && a.version === b.version &&
    a.role === b.role && a.updated_at === b.updated_at && a.created_at === b.created_at && same(a, b)
  );
}

/** The note as the user sees it. */
export function local(record: NoteRecord, unkept: boolean, online: boolean): LocalNote {
  const { id, base, draft, conflict, refusal } = record;
  const content = present(record);
  const made = new Date(parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString();
  return {
    ...content,
    id,
    role: roleOf(record),
    created_at: base?.created_at ?? made,
    updated_at: draft || !base ? new Date(record.changedAt).toISOString() : base.updated_at,
    version: base?.version ?? 0,
    saving: saving(record, unkept, online),
    ...(conflict && { conflict: shown(conflict.base, content, contentOf(conflict.theirs)) }),
    ...(refusal && { refusal }),
  };
}

function shown(base: Content, mine: Content, theirs: Content): Conflict {
  return { base, mine, theirs, merged: merge3(base, mine, theirs).content };
}

function saving(record: NoteRecord, unkept: boolean, online: boolean): Saving {
  if (!dirty(record)) return "saved";
  if (unkept) return "unkept";
  if (record.conflict) return "conflict";
  if (record.refusal) return "refused";
  return online ? "saving" : "waiting";
}
