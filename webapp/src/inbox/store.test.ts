import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { session } from "@/api/session";
import { openLive } from "@/live/live";
import { type Answer, TestServer, testUser } from "@/live/testserver";
import type { Live } from "@/live/types";
import type { Notice, View } from "./known";
import { ModelInbox } from "./model";
import { extentOf, Inbox, listOf } from "./store";

let server: TestServer;
let model: ModelInbox;
let tabs: Live[];
/** While it is set, changes wait for it. */
let gate: Promise<void> | undefined;

const all: View = { status: "all" };

beforeEach(async () => {
  localStorage.clear();
  vi.spyOn(Math, "random").mockReturnValue(0);
  tabs = [];
  gate = undefined;
  server = new TestServer();
  model = new ModelInbox(({ type, data, unread }) => server.publish(type, data, unread));
  server.answer = answer;
  await server.start();
  await session.login("ada", "a long password");
});

afterEach(async () => {
  for (const live of tabs) live.close();
  await server.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The API of notifications, as the service has it. */
async function answer(method: string, url: URL, body: unknown): Promise<Answer> {
  const id = url.pathname.split("/")[3] ?? "";
  if (method === "GET") return list(url.searchParams);
  await gate;
  if (id === "read-all") {
    const { up_to_seq, category = "" } = body as { up_to_seq: number; category?: string };
    model.readAll(up_to_seq, category);
    return { status: 200, body: { read: 0, unread: model.unread } };
  }
  if (method === "DELETE") return { status: model.delete(id) ? 204 : 404 };
  const { read, archived, snoozed_until } = body as {
    read?: boolean;
    archived?: boolean;
    snoozed_until?: string | null;
  };
  const notice = model.update(id, {
    ...(read !== undefined && { read_at: read ? "t" : null }),
    ...(archived !== undefined && { archived_at: archived ? "t" : null }),
    ...(snoozed_until !== undefined && { snoozed_until }),
  });
  return notice ? { status: 200, body: notice } : { status: 404 };
}

function list(query: URLSearchParams): Answer {
  const view = { status: query.get("status"), category: query.get("category") ?? undefined } as View;
  const { floor, ...page } = model.page(view, Number(query.get("cursor") ?? Infinity), Number(query.get("limit")));
  return { status: 200, body: { ...page, page: { next_cursor: floor ? String(floor) : null, has_more: floor > 0 } } };
}

/** Opens a tab's inbox, which has been read when this resolves; as one that knows the stream's position, so that is once. */
async function openTab() {
  localStorage.setItem("trellis-live-" + testUser.id, JSON.stringify(server.position));
  const live = openLive(testUser);
  tabs.push(live);
  const inbox = new Inbox(live);
  await until(() => expect(extentOf(inbox.state(), all).floor).not.toBe(Infinity));
  await until(() => expect([...server.connections].some((c) => c.at)).toBe(true));
  return inbox;
}

const until = (condition: () => void) => vi.waitFor(condition, { timeout: 5_000, interval: 5 });
const ids = (inbox: Inbox, view = all) => listOf(inbox.state(), view).map((n) => n.id);
const unread = (inbox: Inbox) => inbox.state().unread;
const refuse = () => {
  server.answer = () => ({ status: 500, body: { code: "internal" } });
};

test("is the same in all tabs", async () => {
  model.publish();
  const [a, b] = [await openTab(), await openTab()];
  model.publish();
  for (const tab of [a, b]) await until(() => expect([ids(tab), unread(tab)]).toEqual([["n2", "n1"], 2]));
  await a.change("n1", { read: true });
  for (const tab of [a, b]) await until(() => expect(unread(tab)).toBe(1));
  await b.readAll(2);
  for (const tab of [a, b]) await until(() => expect(unread(tab)).toBe(0));
  await a.change("n2", { archived: true });
  for (const tab of [a, b]) await until(() => expect(ids(tab)).toEqual(["n1"]));
});

test("a change shows at once, and does not flicker when it is done", async () => {
  model.publish();
  model.publish();
  const inbox = await openTab();
  const counts = new Set<number>();
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  const done = Promise.all([inbox.change("n1", { read: true }), inbox.change("n2", { archived: true })]);
  expect([unread(inbox), ids(inbox)]).toEqual([0, ["n1"]]);
  inbox.subscribe(() => counts.add(unread(inbox)));
  open();
  await done;
  await until(() => expect(server.seq).toBe(4));
  expect([...counts]).toEqual([0]);
});

test.each([
  ["read", (i: Inbox) => i.change("n1", { read: true })],
  ["archived", (i: Inbox) => i.change("n1", { archived: true })],
  ["put off", (i: Inbox) => i.change("n1", { snoozed_until: "2030-01-01T00:00:00Z" })],
  ["read with all", (i: Inbox) => i.readAll(1)],
])("what could not be %s is as it was", async (_, change) => {
  model.publish();
  const inbox = await openTab();
  refuse();
  const done = change(inbox);
  expect(unread(inbox)).toBe(0);
  await expect(done).rejects.toMatchObject({ status: 500 });
  expect([unread(inbox), ids(inbox)]).toEqual([1, ["n1"]]);
});

test("what was gone already is gone", async () => {
  model.publish();
  const inbox = await openTab();
  model.notices.clear();
  await inbox.change("n1", { read: true });
  expect([unread(inbox), ids(inbox)]).toEqual([0, []]);
});

test("a deletion can be taken back for a while", async () => {
  model.publish();
  model.publish();
  const inbox = await openTab();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const one = inbox.remove("n1");
  const two = inbox.remove("n2");
  expect([unread(inbox), ids(inbox)]).toEqual([0, []]);
  vi.advanceTimersByTime(9_000);
  one.undo();
  await one.done;
  expect(ids(inbox)).toEqual(["n1"]);
  expect(model.notices.size).toBe(2);
  vi.advanceTimersByTime(1_000);
  vi.useRealTimers();
  await two.done;
  expect([...model.notices.keys()]).toEqual(["n1"]);
  expect([unread(inbox), ids(inbox)]).toEqual([1, ["n1"]]);
});

test("who leaves the page does not wait to delete", async () => {
  model.publish();
  const inbox = await openTab();
  const { done } = inbox.remove("n1");
  dispatchEvent(new Event("pagehide"));
  await done;
  expect(model.notices.size).toBe(0);
});

test("what could not be deleted is there again", async () => {
  model.publish();
  const inbox = await openTab();
  refuse();
  const { done } = inbox.remove("n1");
  dispatchEvent(new Event("pagehide"));
  await expect(done).rejects.toMatchObject({ status: 500 });
  expect(ids(inbox)).toEqual(["n1"]);
});

test("reads older ones on demand", async () => {
  for (let i = 0; i < 70; i++) model.publish();
  const inbox = await openTab();
  expect(ids(inbox)).toHaveLength(30);
  await Promise.all([inbox.load(all), inbox.load(all)]); // the second one finds the first under way
  expect(ids(inbox)).toHaveLength(60);
  await inbox.load(all);
  await inbox.load(all);
  expect(ids(inbox)).toEqual(model.list(all).map((n) => n.id));
});

test("tells of what comes in, and of nothing else", async () => {
  model.publish();
  const inbox = await openTab();
  const arrived: string[] = [];
  inbox.onArrival((n: Notice) => arrived.push(n.id));
  model.publish();
  model.update("n1", { read_at: "t" });
  model.update("n1", { read_at: null });
  model.update("n2", { snoozed_until: "t" });
  model.update("n2", { snoozed_until: null });
  model.publish();
  await until(() => expect(arrived).toEqual(["n2", "n2", "n7"]));
});

test("knows offline what it knew last", async () => {
  model.publish();
  model.publish();
  const first = await openTab();
  await until(() => expect(unread(first)).toBe(2));
  for (const live of tabs) live.close();
  server.down = true;
  const live = openLive(testUser);
  tabs.push(live);
  const inbox = new Inbox(live);
  expect([unread(inbox), ids(inbox)]).toEqual([2, ["n2", "n1"]]);
  await until(() => expect(extentOf(inbox.state(), all).error).toBeDefined());
  model.delete("n1");
  server.down = false;
  inbox.retry();
  await until(() => expect([unread(inbox), ids(inbox)]).toEqual([1, ["n2"]]));
  inbox.forget();
  expect(localStorage.getItem("trellis-inbox-" + testUser.id)).toBeNull();
});

test("reads anew what it may have missed", async () => {
  for (let i = 0; i < 3; i++) model.publish();
  const inbox = await openTab();
  for (const c of server.connections) c.at = undefined; // which hears no more
  model.delete("n2");
  model.publish();
  server.entries.clear();
  for (const c of server.connections) c.cut();
  await until(() => expect([unread(inbox), ids(inbox)]).toEqual([3, ["n5", "n3", "n1"]]));
});

test.each(["", "{", "null", '{"epoch":"A","unread":1,"latest":[{"id":1}]}'])(
  "what was kept may be broken: %s",
  async (kept) => {
    localStorage.setItem("trellis-inbox-" + testUser.id, kept);
    model.publish();
    expect(ids(await openTab())).toEqual(["n1"]);
  },
);
