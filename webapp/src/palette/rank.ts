import { defaultFilter } from "cmdk";
import type { Command } from "./commands";

const groups = ["note", "notes", "go", "app"] as const;

/** Without accents and case: "usun" finds "Usuń". */
export const fold = (text: string): string =>
  text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ł", "l");

// Letters that are merely somewhere in it, one after the other, are no match.
const least = 0.1;

export interface Ranked {
  group: Command["group"];
  commands: readonly Command[];
  /** How well the best of them is meant, from 0 to 1. */
  score: number;
}

/** The commands that a query means, in their groups, the best first; all of them for an empty one. */
export function rank(commands: readonly Command[], query: string): Ranked[] {
  const wanted = fold(query.trim());
  const scored = [...new Map(commands.map((c) => [c.id, c])).values()]
    .map((command) => ({
      command,
      score: wanted ? defaultFilter(fold(command.label), wanted, command.words ? [fold(command.words)] : []) : 1,
    }))
    .filter(({ score }) => score >= least)
    .sort((a, b) => b.score - a.score);
  return groups
    .map((group) => {
      const own = scored.filter(({ command }) => command.group === group);
      return { group, commands: own.map(({ command }) => command), score: own[0]?.score ?? 0 };
    })
    .filter(({ commands }) => commands.length > 0)
    .sort((a, b) => b.score - a.score);
}
