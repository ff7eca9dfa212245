import fc from "fast-check";
import { expect, test } from "vitest";
import { ownPath } from "./link";

test.each(["/", "/notes/01939f0a-0000-7000-8000-000000000001", "/account/sessions", "/notes?q=a%20b#c"])(
  "%s leads there",
  (link) => {
    expect(ownPath(link)).toBe(link);
  },
);

test.each([
  "",
  "notes",
  "//evil.example",
  "/\\evil.example",
  "/\t/evil.example",
  "https://evil.example/",
  "javascript:alert(1)",
  " /notes",
  "/no tes",
])("%j leads nowhere", (link) => expect(ownPath(link)).toBeUndefined());

test("no link leads off this page", () => {
  const parts = fc.constantFrom("/", "\\", ".", "\t", "\n", "@", ":", "evil.example", "http:", "%2f", "?", "#");
  fc.assert(
    fc.property(
      fc.array(parts).map((p) => p.join("")),
      (link) => {
        const path = ownPath(link);
        if (path !== undefined) expect(new URL(path, location.href).origin).toBe(location.origin);
      },
    ),
    { numRuns: 1_000 },
  );
});
