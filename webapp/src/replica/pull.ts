import { Problem, SignedOut, Unreachable } from "@/api/problem";
import { Backoff } from "./backoff";
import type { Notebook } from "./notebook";
import { dirty, gone, known, learn, type NoteRecord, type Outcome, unchanged } from "./record";
import type { Server } from "./server";
import type { ServerNote } from "./types";

/** How often the server is asked though nothing said that there is news. */
const interval = 60_000;

/** Brings what is new on the server, whenever asked. */
export async function pull(notebook: Notebook, server: Server, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      const filled = fill(notebook, server, signal).catch(() => undefined); // The feed brings it as well.
      await follow(notebook, server, signal);
      await filled;
      backoff.succeeded();
      notebook.reached(true);
      await notebook.again[1].wait(interval, signal);
    } catch (err) {
      if (signal.aborted) return;
      if (err instanceof Unreachable || err instanceof Problem) notebook.reached(err instanceof Problem);
      await notebook.again[1].wait(err instanceof SignedOut ? Infinity : backoff.failed(err), signal);
    }
  }
}

/** Brings the newest notes before the feed comes to them, so that something is there at once. */
async function fill(notebook: Notebook, server: Server, signal: AbortSignal): Promise<void> {
  if (notebook.progress.whole) return;
  const notes = new Map((await server.newest(signal)).map((note) => [note.id, note]));
  const { round } = notebook.progress;
  // The feed may know better by now: what it does not tell of is to go at its end.
  await notebook.update([...notes.keys()], (record, id) =>
    notebook.progress.whole ? unchanged(record) : told(record, notes.get(id), round - 1),
  );
}

/** Reads the feed to its end; from its beginning, once, if the server can't go on from where this device is. */
async function follow(notebook: Notebook, server: Server, signal: AbortSignal): Promise<void> {
  if (/^0?$/.test(notebook.progress.since)) await beginAnew(notebook, notebook.progress.whole);
  try {
    await readOn(notebook, server, signal);
  } catch (err) {
    if (!(err instanceof Problem) || err.status !== 410) throw err;
    await beginAnew(notebook, false);
    await readOn(notebook, server, signal);
  }
}

// From its beginning the feed doesn't tell what went: what it doesn't tell of in this round did.
async function beginAnew(notebook: Notebook, whole: boolean): Promise<void> {
  await notebook.update([], undefined, { since: "", whole, round: notebook.progress.round + 1 });
}

async function readOn(notebook: Notebook, server: Server, signal: AbortSignal): Promise<void> {
  for (let more = true; more; ) {
    const page = await server.changes(notebook.progress.since, signal);
    more = page.has_more;
    const { since, whole, round } = notebook.progress;
    const progress = { since: String(page.seq), whole: whole || !more, round };
    if (page.changes.length === 0 && progress.since === since && progress.whole === whole) continue;
    const notes = new Map(page.changes.map(({ id, note }) => [id, note ?? undefined]));
    const ids = new Set(notes.keys());
    if (!more) for (const record of notebook.records()) if (untold(record, round)) ids.add(record.id);
    const become = (record: NoteRecord | undefined, id: string): Outcome =>
      notes.has(id) || (record && untold(record, round)) ? told(record, notes.get(id), round) : unchanged(record);
    await notebook.update([...ids], become, progress);
  }
}

/** What becomes of a note as the server told of it; undefined where it has it no more. */
function told(record: NoteRecord | undefined, note: ServerNote | undefined, round: number): Outcome {
  if (!note) return record ? gone(record) : { records: [] };
  if (!record) return { records: [known(note, round)] };
  return learn(record, note, { round, anyway: record.round < round && !dirty(record) });
}

/** Whether a round has not told of a note that the server had: at its end, it has it no more. */
function untold(record: NoteRecord, round: number): boolean {
  return record.base !== null && record.round < round;
}
