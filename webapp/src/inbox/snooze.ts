/** When a notification may come back. */
export interface Snooze {
  key: "hour" | "evening" | "morning" | "week";
  at: Date;
}

const evening = 18;
const morning = 8;

/** The times that one might mean now, on the clock of this device. */
export function snoozes(now: Date): Snooze[] {
  const on = (days: number, hour: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const untilMonday = (8 - now.getDay()) % 7 || 7;
  return [
    { key: "hour", at: new Date(now.getTime() + 3_600_000) },
    ...(now.getHours() < evening - 1 ? [{ key: "evening" as const, at: on(0, evening) }] : []),
    { key: "morning", at: on(1, morning) },
    ...(untilMonday > 1 ? [{ key: "week" as const, at: on(untilMonday, morning) }] : []),
  ];
}
