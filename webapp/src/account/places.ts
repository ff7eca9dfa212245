import { localeOf } from "@/i18n";

/** Languages with their regions that are offered; whoever has another keeps it. */
const common =
  "cs-CZ da-DK de-AT de-CH de-DE en-AU en-CA en-GB en-IE en-IN en-US es-ES es-MX fi-FI fr-BE fr-CA fr-FR it-IT ja-JP ko-KR nb-NO nl-NL pl-PL pt-BR pt-PT sk-SK sv-SE tr-TR uk-UA zh-CN";

/** Locales to choose from, by their names in a language. */
export function locales(language: string, own: string): { value: string; name: string }[] {
  const names = new Intl.DisplayNames(language, { type: "language", languageDisplay: "standard" });
  const tags = new Set([...common.split(" "), ...navigator.languages.filter((tag) => tag.includes("-")), own]);
  tags.delete("");
  return [...tags]
    .map((value) => ({ value, name: nameOf(names, value) }))
    .sort((a, b) => a.name.localeCompare(b.name, language));
}

function nameOf(names: Intl.DisplayNames, tag: string): string {
  const name = names.of(tag) ?? tag;
  return name.charAt(0).toLocaleUpperCase() + name.slice(1);
}

/** Time zones by the part of the world in their names; those without one are under "". */
export function zones(own: string): Map<string, { value: string; name: string }[]> {
  const all = new Set(["UTC", ...Intl.supportedValuesOf("timeZone"), ...(own ? [own] : [])]);
  const parts = new Map<string, { value: string; name: string }[]>();
  for (const value of [...all].sort()) {
    const [part = "", ...rest] = value.includes("/") ? value.split("/") : ["", value];
    const name = rest.join(" / ").replaceAll("_", " ");
    parts.set(part, [...(parts.get(part) ?? []), { value, name }]);
  }
  return parts;
}

/** The time in a zone, or nothing where the browser does not know the zone. */
export function timeIn(zone: string, now: number, language: string): string | undefined {
  try {
    const format = { timeZone: zone || "UTC", weekday: "long", hour: "numeric", minute: "2-digit" } as const;
    return new Intl.DateTimeFormat(localeOf(language), format).format(now);
  } catch {
    return undefined;
  }
}

/** This device's time zone. */
export const zoneHere = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
