import { expect, test } from "vitest";
import { dayName, days } from "./days";
import type { Notice } from "./known";

const came = (...times: Date[]) =>
  times.map((t, i) => ({ id: String(i), seq: times.length - i, created_at: t.toISOString() }) as Notice);
const shape = (list: Notice[]) => days(list).map((d) => [d.at.getDate(), d.notices.map((n) => n.id).join("")]);

test("a list is cut at midnight", () => {
  const list = came(
    new Date(2026, 5, 3, 0, 0),
    new Date(2026, 5, 2, 23, 59),
    new Date(2026, 5, 2, 1),
    new Date(2026, 4, 31),
  );
  expect(shape(list)).toEqual([
    [3, "0"],
    [2, "12"],
    [31, "3"],
  ]);
});

test("what came back is on the day on which it did, as far as can be told", () => {
  expect(shape(came(new Date(2026, 5, 1), new Date(2026, 5, 3, 9), new Date(2026, 5, 2)))).toEqual([
    [3, "01"],
    [2, "2"],
  ]);
});

test("nothing has no days", () => expect(days([])).toEqual([]));

test("days have names", () => {
  const now = new Date(2026, 5, 3, 12);
  const name = (month: number, day: number, language: string) => dayName(new Date(2026, month, day), now, language);
  expect([name(5, 3, "en"), name(5, 2, "en"), name(4, 30, "en")]).toEqual(["Today", "Yesterday", "Saturday, May 30"]);
  expect([name(5, 3, "pl"), name(5, 2, "pl"), name(4, 30, "pl")]).toEqual(["Dzisiaj", "Wczoraj", "Sobota, 30 maja"]);
  expect(dayName(new Date(2025, 5, 3), now, "en")).toBe("Tuesday, June 3, 2025");
});
