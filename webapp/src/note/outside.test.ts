import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Change, changes, lineFeeds } from "./outside";

function apply(text: string, list: readonly Change[]): string {
  let out = "";
  let at = 0;
  for (const { from, to, insert } of list) {
    out += text.slice(at, from) + insert;
    at = to;
  }
  return out + text.slice(at);
}

const lines = fc.array(fc.constantFrom("", "a", "b", "ab", "- [ ] c", "żółć", "😀😃", "😀"), { maxLength: 30 });
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  lines.map((l) => l.join("\n")),
);

describe("changes", () => {
  test("make the one text of the other", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(apply(before, changes(before, after))).toBe(after);
      }),
    );
  });

  test("stand in order, apart, and cut no character in two", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        let end = -1;
        for (const { from, to, insert } of changes(before, after)) {
          expect(from).toBeGreaterThan(end);
          expect(to - from + insert.length).toBeGreaterThan(0);
          end = to;
          for (const cut of [before.slice(0, from), before.slice(from, to), insert]) {
            if (!/\p{Surrogate}/u.test(before + after)) expect(cut).not.toMatch(/\p{Surrogate}/u);
          }
        }
      }),
    );
  });

  test("are none where nothing changed", () => {
    expect(changes("same", "same")).toEqual([]);
  });

  test("leave alone what lies between two places", () => {
    const middle = "x\n".repeat(500);
    expect(changes(`one\n${middle}two\n`, `ones\n${middle}three\n`)).toEqual([
      { from: 3, to: 3, insert: "s" },
      { from: 4 + middle.length + 1, to: 4 + middle.length + 3, insert: "hree" },
    ]);
  });

  test("of two long texts that have nothing in common are one, and soon there", () => {
    const before = Array.from({ length: 20_000 }, (_, i) => `a ${i}`).join("\n");
    const after = Array.from({ length: 20_000 }, (_, i) => `b ${i}`).join("\n");
    const found = changes(before, after);
    expect(apply(before, found)).toBe(after);
  });
});

test("line ends are line feeds", () => {
  expect(lineFeeds("a\r\nb\rc\n")).toBe("a\nb\nc\n");
});
