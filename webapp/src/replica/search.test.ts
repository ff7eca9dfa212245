import { expect, it } from "vitest";
import { highlight, search } from "./search";
import type { LocalNote } from "./types";

function note(title: string, body = "", tags: string[] = [], updated_at = "2026-01-01T00:00:00Z"): LocalNote {
  return {
    id: title, title, body, tags, pinned: false, status: "active", reminder_at: null,
    role: "owner", created_at: updated_at, updated_at, version: 1, saving: "saved",
  };
}

const titles = (notes: LocalNote[], query: string): string[] => search(notes, query).map((n) => n.title);

function marked(text: string, query: string): string[] {
  return highlight(note(text), query).title.map(({ start, end }) => text.slice(start, end));
}

// The same examples as the server's tests have, in notes/search.
it.each([
  ["Hello, World!", ["hello", "world"]],
  ["foo-bar_baz a1.b2", ["foo", "bar", "baz", "a1", "b2"]],
  ["https://example.org/x", ["https", "example", "org", "x"]],
  ["Café cafe\u0301 CAFÉ", ["cafe"]],
  ["Straße Ǆ ﬁn", ["strasse", "dz", "fin"]],
  ["Ёлка ΣΊΣΥΦΟΣ İstanbul", ["елка", "σισυφοσ", "σίσυφος", "istanbul"]],
  ["שָׁלוֹם مُحَمَّد हिन्दी", ["שלום", "محمد", "हिन्दी"]],
  ["🙂 smile🙂d", ["smile", "d"]],
  ["你好吗 x", ["你好", "好吗", "吗", "你好吗", "x"]],
  ["東京 がか", ["東京", "京", "がか", "か"]],
  ["abc東京de", ["abc", "東京", "京", "de", "abc東京de"]],
  ["Zażółć gęślą ŁÓDŹ", ["zazolc", "gesla", "lodz", "łódź", "ŁÓDŹ"]],
  ["é".repeat(100), ["e".repeat(40), "é".repeat(100)]],
])("finds in %s", (title, queries) => {
  for (const query of queries) {
    expect(titles([note(title)], query), query).toEqual([title]);
    expect(marked(title, query), query).not.toEqual([]);
  }
});

it.each([
  ["unmeeting", "meet"],
  ["が", "か"],
  ["हिन्दी", "हन"],
  ["a™", "tm"],
  ["text", ""],
  ["text", "..."],
  ["你好", "好你"],
])("does not find in %s: %s", (title, query) => {
  expect(titles([note(title)], query)).toEqual([]);
});

it("wants every word, wherever it stands", () => {
  const notes = [note("Meeting", "budget", ["work"]), note("Meeting two", "rain")];
  expect(titles(notes, "bud MEET work")).toEqual(["Meeting"]);
});

it("puts titles before tags before bodies, and the latest first", () => {
  const notes = [
    note("a", "plan"),
    note("b", "", ["plan"]),
    note("plan old"),
    note("plan new", "", [], "2026-01-02T00:00:00Z"),
  ];
  expect(titles(notes, "plan")).toEqual(["plan new", "plan old", "b", "a"]);
});

it("marks whole words, and runs of a script without spaces as far as they were sought", () => {
  expect(marked("Meeting, to meet; unmeet", "meet")).toEqual(["Meeting", "meet"]);
  expect(marked("x 你好吗 y", "你好")).toEqual(["你好"]);
  expect(marked("🙂 Łódź", "lodz")).toEqual(["Łódź"]);
});

it("shows the body around the first word", () => {
  const { snippet } = highlight(note("", "word ".repeat(100) + "\nthe Café is here " + "x ".repeat(200)), "cafe");
  expect(snippet.text.startsWith("the Café is here")).toBe(true);
  expect(snippet.ranges.map(({ start, end }) => snippet.text.slice(start, end))).toEqual(["Café"]);
  expect(highlight(note("plan", "body text"), "plan").snippet).toEqual({ text: "body text", ranges: [] });
});
