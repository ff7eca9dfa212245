import { isIn, type Known, type Notice, nothing, parseNotice } from "./known";

/** What is kept on this device of what is known: what the bell shows until the server has answered. */
interface Kept {
  epoch: string;
  unread: number;
  latest: Notice[];
}

const most = 30;

export function keep(key: string, { epoch, unread, notices }: Known): void {
  const latest = [...notices.values()]
    .flatMap(({ is }) => (is && isIn({ status: "all" }, is) ? [is] : []))
    .sort((a, b) => b.seq - a.seq)
    .slice(0, most);
  try {
    localStorage.setItem(key, JSON.stringify({ epoch, unread: unread.is, latest } satisfies Kept));
  } catch {
    // A full storage costs what is shown offline.
  }
}

/** What was known when the last page on this device went. */
export function recall(key: string): Known {
  try {
    const { epoch, unread, latest } = JSON.parse(localStorage.getItem(key) ?? "") as Kept;
    if (typeof epoch !== "string" || !Number.isSafeInteger(unread)) return nothing("");
    const notices = latest.flatMap((n) => parseNotice(n) ?? []).map((is) => [is.id, { is, at: -1 }] as const);
    return { ...nothing(epoch), unread: { is: unread, at: -1 }, notices: new Map(notices) };
  } catch {
    return nothing("");
  }
}
