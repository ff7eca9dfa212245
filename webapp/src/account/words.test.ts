import { describe, expect, test } from "vitest";
import { bytes } from "./bytes";
import { deviceOf } from "./device";
import { initials } from "./initials";
import { locales, timeIn, zones } from "./places";
import { type Job, pollIn } from "./queries";
import { span } from "./quiet";

test.each([
  ["Ada Lovelace", "AL"],
  ["Augusta Ada King", "AK"],
  ["  łucja ", "Ł"],
  ["“Żółty” (7) słoń", "ŻS"],
  ["李小龙", "李"],
  ["???", "?"],
  ["", "?"],
])("initials of %j", (name, letters) => {
  expect(initials(name)).toBe(letters);
});

describe("quiet hours", () => {
  test("of one day", () => expect(span("12:00", "13:30")).toEqual({ minutes: 90, overnight: false }));
  test("over midnight", () => expect(span("22:00", "07:00")).toEqual({ minutes: 540, overnight: true }));
  test("until midnight", () => expect(span("23:00", "00:00")).toEqual({ minutes: 60, overnight: true }));
  test("that are none", () => expect(span("09:00", "09:00")).toBeUndefined());
  test("that are no times", () => expect(span("9:00", "24:00")).toBeUndefined());
});

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux", false],
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge", "Windows", false],
  ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome", "Android", true],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "Safari", "iPhone", true],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome", "iPhone", true],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "Safari", "macOS", false],
  ["curl/8.5.0", "curl", undefined, false],
  ["", undefined, undefined, false],
])("the device of %j", (userAgent, browser, system, phone) => {
  expect(deviceOf(userAgent)).toEqual({ browser, system, phone });
});

test.each([
  [0, "0 byte"],
  [999, "999 byte"],
  [1_000, "1 kB"],
  [1_449_000, "1.4 MB"],
  [5e12, "5,000 GB"],
])("%d bytes in words", (count, words) => expect(bytes(count, "en")).toBe(words));

describe("an export is looked at", () => {
  const job = (status: string, age: number): Job => ({
    id: "j",
    kind: "export",
    status,
    created_at: new Date(1e12 - age).toISOString(),
    updated_at: "",
    services: [],
  });
  test("never when it is done", () => expect(pollIn([job("done", 0)], 1e12)).toBe(false));
  test("soon when it is new", () => expect(pollIn([job("done", 1e9), job("waiting", 0)], 1e12)).toBe(1_000));
  test("less often the longer it takes", () => {
    expect(pollIn([job("running", 20_000)], 1e12)).toBe(5_000);
    expect(pollIn([job("running", 1e9)], 1e12)).toBe(15_000);
  });
  test("even if the clocks differ", () => expect(pollIn([job("running", -1e9)], 1e12)).toBe(1_000));
});

describe("places", () => {
  test("have the user's own zone, known here or not", () => {
    const parts = zones("Mars/Olympus_Mons");
    expect(parts.get("Mars")).toEqual([{ value: "Mars/Olympus_Mons", name: "Olympus Mons" }]);
    expect(parts.get("Europe")).toContainEqual({ value: "Europe/Warsaw", name: "Warsaw" });
    expect(parts.get("America")).toContainEqual({ value: "America/Argentina/Ushuaia", name: "Argentina / Ushuaia" });
  });
  test("have a time, if it is known", () => {
    expect(timeIn("Europe/Warsaw", Date.UTC(2026, 0, 5, 12, 5), "pl")).toBe("poniedziałek, 13:05");
    expect(timeIn("Mars/Olympus_Mons", 0, "pl")).toBeUndefined();
  });
  test("have names in the user's language", () => {
    expect(locales("pl", "")).toContainEqual({ value: "pl-PL", name: "Polski (Polska)" });
    expect(locales("en", "gsw-CH")).toContainEqual({ value: "gsw-CH", name: "Swiss German (Switzerland)" });
  });
});
