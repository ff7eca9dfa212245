const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** "1.4 MB" */
export function bytes(count: number, language: string): string {
  const step = Math.min(count > 0 ? Math.trunc(Math.log10(count) / 3) : 0, units.length - 1);
  const digits = step === 0 ? 0 : 1;
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: units[step] ?? "byte",
    maximumFractionDigits: digits,
  }).format(count / 1000 ** step);
}
