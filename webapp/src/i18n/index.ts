import i18n from "i18next";
import { initReactI18next } from "react-i18next";

/** The languages there are; each has a folder beside this file, with a file for each part of the page. */
export const languages = { en: "English", pl: "Polski" } as const;
export type Language = keyof typeof languages;

export const parts = ["common", "auth", "notes", "note", "account", "inbox", "palette"] as const;
export type Part = (typeof parts)[number];

const texts = import.meta.glob<{ default: Record<string, unknown> }>("./*/*.json");
const storageKey = "trellis.language";

function preferred(): Language {
  const wished = [localStorage.getItem(storageKey), ...navigator.languages];
  for (const tag of wished) {
    const language = tag?.split("-")[0];
    if (language && language in languages) return language as Language;
  }
  return "en";
}

/** Starts in the language the user chose, or else the browser's. */
export async function start(): Promise<void> {
  await i18n
    .use({
      type: "backend",
      read: (language: string, part: string, done: (err: Error | null, texts: unknown) => void) => {
        const load = texts[`./${language}/${part}.json`];
        if (!load) return done(new Error(`no texts ${language}/${part}`), null);
        load().then(
          (m) => done(null, m.default),
          (err: unknown) => done(err as Error, null),
        );
      },
    })
    .use(initReactI18next)
    .init({
      lng: preferred(),
      fallbackLng: false,
      supportedLngs: Object.keys(languages),
      ns: ["common"],
      defaultNS: "common",
      interpolation: { escapeValue: false },
      returnNull: false,
      // Begins at once, so that the texts of a part can be asked for while those of all parts are on their way.
      initAsync: false,
    });
  document.documentElement.lang = i18n.language;
}

/** The language as it is spoken where the user is, for times and dates: British English has no 11:23 PM. */
export const localeOf = (language: string): string =>
  navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;

/** Has the texts of some parts at hand. */
export const loadTexts = (parts: Part[]): Promise<void> => i18n.loadNamespaces(parts);

/** Changes the language, for this device until the account says otherwise. */
export async function speak(language: Language): Promise<void> {
  localStorage.setItem(storageKey, language);
  if (i18n.language !== language) await i18n.changeLanguage(language);
  document.documentElement.lang = language;
}

export default i18n;
