import { bench, describe } from "vitest";
import { search } from "./search";
import type { LocalNote } from "./types";

const latin = "meeting about the garden with Anna on tuesday budget rain plan review call sister trip books".split(" ");
const polish = "spotkanie w ogródku z Anną we wtorek budżet deszcz plan przegląd zażółć gęślą jaźń łódź".split(" ");

function note(i: number, words: readonly string[]): LocalNote {
  let seed = i;
  const chance = (n: number): number => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % n;
  let body = "x" + String(i) + " ";
  while (body.length < 2_000) body += (words[chance(words.length)] ?? "") + (chance(30) ? " " : ".\n");
  const at = new Date(1.7e12 + i * 1e6).toISOString();
  return {
    id: String(i), title: "Note " + String(i), body, tags: ["tag" + String(i % 20)], pinned: false, status: "active",
    reminder_at: null, role: "owner", created_at: at, updated_at: at, version: 1, saving: "saved",
  };
}

for (const [name, words] of Object.entries({ latin, polish })) {
  describe(`5,000 notes of 2 KB, ${name}`, () => {
    const notes = Array.from({ length: 5_000 }, (_, i) => note(i, words));
    bench("a letter", () => void search(notes, "a"));
    bench("a common word", () => void search(notes, "plan"));
    bench("three words", () => void search(notes, "bud plan dwa"));
    bench("a rare word", () => void search(notes, "x4321"));
    bench("an absent word", () => void search(notes, "teleskop"));
    bench("the first query", () => void search(notes.map((n) => ({ ...n })), "plan"), { iterations: 3, time: 0 });
  });
}
