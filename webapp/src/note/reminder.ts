import { localeOf } from "@/i18n";

/** When to be reminded; the texts know them by these names. */
export type Preset = "later" | "tomorrow" | "nextWeek";

const morning = 9;

// The local calendar's own arithmetic: a day may have 23 hours or 25.
const day = (now: Date, days: number, hour: number) =>
  new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);

/** What is offered at a time, in the device's time zone. */
export function presets(now: Date): { preset: Preset; at: Date }[] {
  const later = new Date(now.getTime() + 3 * 3_600_000);
  // The next whole hour: minutes are set, since some zones are half an hour off.
  if (later.getMinutes() > 0 || later.getSeconds() > 0) later.setMinutes(60, 0, 0);
  later.setMilliseconds(0);
  const all: { preset: Preset; at: Date }[] = [
    { preset: "tomorrow", at: day(now, 1, morning) },
    { preset: "nextWeek", at: day(now, ((8 - now.getDay()) % 7) || 7, morning) },
  ];
  return later.getDate() === now.getDate() ? [{ preset: "later", at: later }, ...all] : all;
}

const two = (n: number) => String(n).padStart(2, "0");

/** A time as <input type="datetime-local"> has it. */
export function toField(at: Date): string {
  const date = `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** The time that such a field has, if it has one. */
export function fromField(value: string): Date | undefined {
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

const midnight = (time: number) => new Date(time).setHours(0, 0, 0, 0);

/** A time as one says it: "tomorrow, 9:00 AM", "Mon, Jan 5, 9:00 AM". */
export function spoken(at: string | Date, now: number, language: string): string {
  const time = new Date(at);
  const clock = new Intl.DateTimeFormat(localeOf(language), { hour: "numeric", minute: "2-digit" }).format(time);
  const days = Math.round((midnight(time.getTime()) - midnight(now)) / 86_400_000);
  if (Math.abs(days) <= 1) {
    const word = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day");
    return `${word}, ${clock}`;
  }
  const sameYear = time.getFullYear() === new Date(now).getFullYear();
  const date = new Intl.DateTimeFormat(localeOf(language), {
    weekday: "short",
    day: "numeric",
    month: "short",
    ...(!sameYear && { year: "numeric" }),
  }).format(time);
  return `${date}, ${clock}`;
}
