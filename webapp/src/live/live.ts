import { SignedOut } from "@/api/problem";
import { session } from "@/api/session";
import { whileLeading } from "@/replica/leader";
import { Blocked, type Ending, overEvents, overSocket } from "./connection";
import { type Message, parseMessage, parsePosition, type Position } from "./message";
import type { Entry, Live } from "./types";

/** Opens the user's stream, for as long as it is not closed. */
export function openLive(user: { id: string }): Live {
  return new Stream(user.id);
}

/** In milliseconds, of silence until a connection counts as dead. */
const patience = {
  /** From the first request to the hello. */
  opening: 8_000,
  /** The server sends comments every 15 s. */
  events: 45_000,
  /** No script sees a WebSocket's pings, so one on which nothing happens is opened anew now and then. */
  socket: 300_000,
  /** When somebody comes back to the page, or the network does. */
  wake: 60_000,
};

const backoff = { first: 1_000, most: 30_000 };

class Stream implements Live {
  readonly #name: string;
  readonly #listeners = new Set<(entry: Entry) => void>();
  readonly #channel: BroadcastChannel;
  readonly #closing = new AbortController();
  /** Up to where this tab knows the stream. */
  #at: Position | undefined;
  /** How often in a row no WebSocket could be opened. */
  #blocked = 0;
  #heard = 0;
  /** Ends a wait, or a connection that may be dead; in the tab that has the connection. */
  #wake: (() => void) | undefined;

  constructor(readonly user: string) {
    const { signal } = this.#closing;
    this.#name = "trellis-live-" + user;
    // From here on this tab hears itself of what comes; another that dies may keep more than it passed on.
    this.#at = parsePosition(localStorage.getItem(this.#name) ?? "");
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Entry | "wake">) => {
      if (data === "wake") this.#wake?.();
      else this.#take(data);
    };
    const wake = () => {
      if (this.#wake) this.#wake();
      else this.#channel.postMessage("wake");
    };
    addEventListener("online", wake, { signal });
    document.addEventListener("visibilitychange", () => document.hidden || wake(), { signal });
    void whileLeading(this.#name, signal, (leading) => this.#lead(leading));
  }

  subscribe(listener: (entry: Entry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closing.abort();
    this.#channel.close();
    this.#listeners.clear();
  }

  /** Keeps a connection, until the signal aborts or there is no session any more. */
  async #lead(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      const began = Date.now();
      const ending = await this.#connect(signal);
      if (ending === "session_ended" && !(await hasSession())) return;
      failures = Date.now() - began > backoff.most ? 0 : failures + 1;
      await this.#pause(Math.random() * Math.min(backoff.most, backoff.first * 2 ** Math.max(0, failures - 1)), signal);
    }
  }

  async #connect(leading: AbortSignal): Promise<Ending> {
    const drop = new AbortController();
    const signal = AbortSignal.any([leading, drop.signal]);
    const overWhat = this.#blocked < 2 ? overSocket : overEvents;
    const patient = overWhat === overSocket ? patience.socket : patience.events;
    let most = patience.opening;
    this.#heard = Date.now();
    const dropAfter = (silence: number) => Date.now() - this.#heard > silence && drop.abort();
    const watch = setInterval(() => dropAfter(most), 2_000);
    this.#wake = () => dropAfter(patience.wake);
    const ear = (text: string | undefined) => {
      this.#heard = Date.now();
      if (text === undefined || signal.aborted) return;
      most = patient;
      const message = parseMessage(text);
      if (!message) console.warn("live: dropped what is no message", text.slice(0, 200));
      else this.#hear(message);
    };
    try {
      return await overWhat(this.#at, ear, signal);
    } catch (err) {
      if (err instanceof SignedOut) return "session_ended";
      if (err instanceof Blocked) this.#blocked++;
      return "lost";
    } finally {
      clearInterval(watch);
      this.#wake = undefined;
      // A WebSocket is tried again when events end, which they do within the hour.
      if (overWhat === overEvents) this.#blocked = 1;
    }
  }

  #hear(message: Message): void {
    if (message.kind === "hello") this.#blocked = 0;
    if (message.kind === "entry") this.#tell(message.entry);
    // A stream that goes on from where this tab is begins with a hello, too, from where it has not been yet.
    else if (message.kind === "resync" || (message.kind === "hello" && !this.#at))
      this.#tell({ ...message.at, type: "resync", data: null });
  }

  /** Takes an entry and passes it on, and then keeps where that was: what was kept was told. */
  #tell(entry: Entry): void {
    this.#take(entry);
    this.#channel.postMessage(entry);
    try {
      localStorage.setItem(this.#name, JSON.stringify(this.#at));
    } catch {
      // A full storage costs a resync at the next start.
    }
  }

  /** Tells this tab's listeners of an entry that they don't know; and that they missed some, if so. */
  #take(entry: Entry): void {
    const { epoch, seq } = entry;
    const at = this.#at;
    const resync = entry.type === "resync";
    if (at?.epoch === epoch && seq <= at.seq && !resync) return;
    const next = !at || (at.epoch === epoch ? seq === at.seq + 1 : at.epoch === "" && seq === 1);
    this.#at = { epoch, seq };
    if (!next && !resync) this.#emit({ epoch, seq: seq - 1, type: "resync", data: null });
    this.#emit(entry);
  }

  #emit(entry: Entry): void {
    for (const listener of this.#listeners) {
      try {
        listener(entry);
      } catch (err) {
        reportError(err);
      }
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", over);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(over, ms);
      signal.addEventListener("abort", over);
      this.#wake = over;
    });
  }
}

/** Whether there is a session, as the refresh tells, which ends the page's own where there is none. */
async function hasSession(): Promise<boolean> {
  try {
    session.refused(await session.token());
    await session.token();
    return true;
  } catch (err) {
    return !(err instanceof SignedOut);
  }
}
