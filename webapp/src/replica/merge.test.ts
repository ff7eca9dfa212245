import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { merge3, same } from "./merge";
import type { Content } from "./types";

const empty: Content = { title: "", body: "", tags: [], pinned: false, status: "active", reminder_at: null };

function body(base: string, mine: string, theirs: string): { body: string; clean: boolean } {
  const { content, clean } = merge3({ ...empty, body: base }, { ...empty, body: mine }, { ...empty, body: theirs });
  return { body: content.body, clean };
}

describe("bodies", () => {
  it.each([
    ["different lines", "a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC"],
    ["neighbouring lines", "a\nb", "A\nb", "a\nB", "A\nB"],
    ["a line put in before a changed one", "a\nb", "a\nx\nb", "a\nB", "a\nx\nB"],
    ["a line put in behind a changed one", "a", "A", "a\nx", "A\nx"],
    ["the same change", "a\nb", "a\nB", "a\nB", "a\nB"],
    ["the same and another", "a\nb\nc\nd", "A\nb\nc\nd", "A\nb\nc\nD", "A\nb\nc\nD"],
    ["different words of a line", "buy milk and some bread", "buy oat milk and some bread",
      "buy milk and some rye bread", "buy oat milk and some rye bread"],
    ["a word that both corrected, and another", "teh red fox and a dog", "the red fox and a dog", "the red fox and a cat",
      "the red fox and a cat"],
    ["a deleted line and a changed one", "a\nb\nc", "a\nc", "a\nb\nC", "a\nC"],
  ])("brings together %s", (_, base, mine, theirs, both) => {
    expect(body(base, mine, theirs)).toEqual({ body: both, clean: true });
    expect(body(base, theirs, mine)).toEqual({ body: both, clean: true });
  });

  it.each([
    ["the same word", "red fox here", "blue fox here", "green fox here", "blue fox here\n\ngreen fox here"],
    ["words side by side", "the red fox here", "the blue fox here", "the red wolf here", "the blue fox here\n\nthe red wolf here"],
    ["two lines put in at one place", "a", "a\nx", "a\ny", "a\nx\n\ny"],
    ["a changed line that the other deleted", "a\nb\nc", "a\nc", "a\nB\nc", "a\nB\nc"],
    ["two texts from nothing", "", "x", "y", "x\n\ny"],
    ["rewritten lines", "one two three four", "five six three seven", "one two three four five", "five six three seven\n\none two three four five"],
  ])("shows both, mine first, of %s", (_, base, mine, theirs, both) => {
    expect(body(base, mine, theirs)).toEqual({ body: both, clean: false });
  });

  it("takes a short while for long texts that have nothing in common", () => {
    const lines = (word: string): string => Array.from({ length: 20_000 }, (_, i) => (i % 2 ? "" : word + String(i))).join("\n");
    const began = performance.now();
    expect(body(lines("o"), lines("a"), lines("b")).clean).toBe(false);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe("the rest of a note", () => {
  const base: Content = { ...empty, title: "t", tags: ["a", "b"] };

  it("does not choose between two titles", () => {
    expect(merge3(base, { ...base, title: "m" }, { ...base, title: "n" })).toMatchObject({
      content: { title: "m / n" },
      clean: false,
    });
    expect(merge3(base, { ...base, title: "m" }, base).content.title).toBe("m");
    expect(merge3(base, base, { ...base, title: "n" }).content.title).toBe("n");
  });

  it("adds and removes tags of either side", () => {
    const { content, clean } = merge3(base, { ...base, tags: ["b", "m"] }, { ...base, tags: ["n", "a", "b"] });
    expect(content.tags).toEqual(["b", "m", "n"]);
    expect(clean).toBe(true);
  });

  it("takes my pin, status and reminder where I changed them", () => {
    const mine: Content = { ...base, pinned: true, status: "archived", reminder_at: "2026-01-01T00:00:00Z" };
    const theirs: Content = { ...base, status: "trashed", reminder_at: "2027-01-01T00:00:00Z" };
    expect(merge3(base, mine, theirs).content).toEqual(mine);
    expect(merge3(base, base, theirs).content).toEqual(theirs);
  });

  it("takes out of the trash what was written in elsewhere", () => {
    const trashed: Content = { ...base, status: "trashed" };
    expect(merge3(base, { ...base, body: "x" }, trashed).content).toEqual({ ...base, body: "x" });
    expect(merge3(base, { ...base, pinned: true }, trashed).content).toEqual({ ...trashed, pinned: true });
    expect(merge3(base, trashed, { ...base, body: "x" }).content).toEqual({ ...trashed, body: "x" });
  });

  it("knows a time however it is written", () => {
    expect(same({ ...base, reminder_at: "2026-01-01T00:00:00Z" }, { ...base, reminder_at: "2026-01-01T00:00:00.000Z" })).toBe(true);
  });
});

describe("whatever is merged", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", "d e f", "d e", "- x", ""), { maxLength: 8 }).map((l) => l.join("\n"));
  const content: fc.Arbitrary<Content> = fc.record({
    title: fc.constantFrom("", "t", "u", "v"),
    body: text,
    tags: fc.uniqueArray(fc.constantFrom("1", "2", "3", "4")),
    pinned: fc.boolean(),
    status: fc.constantFrom("active", "archived", "trashed"),
    reminder_at: fc.constantFrom(null, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
  });

  it("is the one that changed, if one did", () => {
    fc.assert(
      fc.property(content, content, (b, x) => {
        expect(merge3(b, x, b)).toEqual({ content: x, clean: true });
        expect(merge3(b, x, x)).toEqual({ content: x, clean: true });
        expect(merge3(b, b, x)).toEqual({ content: x, clean: true });
      }),
    );
  });

  it("says the same on both sides, if it is clean", () => {
    fc.assert(
      fc.property(content, content, content, (b, x, y) => {
        const [one, other] = [merge3(b, x, y), merge3(b, y, x)];
        expect(one.clean).toBe(other.clean);
        if (!one.clean) return;
        expect(one.content.title).toBe(other.content.title);
        expect(one.content.body).toBe(other.content.body);
        expect([...one.content.tags].sort()).toEqual([...other.content.tags].sort());
      }),
      { numRuns: 1000 },
    );
  });

  // Each edit puts in words that are nowhere else.
  const edits = (mark: string) =>
    fc.array(fc.record({ at: fc.nat(20), remove: fc.nat(2), count: fc.nat(2) }), { minLength: 1, maxLength: 4 }).map((list) =>
      (lines: string[]): string[] => {
        const edited = [...lines];
        list.forEach(({ at, remove, count }, i) => {
          const put = Array.from({ length: count }, (_, j) => `${mark}${String(i)}${String(j)}`);
          edited.splice(at % (edited.length + 1), remove, ...put);
        });
        return edited;
      },
    );

  it.each(["\n", " "])("has every word that either put in (between %j)", (between) => {
    fc.assert(
      fc.property(fc.nat(8), edits("m"), edits("t"), (size, mine, theirs) => {
        const base = Array.from({ length: size }, (_, i) => "o" + String(i));
        const [m, t] = [mine(base), theirs(base)];
        const merged = body(base.join(between), m.join(between), t.join(between));
        const words = merged.body.split(/\s+/);
        for (const word of [...m, ...t]) if (!base.includes(word)) expect(words).toContain(word);
        if (!merged.clean) return;
        for (const word of base) expect(words.includes(word)).toBe(m.includes(word) && t.includes(word));
      }),
      { numRuns: 2000 },
    );
  });
});
