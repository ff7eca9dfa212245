import type { LocalNote } from "@/replica/types";

/** How much of a body a row looks at: it may have a mebibyte. */
const looked = 1500;

const inline: readonly (readonly [RegExp, string])[] = [
  [/!\[([^\]]*)\]\([^)]*\)/g, "$1"],
  [/\[([^\]]+)\]\([^)]*\)/g, "$1"],
  [/\[([^\]]+)\]\[[^\]]*\]/g, "$1"],
  [/<(https?:[^>\s]+)>/g, "$1"],
  [/<\/?[a-z][^>]*>/gi, ""],
  [/(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1/g, "$2"],
  [/(?<![\p{L}\p{N}\\])([*_])(?=\S)(.+?)(?<=\S)\1(?![\p{L}\p{N}])/gu, "$2"],
  [/(`+)(.+?)\1/g, "$2"],
  [/\\([\\`*_{}[\]()#+\-.!>~|])/g, "$1"],
];

/** A line of Markdown as it reads, without its marks; empty where it has nothing but marks. */
function line(markdown: string): string {
  let text = markdown.trim();
  if (/^(`{3,}|~{3,})/.test(text) || /^([-*_=]\s*){3,}$/.test(text) || /^[|\s:-]+$/.test(text)) return "";
  if (/^\[[^\]]+\]:\s/.test(text)) return "";
  text = text
    .replace(/^(>\s?)+/, "")
    .replace(/^#{1,6}\s+/, "")
    .replace(/^([-*+]|\d{1,9}[.)])\s+/, "")
    .replace(/^\[[ xX]\]\s+/, "");
  if (text.startsWith("|")) text = text.replace(/^\||\|$/g, "").replace(/\s*\|\s*/g, " · ");
  for (const [mark, shown] of inline) text = text.replace(mark, shown);
  return text.replace(/\s+/g, " ").trim();
}

/** The lines of a Markdown text's beginning as they read, without empty ones. */
export function lines(markdown: string): string[] {
  return markdown.slice(0, looked).split("\n").map(line).filter(Boolean);
}

/** How much may stand before the first word that was sought, so that it is in sight. */
const lead = 24;

/** A part of a Markdown text as it reads, around the word at `at`; marks may have lost their ends. */
export function excerpt(markdown: string, at = 0): string {
  const space = markdown.lastIndexOf(" ", at - lead);
  const [from, dots] = at > lead && space > 0 ? [space, "… "] : [0, ""];
  return dots + lines(markdown.slice(from)).join(" ").replace(/\*\*|__|~~|`/g, "");
}

export interface Gist {
  /** Empty where the note says nothing at all. */
  title: string;
  snippet: string;
}

const gists = new WeakMap<LocalNote, Gist>();

/** What a row says of a note: its title, or else its first line, and how it goes on. */
export function gist(note: LocalNote): Gist {
  let known = gists.get(note);
  if (!known) {
    const title = note.title.trim();
    const all = lines(note.body);
    known = { title: title || all.shift() || "", snippet: all.join(" ").slice(0, 240) };
    gists.set(note, known);
  }
  return known;
}
