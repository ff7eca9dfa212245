import { createParser } from "eventsource-parser";
import { api, data } from "@/api/client";
import { problemOf } from "@/api/problem";
import { authorized } from "@/api/session";
import type { Position } from "./message";

/** How a stream ended: its session seems to be over, or its connection is. */
export type Ending = "session_ended" | "lost";

/** Hears what comes: a message, or undefined for a sign of life that is none. */
export type Ear = (text: string | undefined) => void;

/**
 * Follows the user's stream from a position, or from where it is now, until it
 * ends. Rejects where it could not be opened, and when the signal aborts.
 */
export type Connect = (from: Position | undefined, ear: Ear, signal: AbortSignal) => Promise<Ending>;

/** Something on the way, a proxy perhaps, does not let WebSockets through. */
export class Blocked extends Error {
  override readonly name = "Blocked";
}

/** The close code of a session that is over. The others tell what trying again shows. */
const sessionEnded = 4401;

export const overSocket: Connect = async (from, ear, signal) => {
  const { ticket } = await data(api.POST("/v1/realtime/ticket", { signal }));
  const url = address("/v1/realtime/ws", from);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("ticket", ticket);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = new WebSocket(url);
    let heard = false;
    signal.addEventListener("abort", () => {
      socket.close();
      reject(heard ? signal.reason : new Blocked());
    });
    // Who says nothing is waited for, a second.
    socket.onopen = () => from || socket.send("{}");
    socket.onmessage = ({ data }) => {
      heard = true;
      ear(String(data));
    };
    socket.onclose = ({ code }) =>
      heard ? resolve(code === sessionEnded ? "session_ended" : "lost") : reject(new Blocked());
  });
};

export const overEvents: Connect = async (from, ear, signal) => {
  const headers = { Accept: "text/event-stream" };
  const response = await authorized(new Request(address("/v1/realtime/events", from), { headers, signal }));
  if (!response.ok || !response.body) throw await problemOf(response);
  const parser = createParser({ onEvent: (event) => ear(event.data), maxBufferSize: 1 << 20 });
  const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await text.read();
    if (done) return "lost";
    ear(undefined);
    parser.feed(value);
  }
};

function address(path: string, from: Position | undefined): URL {
  const url = new URL(path, location.origin);
  if (from) {
    url.searchParams.set("epoch", from.epoch);
    url.searchParams.set("seq", String(from.seq));
  }
  return url;
}
