import { expect, test } from "vitest";
import { snoozes } from "./snooze";

const at = (now: Date) => Object.fromEntries(snoozes(now).map((s) => [s.key, s.at]));

test("a Wednesday's noon has all of them", () => {
  expect(at(new Date(2026, 5, 3, 12, 30))).toEqual({
    hour: new Date(2026, 5, 3, 13, 30),
    evening: new Date(2026, 5, 3, 18),
    morning: new Date(2026, 5, 4, 8),
    week: new Date(2026, 5, 8, 8),
  });
});

test("when it is evening, this evening is over", () => {
  expect(Object.keys(at(new Date(2026, 5, 3, 17, 0)))).toEqual(["hour", "morning", "week"]);
});

test("on a Sunday, next week begins tomorrow", () => {
  expect(Object.keys(at(new Date(2026, 5, 7, 12)))).toEqual(["hour", "evening", "morning"]);
});

test("on a Monday, next week is a week away", () => {
  expect(at(new Date(2026, 5, 8, 12)).week).toEqual(new Date(2026, 5, 15, 8));
});

test("at the end of a month", () => {
  expect(at(new Date(2026, 11, 31, 12)).morning).toEqual(new Date(2027, 0, 1, 8));
});
