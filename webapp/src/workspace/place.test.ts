import { expect, test } from "vitest";
import { pathOf, placeOf } from "./place";

test.each([
  ["/notes", { list: { kind: "notes" }, path: "/notes" }],
  ["/trash/17", { list: { kind: "trash" }, path: "/trash", id: "17" }],
  ["/archive/", { list: { kind: "archive" }, path: "/archive" }],
  ["/tags/home", { list: { kind: "tag", tag: "home" }, path: "/tags/home" }],
  ["/tags/a%2Fb/17", { list: { kind: "tag", tag: "a/b" }, path: "/tags/a%2Fb", id: "17" }],
  ["/tags/100%25", { list: { kind: "tag", tag: "100%" }, path: "/tags/100%25" }],
])("%s names a place", (path, place) => {
  expect(placeOf(path)).toEqual(place);
});

test.each(["/", "/tags", "/tags/", "/tags/%", "/elsewhere", "/notes/1/2"])("%s names none", (path) => {
  expect(placeOf(path)).toBeUndefined();
});

test.each(["plain", "a/b", "50%", "%2F", "#?&", "zażółć", "日本 語"])("a tag %s is in its path as it is", (tag) => {
  const { pathname } = new URL(pathOf({ kind: "tag", tag }), "http://localhost");
  expect(placeOf(pathname)?.list).toEqual({ kind: "tag", tag });
});
