import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Unreachable } from "@/api/problem";
import { same } from "./merge";
import { Locks, Model } from "./model";
import { openReplica } from "./open";
import type { Content, LocalNote, Replica } from "./types";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** One after the other of the same numbers for the same seed. */
class Chance {
  constructor(private seed: number) {}

  below(n: number): number {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return (this.seed >>> 8) % n;
  }

  of<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }
}

let worlds = 0;

/** Some people with devices with tabs, and a server that is not always there. */
class World {
  readonly model = new Model();
  readonly devices: Device[];
  /** Every word that somebody typed and nobody deleted. */
  readonly words = new Set<string>();
  readonly trace: string[] = [];
  #typed = 0;

  constructor(readonly chance: Chance) {
    const world = String(worlds++);
    this.devices = ["me", "me", "you"].map((user, i) => new Device(this, user, `${world}-${String(i)}`));
  }

  async live(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) {
      const device = this.chance.of(this.devices);
      for (let burst = this.chance.below(4); device && burst >= 0; burst--) this.act(device);
      await pass(this.chance.below(this.chance.below(4) ? 400 : 5_000));
    }
  }

  act(device: Device): void {
    const action = this.chance.below(20);
    if (action === 0) device.line = this.chance.below(3) as 0 | 1 | 2;
    else if (action === 1) device.reopen();
    else if (action === 2) this.shareSomething();
    else if (action === 3) this.model.prune();
    else if (action === 4) device.tab().pull();
    else this.write(device, device.tab());
  }

  shareSomething(): void {
    const note = this.chance.of([...this.model.notes.values()].filter((n) => n.owner === "me"));
    if (note) this.model.share(note.id, "you", this.chance.of(["editor", "editor", "viewer", undefined] as const));
  }

  write(device: Device, tab: Replica): void {
    const notes = [...tab.snapshot().notes.values()];
    const note = this.chance.of(notes);
    if (!note || (this.chance.below(8) === 0 && notes.length < 8)) {
      const id = tab.create({ body: this.type() });
      this.log(device, "create", id);
    } else if (note.role === "viewer") {
      return;
    } else if (note.conflict && this.chance.below(3) === 0) {
      const choice = this.chance.of(["merged", "merged", "mine", "theirs"] as const) ?? "merged";
      this.replace(note, note.conflict[choice]);
      if (choice === "theirs") this.replace({ ...note, ...note.conflict.mine }, note.conflict.theirs);
      if (choice === "mine") this.replace({ ...note, ...note.conflict.theirs }, note.conflict.mine);
      this.log(device, "resolve " + choice, note.id);
      tab.resolve(note.id, note.conflict[choice]);
    } else {
      this.change(device, tab, note);
    }
  }

  change(device: Device, tab: Replica, note: LocalNote): void {
    const action = this.chance.below(12);
    if (action === 0 && note.role === "owner") {
      tab.change(note.id, { pinned: !note.pinned });
    } else if (action === 1 && note.role === "owner") {
      const status = note.status === "trashed" ? "active" : "trashed";
      this.log(device, status, note.id);
      tab.change(note.id, { status });
    } else if (action === 2 && note.status === "trashed" && note.role === "owner") {
      for (const text of [note, note.conflict?.mine, note.conflict?.theirs]) {
        if (text) this.replace({ ...note, ...text }, undefined);
      }
      this.log(device, "erase", note.id);
      tab.erase(note.id);
    } else {
      this.edit(device, tab, note);
    }
  }

  edit(device: Device, tab: Replica, note: LocalNote): void {
    // An editor may have what was there before.
    const from = this.chance.below(4) === 0 ? (device.before.get(note.id) ?? note) : note;
    device.before.set(note.id, note);
    const lines = from.body.split("\n");
    const at = this.chance.below(lines.length + 1);
    const action = this.chance.below(4);
    if (action === 0) lines.splice(at, 1);
    else if (action === 1) lines[at] = [lines[at] ?? "", this.type()].join(" ").trim();
    else lines.splice(at, 0, this.type());
    const body = lines.join("\n");
    this.replace(from, { ...from, body });
    const behind = from === note ? "" : " from " + JSON.stringify(from.body);
    this.log(device, "edit to " + JSON.stringify(body) + behind, note.id);
    tab.change(note.id, { body }, from);
  }

  type(): string {
    const word = "w" + String(this.#typed++);
    this.words.add(word);
    return word;
  }

  /** Notes which words somebody deletes by this. */
  replace(from: Content, to: Content | undefined): void {
    const kept = wordsIn(to?.body ?? "");
    for (const word of wordsIn(from.body)) if (!kept.has(word)) this.words.delete(word);
  }

  log(device: Device, what: string, id: string): void {
    this.trace.push(`${device.name} ${id.slice(-4)} ${what}`);
  }

  /** Has the network come back, and every conflict be resolved. */
  async settle(): Promise<void> {
    for (const device of this.devices) device.line = 0;
    for (let i = 0; i < 200; i++) {
      for (const { tabs } of this.devices) for (const tab of tabs) settleConflicts(tab);
      for (const device of this.devices) device.tabs[0]?.pull();
      await pass(3_000);
      if (i > 3 && this.devices.every((device) => device.settled())) return;
    }
  }

  close(): void {
    for (const { tabs } of this.devices) for (const tab of tabs) tab.close();
  }
}

function settleConflicts(tab: Replica): void {
  for (const { id, conflict } of tab.snapshot().notes.values()) if (conflict) tab.resolve(id, conflict.merged);
}

function wordsIn(text: string): Set<string> {
  return new Set(text.match(/w\d+/g));
}

class Device {
  /** 0 carries all, 1 loses some, 2 is down. */
  line: 0 | 1 | 2 = 0;
  tabs: Replica[];
  readonly before = new Map<string, LocalNote>();
  readonly #locks = new Locks() as unknown as LockManager;

  constructor(
    readonly world: World,
    readonly user: string,
    readonly name: string,
  ) {
    this.tabs = [this.#open(), this.#open()];
  }

  tab(): Replica {
    return this.world.chance.of(this.tabs) ?? this.#open();
  }

  /** Closes a tab, whatever it is at, and opens another. */
  reopen(): void {
    const { chance } = this.world;
    const tab = this.tab();
    tab.close();
    this.world.trace.push(this.name + " reopen");
    this.tabs = [...this.tabs.filter((other) => other !== tab), this.#open()];
    if (chance.below(2)) this.tabs.reverse();
  }

  /** Whether all tabs and the server have the same. */
  settled(): boolean {
    return this.tabs.every((tab) => this.differences(tab).length === 0);
  }

  differences(tab: Replica): string[] {
    const { notes, sync } = tab.snapshot();
    const theirs = new Map(this.world.model.of(this.user).map((note) => [note.id, note]));
    const found = sync.pending > 0 ? ["pending"] : [];
    for (const id of theirs.keys()) if (!notes.has(id)) found.push("lacks " + id);
    for (const note of notes.values()) {
      const theirNote = theirs.get(note.id);
      if (!theirNote) found.push("has " + note.id);
      else if (!same(note, theirNote as Content) || note.role !== theirNote.role) found.push("differs in " + note.id);
      else if (note.saving !== "saved") found.push(note.saving + " " + note.id);
    }
    return found;
  }

  #open(): Replica {
    const fetch = this.world.model.as(this.user, (serve) => this.#carry(serve));
    return openReplica({ id: this.name }, { fetch, locks: this.#locks });
  }

  async #carry(serve: () => Response): Promise<Response> {
    const { chance } = this.world;
    for (let i = chance.below(4); i > 0; i--) await new Promise((resolve) => setTimeout(resolve, chance.below(300)));
    const fate = this.line === 0 ? 3 : this.line === 2 ? 0 : chance.below(4);
    if (fate === 0) throw new Unreachable("down");
    const answer = serve();
    if (fate === 1) throw new Unreachable("answer lost");
    await new Promise((resolve) => setTimeout(resolve, chance.below(200)));
    return answer;
  }
}

/** Lets time pass, and what waits for it happen. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left >= 0; left -= 100) {
    await vi.advanceTimersByTimeAsync(Math.min(left, 100));
    for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

const seeds = Number(import.meta.env.VITE_SEEDS ?? 8);

it("loses nothing that anybody wrote, and comes to one state", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 2 ** 31 }), async (seed) => {
      const world = new World(new Chance(seed));
      try {
        await pass(500);
        await world.live(60);
        await world.settle();
        const trace = () => "\n" + world.trace.join("\n");
        for (const device of world.devices) {
          for (const tab of device.tabs) expect(device.differences(tab), trace()).toEqual([]);
        }
        const there = wordsIn([...world.model.notes.values()].map((note) => note.content.body).join(" "));
        expect([...world.words].filter((word) => !there.has(word)), trace()).toEqual([]);
      } finally {
        world.close();
      }
    }),
    { numRuns: seeds, endOnFailure: true },
  );
});
