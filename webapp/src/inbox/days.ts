import { localeOf } from "@/i18n";
import type { Notice } from "./known";

export interface Day {
  /** Midnight, where this device is. */
  at: Date;
  notices: Notice[];
}

/**
 * The days of a list that has the newest first. One that came back after it
 * was put off is where it came back, on the day of those below it at the earliest.
 */
export function days(list: readonly Notice[]): Day[] {
  const out: Day[] = [];
  for (const notice of list.toReversed()) {
    const at = new Date(notice.created_at);
    at.setHours(0, 0, 0, 0);
    const day = out[0];
    if (day && at <= day.at) day.notices.unshift(notice);
    else out.unshift({ at, notices: [notice] });
  }
  return out;
}

/** What a day is called: "today", "yesterday", or its date. */
export function dayName(at: Date, now: Date, language: string): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const ago = Math.round((midnight.getTime() - at.getTime()) / 86_400_000);
  const name =
    ago < 2
      ? new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-ago, "day")
      : new Intl.DateTimeFormat(localeOf(language), {
          weekday: "long",
          day: "numeric",
          month: "long",
          ...(at.getFullYear() !== now.getFullYear() && { year: "numeric" }),
        }).format(at);
  return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
}
