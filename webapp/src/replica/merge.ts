import { diffIndices } from "node-diff3";
import type { Content } from "./types";

/** What became of two contents that came from one. */
export interface Merge {
  /** Both; where they overlap, what is mine and then what is theirs. */
  content: Content;
  /** Whether nothing overlapped, so that nobody needs to look at it. */
  clean: boolean;
}

/** Whether two contents say the same. */
export function same(a: Content, b: Content): boolean {
  return sameText(a, b) && a.pinned === b.pinned && a.status === b.status && sameTime(a.reminder_at, b.reminder_at);
}

/** Whether what was written in two contents is the same. */
export function sameText(a: Content, b: Content): boolean {
  return a.title === b.title && a.body === b.body && sameList(a.tags, b.tags);
}

function sameTime(a: string | null, b: string | null): boolean {
  return a === b || (a !== null && b !== null && Date.parse(a) === Date.parse(b));
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** Brings together what `mine` and `theirs` made of `base`. */
export function merge3(base: Content, mine: Content, theirs: Content): Merge {
  const title = mergeTitle(base.title, mine.title, theirs.title);
  const body = mergeBody(base.body, mine.body, theirs.body);
  const content = {
    title: title.text,
    body: body.text,
    tags: mergeTags(base.tags, mine.tags, theirs.tags),
    pinned: mine.pinned !== base.pinned ? mine.pinned : theirs.pinned,
    status: mine.status !== base.status ? mine.status : theirs.status,
    reminder_at: sameTime(mine.reminder_at, base.reminder_at) ? theirs.reminder_at : mine.reminder_at,
  };
  // What was trashed elsewhere is still wanted where it was written in.
  if (theirs.status === "trashed" && !sameText(content, theirs)) content.status = mine.status;
  return { content, clean: title.clean && body.clean };
}

interface Text {
  text: string;
  clean: boolean;
}

/** The one text that needs no merging, if there is. */
function pick(base: string, mine: string, theirs: string): Text | undefined {
  if (mine === theirs || theirs === base) return { text: mine, clean: true };
  return mine === base ? { text: theirs, clean: true } : undefined;
}

function mergeTitle(base: string, mine: string, theirs: string): Text {
  return pick(base, mine, theirs) ?? { text: mine + " / " + theirs, clean: false };
}

function mergeTags(base: readonly string[], mine: readonly string[], theirs: readonly string[]): readonly string[] {
  if (sameList(mine, theirs) || sameList(theirs, base)) return mine;
  if (sameList(mine, base)) return theirs;
  const kept = mine.filter((tag) => theirs.includes(tag) || !base.includes(tag));
  return [...kept, ...theirs.filter((tag) => !base.includes(tag) && !mine.includes(tag))];
}

/** Line by line, and word by word where the same lines were changed. */
function mergeBody(base: string, mine: string, theirs: string): Text {
  const one = pick(base, mine, theirs);
  if (one) return one;
  let clean = true;
  const lines = weave(base.split("\n"), mine.split("\n"), theirs.split("\n"), (o, a, b) => {
    const words = mergeWords(o.join("\n"), a.join("\n"), b.join("\n"));
    if (words !== undefined) return words.split("\n");
    clean = false;
    return a.length > 0 && b.length > 0 ? [...a, "", ...b] : [...a, ...b];
  });
  return { text: (lines ?? []).join("\n"), clean };
}

/**
 * Merges the words of lines that both changed, where both only edited them and
 * not side by side: what is rewritten makes sense as a whole or not at all.
 */
function mergeWords(base: string, mine: string, theirs: string): string | undefined {
  if (base.length + mine.length + theirs.length > longest) return undefined;
  const [o, a, b] = [wordsOf(base), wordsOf(mine), wordsOf(theirs)];
  const [byMe, byThem] = [hunks(o, a), hunks(o, b)];
  if (!edited(o, byMe) || !edited(o, byThem) || abut(o, byMe, byThem)) return undefined;
  return weave(o, a, b, () => undefined)?.join("");
}

function wordsOf(text: string): string[] {
  return Array.from(new Intl.Segmenter(undefined, { granularity: "word" }).segment(text), ({ segment }) => segment);
}

/** Whether at least half of the words are what they were. */
function edited(words: readonly string[], changes: readonly Hunk[]): boolean {
  const count = (from: number, to: number): number => words.slice(from, to).filter(isWord).length;
  const lost = changes.reduce((sum, { start, end }) => sum + count(start, end), 0);
  return lost * 2 <= count(0, words.length);
}

/** Whether two changes of different sides have neither a word nor a line's end between them. */
function abut(words: readonly string[], byMe: readonly Hunk[], byThem: readonly Hunk[]): boolean {
  return byMe.some((x) =>
    byThem.some((y) => {
      const [first, second] = x.start <= y.start ? [x, y] : [y, x];
      const agreed = x.start === y.start && x.end === y.end && sameList(x.items, y.items);
      return !agreed && !words.slice(first.end, second.start).some((word) => isWord(word) || word.includes("\n"));
    }),
  );
}

function isWord(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

/** A part of the base, from `start` to before `end`, and what stands there instead. */
interface Hunk {
  start: number;
  end: number;
  items: string[];
}

/**
 * Applies to `base` what either side changed. Where both changed the same,
 * `overlap` says what becomes of it; undefined ends the attempt.
 */
function weave(
  base: string[],
  mine: string[],
  theirs: string[],
  overlap: (o: string[], a: string[], b: string[]) => string[] | undefined,
): string[] | undefined {
  const [left, right] = [hunks(base, mine), hunks(base, theirs)];
  const result: string[] = [];
  let at = 0;
  for (const { start, end, a, b } of groups(left, right)) {
    result.push(...base.slice(at, start));
    at = end;
    const items = [apply(base, start, end, a), apply(base, start, end, b)] as const;
    const woven = a.length === 0 || sameList(...items) ? items[1] : b.length === 0 ? items[0] : undefined;
    const merged = woven ?? overlap(base.slice(start, end), ...items);
    if (!merged) return undefined;
    result.push(...merged);
  }
  return [...result, ...base.slice(at)];
}

interface Group {
  start: number;
  end: number;
  a: Hunk[];
  b: Hunk[];
}

/** The changes of both sides in order, those together that overlap. */
function groups(left: readonly Hunk[], right: readonly Hunk[]): Group[] {
  const all = [...left.map((hunk) => ({ hunk, mine: true })), ...right.map((hunk) => ({ hunk, mine: false }))];
  all.sort((x, y) => x.hunk.start - y.hunk.start || x.hunk.end - y.hunk.end);
  const found: Group[] = [];
  for (const { hunk, mine } of all) {
    let group = found.at(-1);
    if (!group || !overlaps(group, hunk, mine)) {
      group = { start: hunk.start, end: hunk.end, a: [], b: [] };
      found.push(group);
    }
    (mine ? group.a : group.b).push(hunk);
    group.end = Math.max(group.end, hunk.end);
  }
  return found;
}

// What is put in right before or behind a change stands there, whoever made
// which; but two texts put in at one place have no order.
function overlaps(group: Group, hunk: Hunk, mine: boolean): boolean {
  if (hunk.start < group.end) return true;
  const other = (mine ? group.b : group.a).at(-1);
  return hunk.start === hunk.end && other?.start === hunk.start && other.end === hunk.end;
}

/** The part of the base with a side's changes. */
function apply(base: readonly string[], start: number, end: number, changes: readonly Hunk[]): string[] {
  const result: string[] = [];
  let at = start;
  for (const hunk of changes) {
    result.push(...base.slice(at, hunk.start), ...hunk.items);
    at = hunk.end;
  }
  return [...result, ...base.slice(at, end)];
}

// Beyond these many comparisons or characters it would hold the page up to be
// exact: then a difference is one change, and words are not looked at.
const maxWork = 4_000_000;
const longest = 50_000;

/** What was changed from one list to another. */
function hunks(from: readonly string[], to: readonly string[]): Hunk[] {
  let head = 0;
  while (head < from.length && head < to.length && from[head] === to[head]) head++;
  let tail = 0;
  const most = Math.min(from.length, to.length) - head;
  while (tail < most && from[from.length - 1 - tail] === to[to.length - 1 - tail]) tail++;
  const [a, b] = [from.slice(head, from.length - tail), to.slice(head, to.length - tail)];
  if (a.length === 0 && b.length === 0) return [];
  if (a.length * b.length > maxWork) return [{ start: head, end: head + a.length, items: b }];
  return diffIndices(a, b).map(({ buffer1: [start, length], buffer2Content: items }) => {
    return { start: head + start, end: head + start + length, items };
  });
}
