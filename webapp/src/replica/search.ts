import type { LocalNote } from "./types";

/**
 * The words of a text are as the server has them (notes/search), so that both
 * find the same: runs of letters, digits and marks, in lower case, without
 * accents, and each character of a script without spaces begins one.
 */
const unspaced = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;
const runs = new RegExp(`${unspaced.source}+|(?:(?!${unspaced.source})[\\p{L}\\p{N}\\p{M}])+`, "gu");
const beyondASCII = /[^\0-\x7f]/;
const accents = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]+/g;
/** Marks of Hebrew and Arabic, which are left out when one searches. */
const vowels = /[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]+/g;
const maxWord = 40;
const maxQuery = 16;

/** The part of a text from `start` to before `end`, in UTF-16 code units. */
export interface Range {
  start: number;
  end: number;
}

/** Where a note has what was sought. */
export interface Highlights {
  title: Range[];
  snippet: { text: string; ranges: Range[] };
}

interface Folded {
  title: string;
  tags: string;
  body: string;
}

const known = new WeakMap<LocalNote, Folded>();

/**
 * The notes that have, for each word of the query, a word that begins with it:
 * first those that have them in the title, then in the tags, then the latest.
 */
export function search(notes: { values(): Iterable<LocalNote> }, query: string): LocalNote[] {
  const words = wordsOf(query);
  if (words.length === 0) return [];
  const found: { note: LocalNote; rank: number }[] = [];
  for (const note of notes.values()) {
    const rank = rankOf(foldedOf(note), words);
    if (rank !== undefined) found.push({ note, rank });
  }
  return found
    .sort((a, b) => a.rank - b.rank || compare(b.note.updated_at, a.note.updated_at))
    .map(({ note }) => note);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rankOf(note: Folded, words: readonly string[]): number | undefined {
  let rank = 0;
  for (const word of words) {
    if (has(note.title, word)) continue;
    if (has(note.tags, word)) rank += 1;
    else if (has(note.body, word)) rank += 2;
    else return undefined;
  }
  return rank;
}

function foldedOf(note: LocalNote): Folded {
  let folded = known.get(note);
  if (!folded) {
    folded = { title: fold(note.title), tags: fold(note.tags.join(" ")), body: fold(note.body) };
    known.set(note, folded);
  }
  return folded;
}

// What is no word is a space in the result, or ASCII as it was.
function fold(text: string): string {
  if (!beyondASCII.test(text)) return text.toLowerCase();
  const folded = text.normalize("NFKD").toLowerCase().replace(accents, "").replace(/ł/g, "l");
  return beyondASCII.test(folded) ? foldRest(folded) : folded;
}

function foldRest(text: string): string {
  return text
    .replace(/[^\0-\x7f\p{L}\p{N}\p{M}]+/gu, " ")
    .replace(/ß/g, "ss")
    .replace(/ς/g, "σ")
    .replace(vowels, "")
    .normalize("NFC");
}

/** The folded words of a query. */
function wordsOf(query: string): string[] {
  const words = new Set<string>();
  for (const [run] of query.matchAll(runs)) {
    const word = fold(run);
    if (word) words.add([...word].slice(0, maxWord).join(""));
  }
  return [...words].slice(0, maxQuery);
}

/** Whether a folded text has a word that begins with this one. */
function has(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (begins(text, at)) return true;
  }
  return false;
}

function begins(text: string, at: number): boolean {
  if (at === 0 || !isLetter(text.charCodeAt(at - 1))) return true;
  return isUnspaced(text.slice(Math.max(0, at - 2), at)) || isUnspaced(text.slice(at, at + 2));
}

// Of folded text: beyond ASCII it has nothing but what is in words.
function isLetter(c: number): boolean {
  return c >= 0x80 || (c >= 0x61 && c <= 0x7a) || (c >= 0x30 && c <= 0x39);
}

function isUnspaced(text: string): boolean {
  return /[^\0-\u0dff]/.test(text) && unspaced.test(text);
}

const snippetLength = 160;
const lead = 40;

/** Where the note has the words of the query, with the part of its body around the first of them. */
export function highlight(note: LocalNote, query: string): Highlights {
  const words = wordsOf(query);
  const title = rangesIn(note.title, words);
  const [first] = rangesIn(note.body, words, 1);
  const from = first ? beginning(note.body, first.start) : 0;
  const text = note.body.slice(from, from + snippetLength);
  return { title, snippet: { text, ranges: rangesIn(text, words) } };
}

// A little before the first word, where another word or line begins.
function beginning(text: string, at: number): number {
  const from = Math.max(0, at - lead, text.lastIndexOf("\n", at - 1) + 1);
  if (from === 0 || text[from - 1] === "\n") return from;
  const space = text.indexOf(" ", from);
  return space >= 0 && space < at ? space + 1 : at;
}

function rangesIn(text: string, words: readonly string[], most = Infinity): Range[] {
  const found: Range[] = [];
  if (words.length === 0) return found;
  for (const match of text.matchAll(runs)) {
    const [run] = match;
    if (unspaced.test(run)) found.push(...within(run, match.index, words));
    else {
      const folded = fold(run);
      const range = { start: match.index, end: match.index + run.length };
      if (words.some((word) => folded.startsWith(word))) found.push(range);
    }
    if (found.length >= most) break;
  }
  return found;
}

// In a run without spaces a word is found wherever it stands.
function within(run: string, at: number, words: readonly string[]): Range[] {
  const marked = new Set<number>();
  for (const word of words) {
    for (let i = 0; i < run.length; i++) {
      let end = i + 1;
      while (end < run.length && fold(run.slice(i, end)).length < word.length) end++;
      if (fold(run.slice(i, end)) === word) for (let j = i; j < end; j++) marked.add(j);
    }
  }
  const found: Range[] = [];
  for (const i of [...marked].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && last.end === at + i) last.end++;
    else found.push({ start: at + i, end: at + i + 1 });
  }
  return found;
}
