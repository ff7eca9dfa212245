import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMessage, parsePosition } from "./message";

const epoch = fc.string({ minLength: 1, maxLength: 64 });
const seq = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

test("entries are what they were", () => {
  const entry = fc.record({
    epoch,
    seq,
    type: fc.constantFrom("notification", "note.changed", "x"),
    data: fc.jsonValue(),
    unread: fc.nat(),
  });
  fc.assert(
    fc.property(entry, (e) => {
      const told = JSON.parse(JSON.stringify(e)) as typeof e;
      expect(parseMessage(JSON.stringify(e))).toEqual({ kind: "entry", entry: told });
    }),
  );
});

test("a hello and a resync tell a position, that of no stream too", () => {
  expect(parseMessage('{"type":"hello","epoch":"","seq":0}')).toEqual({ kind: "hello", at: { epoch: "", seq: 0 } });
  expect(parseMessage('{"type":"resync","epoch":"A","seq":7}')).toEqual({ kind: "resync", at: { epoch: "A", seq: 7 } });
});

test("all else is no message, and harms nobody", () => {
  fc.assert(fc.property(fc.string(), (text) => parseMessage(text) === undefined));
  fc.assert(fc.property(fc.json(), (text) => ["undefined", "object"].includes(typeof parseMessage(text))));
  const parts = {
    epoch: fc.anything(),
    seq: fc.anything(),
    type: fc.anything(),
    data: fc.anything(),
    unread: fc.anything(),
  };
  fc.assert(
    fc.property(fc.record(parts, { requiredKeys: [] }), (m) => {
      const parsed = parseMessage(JSON.stringify(m, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v)));
      if (parsed?.kind !== "entry") return;
      const { entry } = parsed;
      expect(typeof entry.epoch === "string" && Number.isSafeInteger(entry.seq) && typeof entry.type === "string").toBe(
        true,
      );
    }),
  );
});

test.each([
  "",
  "{",
  "null",
  "[]",
  '{"epoch":"A"}',
  '{"epoch":"A","seq":-1}',
  '{"epoch":"A","seq":1.5}',
  '{"epoch":7,"seq":1}',
  `{"epoch":"${"x".repeat(65)}","seq":1}`,
])("%s is no position", (text) => expect(parsePosition(text)).toBeUndefined());
