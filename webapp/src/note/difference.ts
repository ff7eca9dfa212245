import { diffLines, diffWordsWithSpace } from "diff";

/** A stretch of text that both have, or only the one before or after. */
export interface Part {
  kind: "same" | "removed" | "added";
  text: string;
}

/** Lines that are alike, or lines that one became of the other. */
export interface Hunk {
  same: boolean;
  parts: Part[];
}

// Beyond these a difference is told by whole lines, or as one text for another.
const patience = { timeout: 300, maxEditLength: 5000 };
const wordy = 20_000;

/** What became of one text in another: by lines, and by words where a line was but changed. */
export function difference(before: string, after: string): Hunk[] {
  if (before === after) return before ? [{ same: true, parts: [{ kind: "same", text: before }] }] : [];
  const lines = diffLines(ended(before), ended(after), patience);
  if (!lines) return [changed(before, after)];
  const hunks: Hunk[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    if (!line) continue;
    if (!line.added && !line.removed) {
      hunks.push({ same: true, parts: [{ kind: "same", text: line.value }] });
      continue;
    }
    const next = lines[i + 1];
    const pair = next && (next.added || next.removed) ? next.value : "";
    if (pair) i++;
    hunks.push(line.removed ? changed(line.value, pair) : changed(pair, line.value));
  }
  return hunks;
}

// A last line is the same line with and without its end.
const ended = (text: string) => (text === "" || text.endsWith("\n") ? text : text + "\n");

function changed(before: string, after: string): Hunk {
  const whole: Part[] = [
    { kind: "removed", text: before },
    { kind: "added", text: after },
  ];
  const parts = before && after && before.length + after.length <= wordy ? words(before, after) : undefined;
  return { same: false, parts: parts ?? whole.filter((p) => p.text) };
}

/** The difference by words, unless so little is alike that it would be a riddle. */
function words(before: string, after: string): Part[] | undefined {
  const changes = diffWordsWithSpace(before, after, patience);
  if (!changes) return undefined;
  const parts = changes.map(({ value, added, removed }): Part => {
    return { kind: added ? "added" : removed ? "removed" : "same", text: value };
  });
  const alike = parts.reduce((n, p) => n + (p.kind === "same" ? p.text.replace(/\s/g, "").length : 0), 0);
  return alike * 3 >= Math.min(before.length, after.length) ? joined(parts) : undefined;
}

/** Words that changed with nothing but space between them, as one stretch. */
function joined(parts: readonly Part[]): Part[] {
  const out: Part[] = [];
  let removed = "";
  let added = "";
  const flush = () => {
    if (removed) out.push({ kind: "removed", text: removed });
    if (added) out.push({ kind: "added", text: added });
    removed = added = "";
  };
  parts.forEach((part, i) => {
    const between = /^[^\S\n]+$/.test(part.text) && removed && added && parts[i + 1];
    if (part.kind !== "added" && (part.kind === "removed" || between)) removed += part.text;
    if (part.kind !== "removed" && (part.kind === "added" || between)) added += part.text;
    if (part.kind === "same" && !between) {
      flush();
      out.push(part);
    }
  });
  flush();
  return out;
}

/** A hunk as one of the two texts has it. */
export const side = (hunk: Hunk, kind: "removed" | "added") =>
  hunk.parts.filter((p) => p.kind === "same" || p.kind === kind);

/** How many lines around a change are shown. */
const around = 2;

export interface Stretch {
  hunk: Hunk;
  /** Whether these lines are too far from a change to be looked at. */
  far: boolean;
}

/** The hunks, with lines apart that are far from any change. */
export function stretches(hunks: readonly Hunk[]): Stretch[] {
  return hunks.flatMap((hunk, i) => {
    const [part] = hunk.parts;
    if (!hunk.same || !part) return [{ hunk, far: false }];
    const lines = part.text.split(/(?<=\n)/);
    const head = i === 0 ? 0 : around;
    const tail = i === hunks.length - 1 ? 0 : around;
    // To hide two lines behind a button saves nothing.
    if (lines.length <= head + tail + 3) return [{ hunk, far: false }];
    const cut = (from: number, to: number, far: boolean): Stretch => ({
      hunk: { same: true, parts: [{ kind: "same", text: lines.slice(from, to).join("") }] },
      far,
    });
    const end = lines.length - tail;
    return [cut(0, head, false), cut(head, end, true), cut(end, lines.length, false)].filter(
      (s) => s.hunk.parts[0]?.text,
    );
  });
}

/** How many lines a hunk of what is alike has. */
export const linesOf = (hunk: Hunk) => hunk.parts.reduce((n, p) => n + (p.text.match(/\n/g)?.length ?? 0), 0);
