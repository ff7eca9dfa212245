import type { Entry } from "./types";

/** A place in a user's stream: behind the entry `seq`. The epoch of a stream that has no entry yet is "". */
export interface Position {
  epoch: string;
  seq: number;
}

/**
 * What comes over a connection. A hello tells where the stream is, a resync
 * that the way there is not known, an end that the connection is about to.
 */
export type Message =
  { kind: "hello" | "resync"; at: Position } | { kind: "entry"; entry: Entry & { unread: number } } | { kind: "end" };

/** Reads a message, or returns undefined of what is none. */
export function parseMessage(text: string): Message | undefined {
  const told = json(text);
  if (!isObject(told)) return undefined;
  const { type, data, unread } = told;
  if (type === "restart" || type === "session_ended") return { kind: "end" };
  const at = positionOf(told);
  if (!at || typeof type !== "string") return undefined;
  if (type === "hello" || type === "resync") return { kind: type, at };
  if (data === undefined || !isCount(unread) || at.epoch === "" || at.seq === 0) return undefined;
  return { kind: "entry", entry: { ...at, type, data, unread } };
}

/** Reads a position that was kept as JSON, or returns undefined of what is none. */
export function parsePosition(text: string): Position | undefined {
  return positionOf(json(text));
}

function positionOf(told: unknown): Position | undefined {
  if (!isObject(told)) return undefined;
  const { epoch, seq } = told;
  return typeof epoch === "string" && epoch.length <= 64 && isCount(seq) ? { epoch, seq } : undefined;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);
const isCount = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;
