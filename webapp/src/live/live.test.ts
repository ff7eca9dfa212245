import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { session } from "@/api/session";
import { openLive } from "./live";
import { TestServer, testUser } from "./testserver";
import type { Entry, Live } from "./types";

let server: TestServer;
let tabs: Live[];

beforeEach(async () => {
  tabs = [];
  localStorage.clear();
  vi.spyOn(Math, "random").mockReturnValue(0); // no wait before the next try
  server = new TestServer();
  await server.start();
  await session.login("ada", "a long password");
});

afterEach(async () => {
  for (const live of tabs) live.close();
  await server.stop();
  vi.restoreAllMocks();
});

/** Opens a tab's stream, and notes what it tells of. */
function openTab() {
  const live = openLive(testUser);
  const heard: string[] = [];
  live.subscribe(({ type, epoch, seq }: Entry) => heard.push(`${type} ${epoch}${seq}`));
  tabs.push(live);
  return { live, heard };
}

const until = (condition: () => void) => vi.waitFor(condition, { timeout: 5_000, interval: 5 });

async function connection() {
  await until(() => expect([...server.connections].some((c) => c.at)).toBe(true));
  const [c] = server.connections;
  if (!c) throw new Error("no connection");
  return c;
}

test("a first start can't know what it missed, and then hears of all", async () => {
  server.publish("note.created");
  const { heard } = openTab();
  await connection();
  server.publish("note.changed");
  server.publish("notification");
  await until(() => expect(heard).toEqual(["resync A1", "note.changed A2", "notification A3"]));
});

test("a stream without entries goes on when it gets its first", async () => {
  const { heard } = openTab();
  await connection();
  server.publish("note.created");
  await until(() => expect(heard).toEqual(["resync 0", "note.created A1"]));
  (await connection()).cut();
  await until(() => expect(server.opened).toHaveLength(2));
  server.publish("note.created");
  await until(() => expect(heard).toEqual(["resync 0", "note.created A1", "note.created A2"]));
});

test.each(["cut", "restart"])("a connection that is %s goes on where it was", async (how) => {
  const { heard } = openTab();
  const c = await connection();
  server.publish("one");
  await until(() => expect(heard).toContain("one A1"));
  c.at = undefined; // what comes is too late for this connection
  server.publish("two");
  if (how === "cut") c.cut();
  else c.end(1012);
  await until(() => expect(heard.slice(1)).toEqual(["one A1", "two A2"]));
  server.publish("three");
  await until(() => expect(heard.slice(1)).toEqual(["one A1", "two A2", "three A3"]));
});

test("the next start goes on where the last one was", async () => {
  const first = openTab();
  await connection();
  server.publish("one");
  await until(() => expect(first.heard).toContain("one A1"));
  first.live.close();
  server.publish("two");
  const { heard } = openTab();
  await until(() => expect(heard).toEqual(["two A2"]));
});

test.each(["another epoch", "entries that are gone", "a position ahead of the stream"])(
  "a resync takes over: %s",
  async (why) => {
    const { heard } = openTab();
    const c = await connection();
    for (let i = 0; i < 5; i++) server.publish("old");
    await until(() => expect(heard).toHaveLength(6));
    server.down = true;
    c.cut();
    await until(() => expect(server.connections.size).toBe(0));
    if (why === "another epoch") Object.assign(server, { epoch: "B", seq: 8 });
    else if (why === "entries that are gone") server.entries.delete(6);
    else server.seq = 2;
    if (why === "entries that are gone") server.seq = 8;
    server.down = false;
    await connection();
    server.publish("new");
    await until(() =>
      expect(heard.slice(6)).toEqual([`resync ${server.epoch}${server.seq - 1}`, `new ${server.epoch}${server.seq}`]),
    );
  },
);

test("what comes twice is told once, and a hole is told", async () => {
  const { heard } = openTab();
  const c = await connection();
  const entry = (seq: number) => ({ epoch: "A", seq, type: "x", data: {}, unread: 0 });
  for (const seq of [1, 2, 1, 2, 3, 6, 5, 7]) c.send(entry(seq));
  await until(() => expect(heard.slice(1)).toEqual(["x A1", "x A2", "x A3", "resync A5", "x A6", "x A7"]));
});

test("what is no message is dropped", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { heard } = openTab();
  const c = await connection();
  c.send([] as object);
  c.send({ epoch: "A", seq: "1", type: "x" });
  server.publish("one");
  await until(() => expect(heard).toContain("one A1"));
  expect(warn).toHaveBeenCalledTimes(2);
});

test("a listener that fails keeps nothing from the others", async () => {
  const report = vi.fn();
  vi.stubGlobal("reportError", report);
  const live = openLive(testUser);
  tabs.push(live);
  live.subscribe(() => {
    throw new Error("oh");
  });
  const heard = vi.fn();
  live.subscribe(heard);
  await until(() => expect(heard).toHaveBeenCalled());
  expect(report).toHaveBeenCalled();
});

test("where WebSockets are blocked, events do, until a WebSocket can be opened", async () => {
  server.blocked = Infinity;
  const { heard } = openTab();
  const c = await connection();
  expect(c.over).toBe("events");
  server.publish("one");
  await until(() => expect(heard.slice(1)).toEqual(["one A1"]));
  expect(server.refused).toBe(2);
  c.end(1012); // a WebSocket is tried once, and then events again
  await until(() => expect(server.opened).toEqual(["events", "events"]));
  expect(server.refused).toBe(3);
  server.publish("two");
  await until(() => expect(heard.slice(1)).toEqual(["one A1", "two A2"]));
  server.blocked = 0;
  (await connection()).cut();
  await until(() => expect(server.opened).toEqual(["events", "events", "socket"]));
  server.publish("three");
  await until(() => expect(heard.slice(1)).toEqual(["one A1", "two A2", "three A3"]));
});

test("one WebSocket that can't be opened is an accident", async () => {
  openTab();
  for (let i = 1; i < 4; i++) {
    const c = await connection();
    server.blocked = 1;
    c.cut();
    await until(() => expect(server.opened).toHaveLength(i + 1));
    expect(server.refused).toBe(i);
  }
  expect(server.opened).not.toContain("events");
});

test("a server that is down is tried until it is back", async () => {
  const { heard } = openTab();
  const c = await connection();
  server.down = true;
  c.cut();
  await until(() => expect(server.connections.size).toBe(0));
  server.publish("meanwhile");
  server.down = false;
  await until(() => expect(heard).toContain("meanwhile A1"));
  expect(server.opened).toEqual(["socket", "socket"]);
});

test("waits ever longer for a server that stays down", async () => {
  vi.mocked(Math.random).mockReturnValue(1);
  const expected = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
  const waits: number[] = [];
  const later = setTimeout; // which others use, too
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms = 0) => {
    if (!expected.includes(ms)) return later(run, ms);
    waits.push(ms);
    return later(run);
  }) as typeof setTimeout);
  server.down = true;
  openTab();
  await until(() => expect(waits.length).toBeGreaterThan(6));
  expect(waits.slice(0, 7)).toEqual(expected);
});

test.each([false, true])("a session that ended elsewhere ends here; sockets blocked: %s", async (blocked) => {
  server.blocked = blocked ? Infinity : 0;
  openTab();
  const c = await connection();
  server.sessionEnded = true;
  c.end(4401);
  await until(() => expect(session.state).toEqual({ status: "out", ended: testUser }));
});

test("a session that is still there goes on", async () => {
  const { heard } = openTab();
  (await connection()).end(4401);
  await until(() => expect(server.opened).toHaveLength(2));
  server.publish("one");
  await until(() => expect(heard).toContain("one A1"));
  expect(session.state.status).toBe("in");
});

test("tabs share one connection, and the next takes over without a hole", async () => {
  const [first, second, third] = [openTab(), openTab(), openTab()];
  await connection();
  server.publish("one");
  for (const t of [first, second, third]) await until(() => expect(t.heard).toContain("one A1"));
  expect(server.connections.size).toBe(1);
  first.live.close();
  server.publish("two");
  for (const t of [second, third]) await until(() => expect(t.heard.slice(1)).toEqual(["one A1", "two A2"]));
  expect(server.connections.size).toBe(1);
  expect(first.heard).not.toContain("two A2");
});

test("the next tab takes over what the last one could not pass on", async () => {
  const [first, second] = [openTab(), openTab()];
  const c = await connection();
  server.publish("one");
  await until(() => expect(second.heard).toContain("one A1"));
  c.at = undefined;
  server.publish("two");
  server.publish("three");
  localStorage.setItem("trellis-live-" + testUser.id, JSON.stringify({ epoch: "A", seq: 2 }));
  first.live.close();
  await until(() => expect(second.heard.slice(1)).toEqual(["one A1", "two A2", "three A3"]));
});

test("when the network is back, nobody waits", async () => {
  vi.mocked(Math.random).mockReturnValue(1_000); // waits longer than any test
  const { heard } = openTab();
  const other = openTab(); // which has no connection
  const c = await connection();
  c.cut();
  await until(() => expect(server.connections.size).toBe(0));
  server.publish("one");
  await until(() => {
    dispatchEvent(new Event("online"));
    expect(heard).toContain("one A1");
  });
  await until(() => expect(other.heard).toContain("one A1"));

  (await connection()).cut();
  await until(() => expect(server.connections.size).toBe(0));
  const another = new BroadcastChannel("trellis-live-" + testUser.id); // a tab in sight, of which this one knows
  await until(() => {
    another.postMessage("wake");
    expect(server.connections.size).toBe(1);
  });
  another.close();
});

describe("a connection on which nothing comes", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"], now: Date.now() }));
  afterEach(() => void vi.useRealTimers());

  test.each([
    ["socket", 300_000],
    ["events", 45_000],
  ] as const)("is opened anew after a while: %s", async (over, patience) => {
    server.blocked = over === "events" ? Infinity : 0;
    openTab();
    await connection();
    vi.advanceTimersByTime(patience - 10_000);
    expect(server.opened).toHaveLength(1);
    vi.advanceTimersByTime(15_000);
    await until(() => expect(server.opened).toEqual([over, over]));
  });

  test("is opened anew at once when somebody comes back", async () => {
    openTab();
    await connection();
    dispatchEvent(new Event("online"));
    vi.setSystemTime(Date.now() + 61_000);
    expect(server.opened).toHaveLength(1);
    document.dispatchEvent(new Event("visibilitychange"));
    await until(() => expect(server.opened).toHaveLength(2));
  });
});
