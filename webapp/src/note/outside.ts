import { diffArrays } from "diff";

/** A piece of a text and what takes its place. */
export interface Change {
  from: number;
  to: number;
  insert: string;
}

/** A text with the line ends that text fields have. */
export const lineFeeds = (text: string) => (text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);

/**
 * What makes `after` of `before`: small changes, in order, none touching
 * another, so that a cursor between them stays where it is.
 */
export function changes(before: string, after: string): Change[] {
  const whole = trimmed(before, after, 0);
  if (!whole) return [];
  const old = before.slice(whole.from, whole.to);
  if (!old.includes("\n") || !whole.insert.includes("\n")) return [whole];
  // Two texts with this many different lines are another text, not another version.
  const parts = diffArrays(pieces(old), pieces(whole.insert), { maxEditLength: 2000, timeout: 100 });
  if (!parts) return [whole];

  const found: Change[] = [];
  let at = whole.from;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    if (!part) continue;
    const text = part.value.join("");
    if (!part.added && !part.removed) {
      at += text.length;
      continue;
    }
    const next = parts[i + 1];
    const pair = next && (next.added || next.removed) ? next.value.join("") : "";
    if (pair) i++;
    const [removed, added] = part.removed ? [text, pair] : [pair, text];
    const change = trimmed(removed, added, at);
    if (change) found.push(change);
    at += removed.length;
  }
  return found;
}

const pieces = (text: string) => text.split(/(?<=\n)/);

const isHigh = (code: number) => code >= 0xd800 && code < 0xdc00;
const isLow = (code: number) => code >= 0xdc00 && code < 0xe000;

/** One change without what begins and ends alike; no character is cut in two. */
function trimmed(before: string, after: string, offset: number): Change | undefined {
  if (before === after) return undefined;
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  if (start > 0 && isHigh(before.charCodeAt(start - 1))) start--;
  let end = 0;
  while (
    end < most - start &&
    before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)
  ) {
    end++;
  }
  if (end > 0 && isLow(before.charCodeAt(before.length - end))) end--;
  return { from: offset + start, to: offset + before.length - end, insert: after.slice(start, after.length - end) };
}
