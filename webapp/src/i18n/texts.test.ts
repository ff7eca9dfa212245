import { describe, expect, test } from "vitest";
import { languages, parts } from ".";

type Texts = { [key: string]: string | Texts };
const files = import.meta.glob<{ default: Texts }>("./*/*.json", { eager: true });

/** Dotted keys, without the suffixes of plural forms, and what is filled in. */
function flat(texts: Texts, at = ""): Map<string, string> {
  const out = new Map<string, string>();
  for (const [key, text] of Object.entries(texts)) {
    if (typeof text !== "string") for (const [k, v] of flat(text, at + key + ".")) out.set(k, v);
    else out.set(at + key, text);
  }
  return out;
}
const stem = (key: string) => key.replace(/_(zero|one|two|few|many|other)$/, "");
const names = (text: string) => [...text.matchAll(/{{\s*(\w+)/g)].map((m) => m[1]).sort();

describe.each(parts)("texts of %s", (part) => {
  const english = flat(files[`./en/${part}.json`]?.default ?? {});

  test.each(Object.keys(languages))("are all there in %s", (language) => {
    const file = files[`./${language}/${part}.json`];
    if (!file) throw new Error("no file");
    const texts = flat(file.default);
    expect(new Set([...texts.keys()].map(stem))).toEqual(new Set([...english.keys()].map(stem)));

    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, text] of texts) {
      expect(text, key).not.toBe("");
      if (key !== stem(key)) {
        for (const form of forms) expect(texts.has(`${stem(key)}_${form}`), `${stem(key)}_${form}`).toBe(true);
      } else {
        expect(names(text), key).toEqual(names(english.get(key) ?? ""));
      }
    }
  });
});
