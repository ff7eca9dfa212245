import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Entry } from "@/live/types";
import {
  isIn,
  type Known,
  nothing,
  outdated,
  type Page,
  parseNotice,
  statuses,
  type View,
  withAnswer,
  withEntry,
  withPage,
  withReadingAnswer,
} from "./known";
import { ModelInbox } from "./model";

const anyCategory = fc.constantFrom("security", "system");
const anyView = fc.record({
  status: fc.constantFrom(...statuses),
  category: fc.option(anyCategory, { nil: undefined }),
});
const nth = fc.nat(20);
const stamp = fc.constantFrom("t", null);

const change = fc.oneof(
  { weight: 4, arbitrary: anyCategory.map((c) => (m: ModelInbox) => m.publish(c)) },
  fc
    .tuple(
      nth,
      fc.oneof(fc.record({ read_at: stamp }), fc.record({ archived_at: stamp }), fc.record({ snoozed_until: stamp })),
    )
    .map(
      ([n, to]) =>
        (m: ModelInbox) =>
          m.update(m.nth(n), to),
    ),
  nth.map((n) => (m: ModelInbox) => m.delete(m.nth(n))),
  fc.tuple(fc.nat(40), fc.option(anyCategory, { nil: "" })).map(
    ([up, c]) =>
      (m: ModelInbox) =>
        m.readAll(up, c),
  ),
);

/**
 * Something happens on the server; an entry arrives; the next page of a view is
 * asked for, or arrives; entries are missed, and so all is asked for anew.
 */
const step = fc.oneof(
  { weight: 8, arbitrary: change },
  { weight: 4, arbitrary: fc.constant("entry" as const) },
  { weight: 4, arbitrary: fc.record({ of: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant("resync" as const) },
);

describe("what is known of the inbox", () => {
  test("is what the server has, in whatever order entries and pages come", () => {
    fc.assert(
      fc.property(anyView, anyView, fc.array(step, { maxLength: 60, size: "max" }), (one, other, steps) => {
        const entries: Entry[] = [];
        const server = new ModelInbox((e) => entries.push(e));
        let known = nothing("A");
        let heard = 0;
        const views = [one, other].map((view) => ({
          view,
          floor: Infinity,
          asked: undefined as ReturnType<ModelInbox["page"]> | undefined,
        }));
        const hear = () => {
          const entry = entries[heard];
          if (!entry) return;
          heard++;
          known = withEntry(known, entry);
        };
        const read = (v: (typeof views)[number]) => {
          if (!v.asked) return;
          known = withPage(known, v.view, v.asked);
          v.floor = v.asked.floor;
          v.asked = undefined;
        };
        const missAll = () => {
          heard = server.seq;
          known = outdated(known);
          for (const v of views) Object.assign(v, { floor: Infinity, asked: undefined });
        };
        for (const s of steps) {
          if (typeof s === "function") s(server);
          else if (s === "entry") hear();
          else if (s === "resync") missAll();
          else
            for (const v of views.slice(s.of, s.of + 1)) {
              if (v.asked) read(v);
              else if (v.floor > 0) v.asked = server.page(v.view, v.floor);
            }
        }
        for (const v of views) {
          if (v.floor === Infinity) v.asked ??= server.page(v.view, v.floor);
          read(v);
        }
        while (heard < server.seq) hear();

        for (const { view, floor } of views) {
          const list = [...known.notices.values()].flatMap(({ is }) =>
            is && isIn(view, is) && is.seq >= floor ? [is] : [],
          );
          expect(list.sort((a, b) => b.seq - a.seq)).toEqual(server.list(view).filter((n) => n.seq >= floor));
        }
        expect(known.unread.is).toBe(server.unread);
      }),
      { numRuns: 1_000 },
    );
  }, 30_000);

  test("begins anew with another epoch", () => {
    const server = new ModelInbox(() => undefined);
    server.publish("system");
    const known = withPage(nothing("A"), { status: "all" }, server.page({ status: "all" }, Infinity));
    const page: Page = { data: [], unread: 0, stream: { epoch: "B", seq: 1 } };
    expect(withPage(known, { status: "all" }, page)).toEqual({ ...nothing("B"), unread: { is: 0, at: 1 } });
  });
});

describe("an answer to a change", () => {
  const server = new ModelInbox(() => undefined);
  server.publish("system");
  server.publish("sharing");
  const view: View = { status: "all" };
  const known = withPage(nothing("A"), view, server.page(view, Infinity));
  const n1 = known.notices.get("n1")?.is;
  if (!n1) throw new Error("n1 is not there");
  const read = { ...n1, read_at: "r" };

  test("holds until its entry comes, which then changes nothing", () => {
    const after = withAnswer(known, known, "n1", read);
    expect(after.notices.get("n1")?.is).toEqual(read);
    expect(after.unread.is).toBe(1);
    const entry = { epoch: "A", seq: 3, type: "notification", data: read, unread: 1 };
    expect(withEntry(after, entry)).toMatchObject({ unread: { is: 1 } });
  });

  test("that comes after its entry is left", () => {
    const heard: Known = withEntry(known, { epoch: "A", seq: 3, type: "notification", data: n1, unread: 2 });
    expect(withAnswer(heard, known, "n1", read)).toBe(heard);
  });

  test("counts when others are under way", () => {
    const n2 = known.notices.get("n2")?.is;
    const one = withAnswer(known, known, "n1", read);
    expect(withAnswer(one, known, "n2", n2 && { ...n2, archived_at: "r" }).unread.is).toBe(0);
  });

  test("of a deletion", () => {
    expect(withAnswer(known, known, "n1", undefined)).toMatchObject({ unread: { is: 1 } });
  });

  test("that many were read", () => {
    const after = withReadingAnswer(known, known, { up_to_seq: 1, category: "", read_at: "r" }, 1);
    expect([after.notices.get("n1")?.is?.read_at, after.notices.get("n2")?.is?.read_at, after.unread.is]).toEqual([
      "r",
      null,
      1,
    ]);
  });
});

test("what is no notification is none", () => {
  fc.assert(fc.property(fc.anything(), (v) => parseNotice(v) === undefined));
  const good = { id: "x", seq: 1, category: "c", title: "", body: "", data: {}, link: "", created_at: "t" };
  expect(parseNotice({ ...good, read_at: null, archived_at: null, snoozed_until: "t" })).toBeDefined();
  expect(parseNotice({ ...good, read_at: 1, archived_at: null, snoozed_until: null })).toBeUndefined();
});
