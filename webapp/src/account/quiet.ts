const minutes = (clock: string): number | undefined => {
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(clock) ?? [];
  return hour && minute ? Number(hour) * 60 + Number(minute) : undefined;
};

/** How long quiet hours last, in minutes, and whether they end on the next day; as the server has it, equal times are none. */
export function span(from: string, to: string): { minutes: number; overnight: boolean } | undefined {
  const begin = minutes(from);
  const end = minutes(to);
  if (begin === undefined || end === undefined || begin === end) return undefined;
  return { minutes: (end - begin + 1440) % 1440, overnight: end < begin };
}
