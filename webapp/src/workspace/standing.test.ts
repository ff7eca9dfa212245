import { expect, test } from "vitest";
import type { LocalNote, Sync } from "@/replica/types";
import { standing } from "./standing";

const calm: Sync = { saving: "saved", pending: 0, online: true, whole: true, loaded: true };
const notes = (...saving: LocalNote["saving"][]) => saving.map((s) => ({ saving: s }) as LocalNote);

test.each<[string, Partial<Sync>, LocalNote[], ReturnType<typeof standing>]>([
  ["all is saved", {}, notes("saved"), { kind: "saved", count: 0 }],
  ["some is not here yet", { whole: false }, [], { kind: "fetching", count: 0 }],
  ["some is on its way", { saving: "saving", pending: 2 }, [], { kind: "saving", count: 2 }],
  ["what is on its way counts more than what is not here", { saving: "saving", pending: 1, whole: false }, [], { kind: "saving", count: 1 }],
  ["offline, with nothing to send", { online: false }, [], { kind: "offline", count: 0 }],
  ["offline, with something", { online: false, saving: "waiting", pending: 3 }, [], { kind: "offline_kept", count: 3 }],
  ["the server is there, but takes nothing now", { saving: "waiting", pending: 1 }, [], { kind: "kept", count: 1 }],
  ["a conflict is said offline too", { online: false, saving: "conflict", pending: 3 }, notes("conflict", "waiting", "conflict"), { kind: "conflict", count: 2 }],
  ["a full disk", { saving: "unkept", pending: 2 }, notes("unkept", "conflict"), { kind: "unkept", count: 1 }],
  ["what is not taken", { saving: "refused", pending: 1 }, notes("refused", "saved"), { kind: "refused", count: 1 }],
])("%s", (_, sync, notes, said) => {
  expect(standing({ ...calm, ...sync }, notes)).toEqual(said);
});
