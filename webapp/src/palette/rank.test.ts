import { expect, test } from "vitest";
import type { Command } from "./commands";
import { rank } from "./rank";

const command = (id: string, group: Command["group"], label: string, words?: string): Command => ({
  id,
  group,
  label,
  ...(words && { words }),
  run: () => undefined,
});

const commands = [
  command("notes.new", "notes", "New note", "create write"),
  command("note.archive", "note", "Archive the note"),
  command("note.trash", "note", "Move to the trash", "delete remove"),
  command("go.archive", "go", "Go to the archive"),
  command("go.notifications", "go", "Go to notifications"),
  command("app.theme", "app", "Dark theme", "night"),
  command("note.pl", "note", "Usuń łąkę"),
];
const found = (query: string) => rank(commands, query).flatMap((g) => g.commands.map((c) => c.id));

test("an empty query finds all, this note's first", () => {
  expect(rank(commands, " ").map((g) => g.group)).toEqual(["note", "notes", "go", "app"]);
  expect(found("")).toHaveLength(commands.length);
});

test.each([
  ["new", "notes.new"],
  ["archive", "note.archive"],
  ["gta", "go.archive"],
  ["delete", "note.trash"],
  ["night", "app.theme"],
  ["USUN LAKE", "note.pl"],
  ["notif", "go.notifications"],
])("%s finds %s first", (query, id) => {
  expect(found(query)[0]).toBe(id);
});

test("scattered letters find nothing", () => {
  expect(found("vhm")).toEqual([]);
  expect(found("xyz")).toEqual([]);
});

test("a command that is registered twice is found once, as the latest", () => {
  const twice = [...commands, command("notes.new", "notes", "New note in garden")];
  expect(rank(twice, "new note").flatMap((g) => g.commands.map((c) => c.label))[0]).toBe("New note in garden");
});
