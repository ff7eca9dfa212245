import { describe, expect, test } from "vitest";
import { maxTags, parsed, suggestions, withTags } from "./tags";

test.each([
  ["home", ["home"]],
  [" #home , work;later\n", ["home", "work", "later"]],
  ["two  words", ["two words"]],
  ["c#", ["c#"]],
  ["##", []],
  [" , ,", []],
])("%j has the tags %j", (text, tags) => {
  expect(parsed(text)).toEqual(tags);
});

describe("adding tags", () => {
  test("leaves out what is there, however it is written", () => {
    expect(withTags(["Home"], "home, Żółw, żółw, new")).toEqual({ tags: ["Home", "Żółw", "new"], rest: "" });
  });

  test("takes 50 characters and no more", () => {
    const fits = "😀".repeat(50);
    expect(withTags([], fits).tags).toEqual([fits]);
    const long = "x".repeat(51);
    expect(withTags(["a"], `b, ${long}`)).toEqual({ tags: ["a", "b"], fault: "tooLong", rest: long });
  });

  test("takes 32 tags and no more", () => {
    const full = Array.from({ length: maxTags }, (_, i) => `t${i}`);
    expect(withTags(full, "T0")).toEqual({ tags: full, rest: "" });
    expect(withTags(full, "one, two")).toEqual({ tags: full, fault: "tooMany", rest: "one, two" });
  });
});

describe("suggestions", () => {
  const notes = [
    { tags: ["home", "work"], status: "active" },
    { tags: ["work", "homework"], status: "archived" },
    { tags: ["gone"], status: "trashed" },
    { tags: ["Reading"], status: "active" },
  ];

  test("are the most used first", () => {
    expect(suggestions(notes, [], "")).toEqual(["work", "home", "homework", "Reading"]);
  });

  test("begin as was typed, or else have it", () => {
    expect(suggestions(notes, [], "wo")).toEqual(["work", "homework"]);
    expect(suggestions(notes, [], "#READ")).toEqual(["Reading"]);
  });

  test("are none that the note has", () => {
    expect(suggestions(notes, ["Work"], "wo")).toEqual(["homework"]);
  });
});
