import { uuidv7 } from "uuidv7";
import { Problem, SignedOut, Unreachable } from "@/api/problem";
import { Backoff } from "./backoff";
import { same } from "./merge";
import type { Notebook } from "./notebook";
import { contentOf, gone, learn, type NoteRecord, type Outcome, present, renamed } from "./record";
import type { Server } from "./server";
import type { Content, ServerNote } from "./types";

/** A change is sent when typing has paused for so long, or has gone on for so long. */
const pause = 500;
const longest = 3_000;

type Become = (record: NoteRecord, round: number) => Outcome;

/** Brings to the server what it has not got, one note after the other. */
export async function push(notebook: Notebook, server: Server, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  const since = new Map<string, number>();
  while (!signal.aborted) {
    const next = due(notebook, since);
    const wait = next ? next.at - Date.now() : Infinity;
    if (!next || wait > 0) {
      await notebook.changed.wait(wait, signal);
      continue;
    }
    try {
      since.delete(next.id);
      await bring(notebook, server, next.id, signal);
      backoff.succeeded();
      notebook.reached(true);
    } catch (err) {
      if (signal.aborted) return;
      if (err instanceof Unreachable || err instanceof Problem) notebook.reached(err instanceof Problem);
      await notebook.again[0].wait(err instanceof SignedOut ? Infinity : backoff.failed(err), signal);
    }
  }
}

/** Which note is to be sent first, and when. */
function due(notebook: Notebook, since: Map<string, number>): { id: string; at: number } | undefined {
  let first: { id: string; at: number } | undefined;
  for (const record of notebook.outgoing()) {
    if (!sendable(record)) continue;
    const began = since.get(record.id) ?? Date.now();
    since.set(record.id, began);
    const at = Math.min(record.changedAt + pause, began + longest);
    if (!first || at < first.at) first = { id: record.id, at };
  }
  return first;
}

/** Whether nobody has to look at the note before it is sent. */
function sendable(record: NoteRecord): boolean {
  return !record.refusal && (!record.conflict || record.erased);
}

async function bring(notebook: Notebook, server: Server, id: string, signal: AbortSignal): Promise<void> {
  await notebook.update([id], (record) => ({ records: record ? [prepared(record)] : [] }));
  const record = notebook.record(id);
  if (!record || !sendable(record) || (!record.sent && !record.erased)) return;
  const become = await send(record, server, signal);
  const { round } = notebook.progress;
  await notebook.update([id], (now) => (now ? become(now, round) : { records: [] }));
}

/** The note with what is to be sent of it; without, if it is to be deleted or the server has it all. */
function prepared(record: NoteRecord): NoteRecord {
  if (record.sent || !sendable(record)) return record;
  const has = latest(record);
  if (record.erased) {
    return !has || has.status === "trashed" ? record : sending(record, { ...contentOf(has), status: "trashed" });
  }
  if (!record.draft) return record;
  // What is written in the trash takes two steps: the server lets nobody write there.
  const outside = record.draft.status === "trashed" && (!has || has.status === "trashed");
  return sending(record, outside ? { ...record.draft, status: "active" } : record.draft);
}

function sending(record: NoteRecord, content: Content): NoteRecord {
  return { ...record, sent: { content, key: uuidv7() } };
}

/** What the server had when it last told. */
function latest(record: NoteRecord): ServerNote | null {
  return record.conflict?.theirs ?? record.base;
}

/** Sends the note; what becomes of it is what the server made of that. */
async function send(record: NoteRecord, server: Server, signal: AbortSignal): Promise<Become> {
  const has = latest(record);
  try {
    if (!record.sent) {
      await server.erase(record.id, has?.version ?? 0, signal);
      return renamed; // where it is wanted again by now
    }
    const { content, key } = record.sent;
    const answer = has
      ? await server.change(record.id, has.version, difference(contentOf(has), content), signal)
      : await server.create(record.id, content, key, signal);
    return (now, round) => learn(now, answer, { round, answer: true });
  } catch (err) {
    if (!(err instanceof Problem) || passing(err)) throw err;
    if (err.status === 412) return stale(err, has);
    if (err.status === 404) return gone;
    if (err.code === "id_taken" || err.code === "idempotency_key_reused") return taken(record, server, signal);
    if (err.status === 403) return forbidden(err, record, server, signal);
    return refused(err, record);
  }
}

function difference(base: Content, content: Content): Partial<Content> {
  const keys = Object.keys(content) as (keyof Content)[];
  const changed = keys.filter((key) => !same(base, { ...base, [key]: content[key] }));
  return Object.fromEntries(changed.map((key) => [key, content[key]]));
}

/** Whether the same may be taken later. A gateway that finds no way to the service says 404, too. */
function passing(problem: Problem): boolean {
  return problem.passing || problem.status === 401 || (problem.status === 404 && problem.code !== "note_not_found");
}

function stale(problem: Problem, has: ServerNote | null): Become {
  const theirs = problem.current as ServerNote | undefined;
  const version = has?.version ?? 0;
  if (!theirs || theirs.version === version) throw problem;
  // An earlier version than was known: the server was set back.
  return (now, round) => learn(now, theirs, { round, anyway: theirs.version < version });
}

/** The note was made before, by a request whose answer got lost, or is another's. */
async function taken(record: NoteRecord, server: Server, signal: AbortSignal): Promise<Become> {
  const theirs = await found(record.id, server, signal);
  return theirs ? (now, round) => learn(now, theirs, { round }) : renamed;
}

async function forbidden(
  problem: Problem,
  record: NoteRecord,
  server: Server,
  signal: AbortSignal,
): Promise<Become> {
  const theirs = await found(record.id, server, signal);
  if (!theirs) return gone;
  if (theirs.role === record.base?.role) return refused(problem, record);
  return (now, round) => learn(now, theirs, { round, anyway: true });
}

async function found(id: string, server: Server, signal: AbortSignal): Promise<ServerNote | undefined> {
  try {
    return await server.get(id, signal);
  } catch (err) {
    if (err instanceof Problem && err.code === "note_not_found") return undefined;
    throw err;
  }
}

/** It is not sent again until it is another; what was changed while it was on its way is. */
function refused({ code, detail, fields }: Problem, { sent }: NoteRecord): Become {
  return (now) => {
    const changed = sent && !same(present(now), sent.content);
    return { records: [{ ...now, sent: null, erased: false, refusal: changed ? null : { code, detail, fields } }] };
  };
}
