import { describe, expect, test } from "vitest";
import { relative } from "./time";

const at = (local: string) => new Date(local).toISOString();
const now = new Date("2026-03-15T12:00:00").getTime();

describe("a time", () => {
  test.each([
    ["2026-03-15T11:59:30", "now"],
    ["2026-03-15T12:00:20", "now"],
    ["2026-03-15T11:45:00", "15 min. ago"],
    ["2026-03-15T09:10:00", "2 hr. ago"],
    ["2026-03-14T23:00:00", "yesterday"],
    ["2026-03-10T23:00:00", "5 days ago"],
    ["2026-03-01T08:00:00", "Mar 1"],
    ["2025-12-31T08:00:00", "Dec 31, 2025"],
    ["2026-03-15T15:00:00", "in 3 hr."],
    ["2026-03-16T01:00:00", "tomorrow"],
  ])("%s is %s", (time, text) => {
    expect(relative(at(time), now, "en")).toBe(text);
  });

  test("is told in the language of the page", () => {
    expect(relative(at("2026-03-14T23:00:00"), now, "pl")).toBe("wczoraj");
    expect(relative(at("2026-03-15T10:00:00"), now, "pl")).toBe("2 godz. temu");
  });

  test("an hour before midnight is minutes ago just after it", () => {
    expect(relative(at("2026-03-14T23:50:00"), new Date("2026-03-15T00:10:00").getTime(), "en")).toBe("20 min. ago");
  });
});
