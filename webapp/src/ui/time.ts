import { useSyncExternalStore } from "react";
import { localeOf } from "@/i18n";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

// Making these costs more than using them, and there is a row for each of thousands of notes.
const formats = new Map<string, ReturnType<typeof formatsOf>>();

function formatsOf(language: string) {
  const locale = localeOf(language);
  return {
    ago: new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" }),
    date: new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }),
    year: new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" }),
    full: new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" }),
  };
}

function inLanguage(language: string) {
  const known = formats.get(language) ?? formatsOf(language);
  formats.set(language, known);
  return known;
}

const midnight = (time: number) => new Date(time).setHours(0, 0, 0, 0);

/** How long ago, or until when: as short as it is clear. */
export function relative(at: string, now: number, language: string): string {
  const { ago, date, year } = inLanguage(language);
  const time = Date.parse(at);
  const past = now - time;
  const size = Math.abs(past);
  if (size < minute) return ago.format(0, "second");
  if (size < hour) return ago.format(-Math.trunc(past / minute), "minute");
  // A day changes at midnight, though it is but an hour ago.
  const days = Math.round((midnight(now) - midnight(time)) / day);
  if (days === 0) return ago.format(-Math.trunc(past / hour), "hour");
  if (Math.abs(days) < 7) return ago.format(-days, "day");
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? date : year).format(time);
}

/** A time in full, to the minute. */
export function full(at: string, language: string): string {
  return inLanguage(language).full.format(Date.parse(at));
}

let now = Date.now();

function subscribe(listener: () => void): () => void {
  now = Date.now();
  const timer = setInterval(() => {
    now = Date.now();
    listener();
  }, minute);
  return () => clearInterval(timer);
}

/** The time, to the minute. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
