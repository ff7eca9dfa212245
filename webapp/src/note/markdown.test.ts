import { describe, expect, test } from "vitest";
import { asMarkdown, characters, excess, fileName, maxBody, toggleTask } from "./markdown";

test("a note is its title as a heading and its body", () => {
  expect(asMarkdown({ title: "Milk", body: "- 2 l" })).toBe("# Milk\n\n- 2 l");
  expect(asMarkdown({ title: "", body: "- 2 l" })).toBe("- 2 l");
});

test("a title's characters are code points", () => {
  expect(characters("a😀ż")).toBe(3);
});

describe("a body's excess", () => {
  test("is counted in bytes", () => {
    expect(excess("a".repeat(maxBody))).toBe(0);
    expect(excess("a".repeat(maxBody + 3))).toBe(3);
    expect(excess("ż".repeat(maxBody / 2 + 1))).toBe(2);
    expect(excess("😀".repeat(maxBody / 4))).toBe(0);
  });
});

test.each([
  ["Plan", "Plan.md"],
  ["a/b\\c: d?", "a b c d.md"],
  ["..", "Untitled.md"],
  ["", "Untitled.md"],
  [".hidden. ", "hidden.md"],
  ["tab\tand\nline", "tab and line.md"],
  ["Zażółć 😀", "Zażółć 😀.md"],
  ["x".repeat(300), "x".repeat(80) + ".md"],
])("a note called %j is kept in %j", (title, name) => {
  expect(fileName(title, "Untitled")).toBe(name);
});

describe("a task", () => {
  const body = "- [ ] one\n- [x] two\n- [X] three";

  test.each([
    [0, "- [x] one\n- [x] two\n- [X] three"],
    [10, "- [ ] one\n- [ ] two\n- [X] three"],
    [20, "- [ ] one\n- [x] two\n- [ ] three"],
  ])("at %i is ticked or not", (offset, after) => {
    expect(toggleTask(body, offset)).toBe(after);
  });

  test("that is not there changes nothing", () => {
    expect(toggleTask("no task", 0)).toBe("no task");
  });
});
