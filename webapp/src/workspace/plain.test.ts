import { expect, test } from "vitest";
import type { LocalNote } from "@/replica/types";
import { excerpt, gist, lines } from "./plain";

test.each([
  ["# Head\n\nText", ["Head", "Text"]],
  ["- [ ] to do\n- [x] done\n1. first\n* star", ["to do", "done", "first", "star"]],
  ["> > quoted", ["quoted"]],
  ["**bold** and *thin*, __both__ and _all_, ~~gone~~", ["bold and thin, both and all, gone"]],
  ["***very***", ["very"]],
  ["snake_case_name and 2 * 3 * 4", ["snake_case_name and 2 * 3 * 4"]],
  ["a [link](https://example.org/a_b_c) and ![a picture](x.png)", ["a link and a picture"]],
  ["<https://example.org> <b>bold</b>", ["https://example.org bold"]],
  ["`code *as is*`", ["code as is"]],
  ["```js\nlet a = 1;\n```", ["let a = 1;"]],
  ["---\n***\n===", []],
  ["| a | b |\n|---|:-:|\n| 1 | 2 |", ["a · b", "1 · 2"]],
  ["[1]: https://example.org", []],
  ["\\*not bold\\*", ["*not bold*"]],
  ["  spaced \t out  ", ["spaced out"]],
])("%j reads %j", (markdown, text) => {
  expect(lines(markdown)).toEqual(text);
});

test("an excerpt begins a little before the word, without what is left of marks", () => {
  const text = "the first words of a sentence, and then **the stone";
  expect(excerpt(text, text.indexOf("stone"))).toBe("… sentence, and then the stone");
  expect(excerpt("- [ ] a **stone** wall", 8)).toBe("a stone wall");
});

const note = (title: string, body: string) => ({ title, body }) as LocalNote;

test("a note is called by its title, or by its first line, which is then not said twice", () => {
  expect(gist(note("Title", "# Head\nText"))).toEqual({ title: "Title", snippet: "Head Text" });
  expect(gist(note("  ", "\n\n# Head\n\nText\nmore"))).toEqual({ title: "Head", snippet: "Text more" });
  expect(gist(note("", "  \n---\n"))).toEqual({ title: "", snippet: "" });
});

test("of a long body only the beginning is looked at", () => {
  expect(gist(note("", "word ".repeat(200_000))).snippet.length).toBeLessThanOrEqual(240);
});
