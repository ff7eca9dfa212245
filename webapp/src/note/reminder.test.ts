import { afterEach, describe, expect, test } from "vitest";
import { fromField, presets, spoken, toField } from "./reminder";

const zone = process.env.TZ;
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

/** What is offered at a local time in a zone, in local times and in UTC. */
function offered(tz: string, local: string) {
  process.env.TZ = tz;
  const list = presets(new Date(local));
  return Object.fromEntries(list.map(({ preset, at }) => [preset, `${toField(at)} ${at.toISOString()}`]));
}

describe("presets", () => {
  test("are three hours on, tomorrow morning, and Monday", () => {
    expect(offered("Europe/Warsaw", "2026-03-11T10:20:00")).toEqual({
      later: "2026-03-11T14:00 2026-03-11T13:00:00.000Z",
      tomorrow: "2026-03-12T09:00 2026-03-12T08:00:00.000Z",
      nextWeek: "2026-03-16T09:00 2026-03-16T08:00:00.000Z",
    });
  });

  test("have nothing later today late in the day", () => {
    expect(Object.keys(offered("Europe/Warsaw", "2026-03-11T20:30:00"))).toEqual(["tomorrow", "nextWeek"]);
    expect(offered("Europe/Warsaw", "2026-03-11T20:00:00").later).toContain("2026-03-11T23:00");
  });

  test("keep the hour when clocks go forward", () => {
    const { later, tomorrow, nextWeek } = offered("Europe/Warsaw", "2026-03-28T23:30:00");
    expect(later).toBeUndefined();
    expect(tomorrow).toBe("2026-03-29T09:00 2026-03-29T07:00:00.000Z");
    expect(nextWeek).toBe("2026-03-30T09:00 2026-03-30T07:00:00.000Z");
  });

  test("keep the hour when clocks go back", () => {
    expect(offered("America/New_York", "2026-10-31T12:00:00").tomorrow).toBe(
      "2026-11-01T09:00 2026-11-01T14:00:00.000Z",
    );
  });

  test("are three hours on, whatever clocks do meanwhile", () => {
    expect(offered("Europe/Warsaw", "2026-03-29T01:00:00").later).toBe("2026-03-29T05:00 2026-03-29T03:00:00.000Z");
  });

  test("are whole hours where the zone is not", () => {
    expect(offered("Asia/Kathmandu", "2026-03-11T10:20:00").later).toBe("2026-03-11T14:00 2026-03-11T08:15:00.000Z");
  });

  test.each([
    ["2026-03-15", "2026-03-16"],
    ["2026-03-16", "2026-03-23"],
    ["2026-03-21", "2026-03-23"],
    ["2026-12-30", "2027-01-04"],
  ])("on %s mean %s by next week", (today, monday) => {
    expect(offered("UTC", today + "T08:00:00").nextWeek).toContain(monday + "T09:00");
  });
});

describe("a field's time", () => {
  test.each(["Europe/Warsaw", "America/St_Johns", "Pacific/Auckland", "UTC"])("is the local one in %s", (tz) => {
    process.env.TZ = tz;
    const at = new Date("2026-07-01T08:05:00");
    expect(toField(at)).toBe("2026-07-01T08:05");
    expect(fromField(toField(at))).toEqual(at);
  });

  test("is none while it is half filled in", () => {
    expect(fromField("")).toBeUndefined();
  });
});

describe("a time is spoken of", () => {
  const now = () => new Date("2026-03-11T12:00:00").getTime();

  test.each([
    ["2026-03-11T14:05:00", "en", "today, 2:05 PM"],
    ["2026-03-12T09:00:00", "pl", "jutro, 9:00"],
    ["2026-03-10T23:59:00", "en", "yesterday, 11:59 PM"],
    ["2026-03-16T09:00:00", "pl", "pon., 16 mar, 9:00"],
    ["2027-03-16T09:00:00", "en", "Tue, Mar 16, 2027, 9:00 AM"],
  ])("%s in %s: %s", (at, language, text) => {
    process.env.TZ = "Europe/Warsaw";
    expect(spoken(new Date(at), now(), language).replaceAll("\u202f", " ")).toBe(text);
  });
});
