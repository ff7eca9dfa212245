import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difference, type Hunk, linesOf, side, stretches } from "./difference";

const text = (hunks: readonly Hunk[], kind: "removed" | "added") =>
  hunks.flatMap((h) => side(h, kind).map((p) => p.text)).join("");
const ended = (s: string) => (s === "" || s.endsWith("\n") ? s : s + "\n");

const prose = fc
  .array(fc.array(fc.constantFrom("lorem", "ipsum", "dolor", "- [ ]", "żółć", "😀"), { maxLength: 6 }), {
    maxLength: 12,
  })
  .map((lines) => lines.map((words) => words.join(" ")).join("\n"));

describe("a difference", () => {
  test("has both texts in it", () => {
    fc.assert(
      fc.property(fc.oneof(prose, fc.string()), fc.oneof(prose, fc.string()), (before, after) => {
        const hunks = difference(before, after);
        if (before === after) expect(text(hunks, "added")).toBe(after);
        else expect([text(hunks, "removed"), text(hunks, "added")].map(ended)).toEqual([before, after].map(ended));
      }),
    );
  });

  test("of what is the same has nothing changed", () => {
    expect(difference("a\nb", "a\nb")).toEqual([{ same: true, parts: [{ kind: "same", text: "a\nb" }] }]);
    expect(difference("", "")).toEqual([]);
  });

  test("tells the words of a line that changed", () => {
    expect(difference("one\nbuy two litres of milk\n", "one\nbuy three litres of milk\n")).toEqual([
      { same: true, parts: [{ kind: "same", text: "one\n" }] },
      {
        same: false,
        parts: [
          { kind: "same", text: "buy " },
          { kind: "removed", text: "two" },
          { kind: "added", text: "three" },
          { kind: "same", text: " litres of milk\n" },
        ],
      },
    ]);
  });

  test("takes words that changed one after another together", () => {
    const [hunk] = difference("we go to the old red house on the hill", "we go to the new blue house on the hill");
    expect(hunk?.parts.filter((p) => p.kind !== "same")).toEqual([
      { kind: "removed", text: "old red" },
      { kind: "added", text: "new blue" },
    ]);
  });

  test("puts a line for another where they have nothing in common", () => {
    expect(difference("apples and pears\n", "quite something else\n")).toEqual([
      {
        same: false,
        parts: [
          { kind: "removed", text: "apples and pears\n" },
          { kind: "added", text: "quite something else\n" },
        ],
      },
    ]);
  });

  test("does not take a last line for another because it has no end", () => {
    expect(difference("a", "a\nb").map((h) => h.same)).toEqual([true, false]);
  });
});

describe("lines far from a change", () => {
  const same = (n: number) => Array.from({ length: n }, (_, i) => `line ${i}\n`).join("");

  test("are apart", () => {
    const found = stretches(difference(same(20) + "x\n" + same(20), same(20) + "y\n" + same(20)));
    expect(found.map((s) => [s.far, s.hunk.same, linesOf(s.hunk)])).toEqual([
      [true, true, 18],
      [false, true, 2],
      [false, false, 2],
      [false, true, 2],
      [true, true, 18],
    ]);
  });

  test("are shown where they are few", () => {
    expect(stretches(difference(same(5) + "x\n", same(5) + "y\n")).every((s) => !s.far)).toBe(true);
  });

  test("are all there", () => {
    fc.assert(
      fc.property(prose, prose, (before, after) => {
        const hunks = difference(before, after);
        expect(stretches(hunks).flatMap((s) => s.hunk.parts.map((p) => p.text)).join("")).toBe(
          hunks.flatMap((h) => h.parts.map((p) => p.text)).join(""),
        );
      }),
    );
  });
});
