import { characters } from "./markdown";

export const maxTags = 32;
export const maxTag = 50;

/** Why a tag is not taken; the texts know them by these names. */
export type TagFault = "tooLong" | "tooMany";

export interface Added {
  tags: readonly string[];
  fault?: TagFault;
  /** What was not taken, to be corrected. */
  rest: string;
}

/** Whether two tags are one to whoever reads them. */
const alike = (a: string, b: string) => a.toLocaleLowerCase() === b.toLocaleLowerCase();

/** What was typed or pasted, as tags: commas and lines part them, a hash before one is none of it. */
export function parsed(text: string): string[] {
  return text
    .split(/[,\n;]/)
    .map((tag) => tag.replace(/[\p{Cc}\s]+/gu, " ").trim().replace(/^#+\s*/, ""))
    .filter(Boolean);
}

/** The tags with those of a text behind them, as far as they are taken. */
export function withTags(tags: readonly string[], text: string): Added {
  const all = [...tags];
  const rest: string[] = [];
  let fault: TagFault | undefined;
  for (const tag of parsed(text)) {
    if (all.some((t) => alike(t, tag))) continue;
    const wrong = characters(tag) > maxTag ? "tooLong" : all.length >= maxTags ? "tooMany" : undefined;
    if (wrong) {
      fault ??= wrong;
      rest.push(tag);
    } else {
      all.push(tag);
    }
  }
  return { tags: all, rest: rest.join(", "), ...(fault && { fault }) };
}

/** Of the tags that notes have, those that go on as was typed, the most used first. */
export function suggestions(
  notes: Iterable<{ tags: readonly string[]; status: string }>,
  taken: readonly string[],
  typed: string,
  most = 8,
): string[] {
  const wanted = (parsed(typed)[0] ?? "").toLocaleLowerCase();
  const counts = new Map<string, number>();
  for (const { tags, status } of notes) {
    if (status === "trashed") continue;
    for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  const place = (tag: string) => tag.toLocaleLowerCase().indexOf(wanted);
  return [...counts]
    .filter(([tag]) => place(tag) >= 0 && !taken.some((t) => alike(t, tag)))
    .sort(([a, m], [b, n]) => Math.min(place(a), 1) - Math.min(place(b), 1) || n - m || a.localeCompare(b))
    .slice(0, most)
    .map(([tag]) => tag);
}
