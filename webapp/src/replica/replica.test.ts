import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Unreachable } from "@/api/problem";
import { Locks, Model } from "./model";
import { forgetReplica, openReplica } from "./open";
import type { Fetch } from "./server";
import type { Happening, LocalNote, Replica } from "./types";

let opened: Replica[] = [];
let users = 0;
let user: string;
let model: Model;
let locks: Locks;

beforeEach(() => {
  model = new Model();
  locks = new Locks();
  user = "user" + String(users++);
});

afterEach(() => {
  for (const replica of opened) replica.close();
  opened = [];
});

function open(fetch: Fetch = model.as("me"), browser: Locks | undefined = locks, name = user): Replica {
  const replica = openReplica({ id: name }, { fetch, locks: browser as unknown as LockManager });
  opened.push(replica);
  return replica;
}

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 5_000, interval: 5 });
const read = (replica: Replica, id: string): LocalNote | undefined => replica.snapshot().notes.get(id);
const loaded = (replica: Replica): Promise<void> => until(() => expect(replica.snapshot().sync.loaded).toBe(true));
const whole = (replica: Replica): Promise<void> => until(() => expect(replica.snapshot().sync.whole).toBe(true));

function heard(replica: Replica): Happening[] {
  const happenings: Happening[] = [];
  replica.listen((happening) => happenings.push(happening));
  return happenings;
}

async function saved(replica: Replica, id: string): Promise<void> {
  await until(() => expect(read(replica, id)?.saving).toBe("saved"));
}

/** A note that the server and this replica have. */
async function made(replica: Replica, content: Parameters<Replica["create"]>[0]): Promise<string> {
  const id = replica.create(content);
  await saved(replica, id);
  return id;
}

describe("a note", () => {
  it("is there at once, kept soon, and saved when the server has it", async () => {
    const replica = open();
    const id = replica.create({ title: "a" });
    replica.change(id, { body: "b", tags: ["t"] });
    expect(read(replica, id)).toMatchObject({ title: "a", body: "b", saving: "saving", version: 0, role: "owner" });
    expect(replica.snapshot().sync).toMatchObject({ saving: "saving", pending: 1 });
    await replica.kept();
    await replica.sent();
    expect(read(replica, id)).toMatchObject({ title: "a", body: "b", saving: "saved", version: 1 });
    expect(model.of("me")).toMatchObject([{ id, title: "a", body: "b", tags: ["t"] }]);
    expect(replica.snapshot().sync).toMatchObject({ saving: "saved", pending: 0 });
  });

  it("is read again from the disk, sent or not", async () => {
    const one = open(() => Promise.reject(new Unreachable()));
    const id = one.create({ title: "a" });
    one.close();
    const two = open();
    await loaded(two);
    expect(read(two, id)?.title).toBe("a");
    await two.sent();
    expect(model.of("me")).toMatchObject([{ id, title: "a" }]);
  });

  it("keeps its identity while it is the same", async () => {
    const replica = open();
    const id = await made(replica, { title: "a" });
    const [note, snapshot] = [read(replica, id), replica.snapshot()];
    expect(replica.snapshot()).toBe(snapshot);
    await made(replica, { title: "b" });
    expect(replica.snapshot()).not.toBe(snapshot);
    expect(read(replica, id)).toBe(note);
  });

  it("sends only what changed", async () => {
    const bodies: string[] = [];
    const replica = open(async (request) => {
      if (request.method === "PATCH") bodies.push(await request.clone().text());
      return model.as("me")(request);
    });
    const id = await made(replica, { title: "a", body: "b" });
    replica.change(id, { title: "A", body: "b" });
    await saved(replica, id);
    expect(bodies).toEqual(['{"title":"A"}']);
  });

  it("has what the server makes of it", async () => {
    const replica = open();
    const id = await made(replica, { title: "half \ud800 and \0 none", reminder_at: "2026-01-01T00:00:00.000Z" });
    expect(read(replica, id)?.title).toBe("half \ufffd and  none");
  });

  it("is trashed and deleted for good, even before it was sent", async () => {
    const replica = open();
    const id = await made(replica, { title: "a" });
    replica.change(id, { status: "trashed" });
    replica.erase(id);
    expect(read(replica, id)).toBeUndefined();
    const never = replica.create({ title: "b" });
    replica.erase(never);
    await replica.sent();
    expect(model.notes.size).toBe(0);
    expect(model.log.filter((line) => line.startsWith("POST"))).toHaveLength(1);
  });

  it("may be written in the trash", async () => {
    const replica = open();
    const id = await made(replica, { title: "a", status: "trashed" });
    replica.change(id, { body: "b" });
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ body: "b", status: "trashed" }]);
  });

  it("that is not taken says why, until it is another", async () => {
    const replica = open();
    const id = replica.create({ title: "x".repeat(201) });
    await until(() => expect(read(replica, id)).toMatchObject({ saving: "refused", refusal: { code: "invalid" } }));
    const asked = model.log.length;
    replica.pull();
    await until(() => expect(model.log.length).toBeGreaterThan(asked));
    expect(model.log.filter((line) => line.startsWith("POST"))).toHaveLength(1);
    replica.change(id, { title: "x" });
    await saved(replica, id);
  });

  it("of another's is written in by an editor, and not by a viewer", async () => {
    const theirs = open(model.as("them"), new Locks(), user + "them");
    const id = await made(theirs, { title: "a", body: "b" });
    model.share(id, "me", "viewer");
    const mine = open();
    await whole(mine);
    mine.change(id, { body: "B" });
    expect(read(mine, id)).toMatchObject({ body: "b", role: "viewer", saving: "saved" });
    model.share(id, "me", "editor");
    mine.pull();
    await until(() => expect(read(mine, id)?.role).toBe("editor"));
    mine.change(id, { body: "B", pinned: true });
    await saved(mine, id);
    expect(model.of("me")).toMatchObject([{ body: "B", pinned: false }]);
  });
});

describe("what was written elsewhere", () => {
  it("comes", async () => {
    const replica = open();
    const id = await made(replica, { title: "a" });
    model.change(id, { title: "A" });
    replica.pull();
    await until(() => expect(read(replica, id)).toMatchObject({ title: "A", saving: "saved", version: 2 }));
    model.remove(id);
    replica.pull();
    await until(() => expect(read(replica, id)).toBeUndefined());
  });

  it("is merged with what was written here, and that is told", async () => {
    const replica = open();
    const happenings = heard(replica);
    const id = await made(replica, { body: "a\nb" });
    model.change(id, { body: "A\nb" });
    replica.change(id, { body: "a\nB" });
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ body: "A\nB" }]);
    expect(read(replica, id)?.body).toBe("A\nB");
    expect(happenings).toEqual([{ type: "merged", id }]);
  });

  it("is a conflict where it overlaps, until somebody resolves it", async () => {
    const replica = open();
    const id = await made(replica, { body: "a" });
    model.change(id, { body: "theirs" });
    replica.change(id, { body: "mine" });
    await until(() => expect(read(replica, id)?.saving).toBe("conflict"));
    expect(read(replica, id)?.conflict).toMatchObject({
      base: { body: "a" },
      mine: { body: "mine" },
      theirs: { body: "theirs" },
      merged: { body: "mine\n\ntheirs" },
    });
    expect(model.of("me")).toMatchObject([{ body: "theirs" }]);
    replica.change(id, { body: "mine too" });
    model.change(id, { body: "theirs too" });
    replica.pull();
    await until(() => expect(read(replica, id)?.conflict?.theirs.body).toBe("theirs too"));
    const conflict = read(replica, id)?.conflict;
    if (!conflict) throw new Error("no conflict");
    expect(conflict.mine.body).toBe("mine too");
    replica.resolve(id, { ...conflict.merged, body: "both" });
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ body: "both" }]);
  });

  it.each(["a", "theirs"])("ends a conflict when I write %s", async (body) => {
    const replica = open();
    const id = await made(replica, { body: "a" });
    model.change(id, { body: "theirs" });
    replica.change(id, { body: "mine" });
    await until(() => expect(read(replica, id)?.saving).toBe("conflict"));
    replica.change(id, { body });
    expect(read(replica, id)).toMatchObject({ body: "theirs", saving: "saved", version: 2 });
  });

  it("is not deleted unseen", async () => {
    const replica = open();
    const happenings = heard(replica);
    const id = await made(replica, { body: "a", status: "trashed" });
    model.change(id, { body: "b" });
    replica.erase(id);
    await until(() => expect(read(replica, id)).toMatchObject({ body: "b", saving: "saved" }));
    expect(happenings).toEqual([{ type: "spared", id }]);
  });

  it("takes nothing away of what was written here in a note that went", async () => {
    const replica = open();
    const happenings = heard(replica);
    const id = await made(replica, { body: "a", tags: ["t"] });
    model.remove(id);
    replica.change(id, { body: "b" });
    await until(() => expect(model.of("me")).toMatchObject([{ body: "b", tags: ["t"] }]));
    const as = model.of("me")[0]?.id ?? "";
    expect(happenings).toEqual([{ type: "recovered", id, as }]);
    expect(read(replica, id)).toBeUndefined();
    await saved(replica, as);
    replica.change(id, { body: "bc" });
    expect(read(replica, as)?.body).toBe("bc");
  });

  it("leaves nothing of a note that went, but for a pin that I had put on it", async () => {
    const replica = open();
    const id = await made(replica, { body: "a" });
    model.remove(id);
    replica.change(id, { pinned: true });
    await until(() => expect(read(replica, id)).toBeUndefined());
    expect(replica.snapshot().notes.size).toBe(0);
  });

  it("is a note of my own where I may not change theirs any more", async () => {
    const theirs = open(model.as("them"), new Locks(), user + "them");
    const id = await made(theirs, { body: "a", pinned: true });
    model.share(id, "me", "editor");
    const mine = open();
    const happenings = heard(mine);
    await whole(mine);
    model.share(id, "me", "viewer");
    mine.change(id, { body: "b" });
    await until(() => expect(happenings).toMatchObject([{ type: "recovered", id }]));
    await mine.sent();
    expect(model.of("me")).toMatchObject([
      { id, body: "a", role: "viewer" },
      { body: "b", role: "owner", pinned: false },
    ]);
    expect(mine.snapshot().notes.size).toBe(2);
  });

  it("comes between what an editor has and what it says", async () => {
    const replica = open();
    const id = await made(replica, { body: "a\nb" });
    const from = read(replica, id);
    model.change(id, { body: "A\nb" });
    replica.pull();
    await until(() => expect(read(replica, id)?.body).toBe("A\nb"));
    replica.change(id, { body: "a\nB" }, from);
    expect(read(replica, id)?.body).toBe("A\nB");
    model.remove(id);
    await until(() => expect(replica.snapshot().notes.has(id)).toBe(false));
  });

  it("comes whole again when the feed has forgotten", async () => {
    const replica = open();
    const ids = await Promise.all(Array.from({ length: 20 }, (_, i) => made(replica, { title: String(i) })));
    const [gone = "", changed = "", dirty = ""] = ids;
    model.remove(gone);
    model.remove(dirty);
    model.prune();
    model.change(changed, { title: "new" });
    replica.change(dirty, { body: "b" });
    replica.pull();
    await until(() => expect(replica.snapshot().notes.has(gone)).toBe(false));
    await replica.sent();
    await until(() => expect(replica.snapshot().sync.whole).toBe(true));
    expect(replica.snapshot().notes.size).toBe(19);
    expect(read(replica, changed)?.title).toBe("new");
    expect(model.of("me").filter((note) => note.body === "b")).toHaveLength(1);
  });
});

describe("a network that fails", () => {
  /** A line that loses the next of these requests, or its answer. */
  function lossy(): { fetch: Fetch; lose: (method: string, part: "request" | "answer") => void } {
    let next: { method: string; part: string } | undefined;
    return {
      fetch: (request) =>
        model.as("me", async (serve) => {
          if (request.method !== next?.method) return serve();
          const { part } = next;
          next = undefined;
          if (part === "answer") serve();
          throw new Unreachable();
        })(request),
      lose: (method, part) => {
        next = { method, part };
      },
    };
  }

  it("is told, and what is written waits", async () => {
    let down = true;
    const replica = open((request) => (down ? Promise.reject(new Unreachable()) : model.as("me")(request)));
    await until(() => expect(replica.snapshot().sync.online).toBe(false));
    const id = replica.create({ title: "a" });
    expect(read(replica, id)?.saving).toBe("waiting");
    down = false;
    dispatchEvent(new Event("online"));
    await saved(replica, id);
    expect(replica.snapshot().sync).toMatchObject({ online: true, pending: 0 });
  });

  it.each(["request", "answer"] as const)("makes a note once, whichever is lost: the %s", async (part) => {
    const { fetch, lose } = lossy();
    const replica = open(fetch);
    lose("POST", part);
    const id = replica.create({ title: "a" });
    await until(() => expect(replica.snapshot().sync.online).toBe(false));
    replica.change(id, { title: "b" });
    replica.pull();
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ id, title: "b" }]);
    expect(read(replica, id)?.conflict).toBeUndefined();
  });

  it.each(["request", "answer"] as const)("is in no conflict with itself, whichever is lost: the %s", async (part) => {
    const { fetch, lose } = lossy();
    const replica = open(fetch);
    const happenings = heard(replica);
    const id = await made(replica, { body: "a" });
    lose("PATCH", part);
    replica.change(id, { body: "ab" });
    await until(() => expect(read(replica, id)?.saving).toBe("waiting"));
    replica.change(id, { body: "abc" });
    replica.pull();
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ body: "abc" }]);
    expect(happenings).toEqual([]);
  });

  it("brings what was taken back, too", async () => {
    const { fetch, lose } = lossy();
    const replica = open(fetch);
    const id = await made(replica, { body: "a" });
    lose("PATCH", "answer");
    replica.change(id, { body: "ab" });
    await until(() => expect(read(replica, id)?.saving).toBe("waiting"));
    replica.change(id, { body: "a" });
    expect(read(replica, id)?.saving).not.toBe("saved");
    replica.pull();
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ body: "a" }]);
  });

  it("does not hide a note that another had the id of", async () => {
    const replica = open((request) => model.as("me")(request));
    const happenings = heard(replica);
    const id = replica.create({ title: "mine" });
    await model.as("them")(
      new Request("http://x/v1/notes", {
        method: "POST",
        body: JSON.stringify({ id, title: "theirs", body: "", tags: [], status: "active" }),
      }),
    );
    await replica.sent();
    const as = model.of("me")[0]?.id ?? "";
    expect(model.of("me")).toMatchObject([{ title: "mine" }]);
    expect(happenings).toEqual([{ type: "recovered", id, as }]);
  });

  it("is not a server that says nothing of a note: a gateway that finds no way", async () => {
    let lost = false;
    const replica = open((request) =>
      lost ? Promise.resolve(new Response('{"code":"not_found"}', { status: 404 })) : model.as("me")(request),
    );
    const id = await made(replica, { body: "a" });
    lost = true;
    replica.change(id, { body: "b" });
    await replica.sent(AbortSignal.timeout(700));
    expect(read(replica, id)).toMatchObject({ body: "b", saving: "saving" });
    lost = false;
    replica.pull();
    await saved(replica, id);
  });
});

describe("tabs", () => {
  it("show the same at once, and one of them sends", async () => {
    const [one, two] = [open(), open()];
    await whole(two);
    const id = two.create({ title: "a" });
    await until(() => expect(read(one, id)?.title).toBe("a"));
    one.change(id, { body: "b" });
    await until(() => expect(read(two, id)).toMatchObject({ body: "b", saving: "saved" }));
    expect(model.of("me")).toMatchObject([{ title: "a", body: "b" }]);
    expect(model.log.filter((line) => line.startsWith("POST"))).toHaveLength(1);
  });

  it("merge what is written in both at once", async () => {
    const [one, two] = [open(), open()];
    const id = await made(one, { body: "a\nb\nc" });
    await saved(two, id);
    one.change(id, { body: "A\nb\nc" });
    two.change(id, { body: "a\nb\nC" });
    await until(() => {
      expect(read(one, id)?.body).toBe("A\nb\nC");
      expect(read(two, id)?.body).toBe("A\nb\nC");
    });
    await Promise.all([one.sent(), two.sent()]);
    expect(model.of("me")).toMatchObject([{ body: "A\nb\nC" }]);
  });

  it("take over from one that is closed", async () => {
    const [one, two] = [open(), open()];
    await whole(two);
    one.close();
    const id = two.create({ title: "a" });
    await saved(two, id);
  });

  it("lose and double nothing when one is left while it writes", async () => {
    const leading = open();
    const left = open();
    const id = await made(leading, { body: "" });
    await saved(left, id);
    for (let turns = 0, body = ""; turns < 24; turns++) {
      left.change(id, { body: (body += "a") });
      for (let i = 0; i < turns; i++) await new Promise(setImmediate);
      left.change(id, { body: (body += "b") });
      dispatchEvent(new Event("pagehide"));
      for (const tab of [leading, left]) await until(() => expect(read(tab, id)?.body).toBe(body));
    }
  });

  it("all hear of what happened", async () => {
    const [one, two] = [open(), open()];
    const happenings = heard(two);
    const id = await made(two, { body: "a\nb" });
    await saved(one, id);
    model.change(id, { body: "A\nb" });
    two.change(id, { body: "a\nB" });
    await until(() => expect(happenings).toEqual([{ type: "merged", id }]));
    await until(() => expect(read(two, id)?.body).toBe("A\nB"));
  });

  it("are closed when the user's notes are forgotten", async () => {
    const [one] = [open(), open()];
    await made(one, { title: "a" });
    await forgetReplica(user);
    const again = open(() => Promise.reject(new Unreachable()));
    await loaded(again);
    expect(again.snapshot().notes.size).toBe(0);
  });
});

describe("a disk that is full", () => {
  it("is told, and what is written gets to the server all the same", async () => {
    const full = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    let down = true;
    const replica = open((request) => (down ? Promise.reject(new Unreachable()) : model.as("me")(request)));
    const id = replica.create({ title: "a" });
    await until(() => expect(read(replica, id)?.saving).toBe("unkept"));
    expect(replica.snapshot().sync.saving).toBe("unkept");
    down = false;
    replica.pull();
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ id, title: "a" }]);
    full.mockRestore();
    replica.change(id, { title: "b" });
    await replica.kept();
    await saved(replica, id);
    expect(model.of("me")).toMatchObject([{ id, title: "b" }]);
  });
});
