import { describe, expect, test } from "vitest";
import type { LocalNote } from "@/replica/types";
import { arrange, arranging, belongs, count, homeOf } from "./lists";

let made = 0;

function note(n: Partial<LocalNote>): LocalNote {
  return {
    id: String(++made).padStart(4, "0"),
    title: "",
    body: "",
    tags: [],
    pinned: false,
    status: "active",
    reminder_at: null,
    role: "owner",
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    version: 1,
    saving: "saved",
    ...n,
  };
}

const titles = (notes: readonly LocalNote[]) => notes.map((n) => n.title);

describe("a note belongs", () => {
  test.each<[Partial<LocalNote>, string[]]>([
    [{}, ["notes"]],
    [{ status: "archived" }, ["archive"]],
    [{ status: "trashed" }, ["trash"]],
    [{ role: "viewer" }, ["shared"]],
    [{ role: "editor", status: "archived" }, ["shared"]],
    [{ role: "editor", status: "trashed" }, []],
  ])("%o to %o", (n, lists) => {
    const kinds = ["notes", "shared", "archive", "trash"] as const;
    expect(kinds.filter((kind) => belongs({ kind }, note(n)))).toEqual(lists);
    if (lists[0]) expect(homeOf(note(n)).kind).toBe(lists[0]);
  });

  test("to the list of each of its tags while it is active, whoever's it is", () => {
    const list = { kind: "tag", tag: "home" } as const;
    expect(belongs(list, note({ tags: ["work", "home"] }))).toBe(true);
    expect(belongs(list, note({ tags: ["home"], role: "viewer" }))).toBe(true);
    expect(belongs(list, note({ tags: ["Home"] }))).toBe(false);
    expect(belongs(list, note({ tags: ["home"], status: "archived" }))).toBe(false);
  });
});

describe("a list", () => {
  const times = ["2026-01-01T10:00:00Z", "2026-01-01T10:00:00.5Z", "2026-01-01T09:59:59.999999Z"];

  test("has the last changed first, to the microsecond's fraction that a time has", () => {
    const notes = times.map((updated_at) => note({ updated_at, title: updated_at }));
    expect(titles(arrange(notes, { kind: "notes" }, "-updated_at", "en").others)).toEqual([times[1], times[0], times[2]]);
    expect(titles(arrange(notes, { kind: "notes" }, "updated_at", "en").others)).toEqual([times[2], times[0], times[1]]);
  });

  test("sorts titles as the language does, numbers by their size, and by first lines where there is no title", () => {
    const notes = ["Zebra", "łódź", "Lato", "nr 10", "nr 9", "Ćma", ""].map((title) => note({ title, body: "# Mak" }));
    expect(titles(arrange(notes, { kind: "notes" }, "title", "pl").others)).toEqual([
      "Ćma", "Lato", "łódź", "", "nr 9", "nr 10", "Zebra",
    ]);
    expect(titles(arrange(notes, { kind: "notes" }, "-title", "pl").others)[0]).toBe("Zebra");
  });

  test("sets its pinned notes apart, but not in the archive or the trash", () => {
    const notes = [note({ title: "a" }), note({ title: "b", pinned: true, updated_at: "2025-01-01T00:00:00Z" })];
    const { pinned, others } = arrange(notes, { kind: "notes" }, "-updated_at", "en");
    expect([titles(pinned), titles(others)]).toEqual([["b"], ["a"]]);

    const away = [note({ title: "c", pinned: true, status: "archived" })];
    expect(arrange(away, { kind: "archive" }, "title", "en").pinned).toEqual([]);
  });

  test("takes a pin on another's note for theirs", () => {
    const theirs = note({ pinned: true, role: "editor", tags: ["t"] });
    expect(arrange([theirs], { kind: "tag", tag: "t" }, "title", "en").pinned).toEqual([]);
  });

  test("keeps notes that are alike in one order, the newest first", () => {
    const [a, b] = [note({ title: "same" }), note({ title: "same" })];
    for (const notes of [[a, b], [b, a]]) {
      expect(arrange(notes, { kind: "notes" }, "title", "en").others).toEqual([b, a]);
    }
  });
});

test("a list arranged again has what came, changed and went in its place", () => {
  const arrange = arranging();
  const before = ["a", "b", "c", "d"].map((title) => note({ title }));
  const notes = new Map(before.map((n) => [n.id, n]));
  const list = { kind: "notes" } as const;
  expect(titles(arrange(notes, list, "title", "en").others)).toEqual(["a", "b", "c", "d"]);

  const [a, b, c] = before;
  if (!a || !b || !c) throw new Error();
  notes.delete(b.id);
  notes.set(a.id, { ...a, title: "z" });
  notes.set(c.id, { ...c, pinned: true });
  const came = note({ title: "e" });
  notes.set(came.id, came);
  const { pinned, others } = arrange(notes, list, "title", "en");
  expect([titles(pinned), titles(others)]).toEqual([["c"], ["d", "e", "z"]]);
});

test("counts the notes of each list, and the tags of the active ones in the language's order", () => {
  const counts = count(
    [
      note({ tags: ["żaba", "10"] }),
      note({ tags: ["zebra", "9"] }),
      note({ tags: ["zebra"], role: "viewer" }),
      note({ tags: ["gone"], status: "trashed" }),
      note({ status: "archived" }),
    ],
    "pl",
  );
  expect(counts).toEqual({
    notes: 2,
    shared: 1,
    archive: 1,
    trash: 1,
    tags: [
      { tag: "9", count: 1 },
      { tag: "10", count: 1 },
      { tag: "zebra", count: 2 },
      { tag: "żaba", count: 1 },
    ],
  });
});
