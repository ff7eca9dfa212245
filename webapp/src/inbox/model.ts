import type { Entry } from "@/live/types";
import { afterReading, isIn, isUnread, type Notice, type View } from "./known";

/** The inbox as the notify service keeps it, which tells of each change by an entry. Tests only. */
export class ModelInbox {
  seq = 0;
  readonly notices = new Map<string, Notice>();

  constructor(readonly tell: (entry: Entry) => void) {}

  get unread() {
    return [...this.notices.values()].filter(isUnread).length;
  }

  #enter(type: string, data: unknown) {
    this.seq++;
    this.tell({ epoch: "A", seq: this.seq, type, data, unread: this.unread });
  }

  /** The id of one of them, "" if there is none. */
  nth(n: number): string {
    return [...this.notices.keys()][n % Math.max(1, this.notices.size)] ?? "";
  }

  publish(category = "system") {
    const seq = this.seq + 1;
    const n = { id: `n${seq}`, seq, category, title: "", body: "", data: {}, link: "", created_at: "t" };
    const notice = { ...n, read_at: null, archived_at: null, snoozed_until: null };
    this.notices.set(notice.id, notice);
    this.#enter("notification", notice);
  }

  update(id: string, to: Partial<Notice>) {
    const was = this.notices.get(id);
    if (!was) return undefined;
    const back = was.snoozed_until && to.snoozed_until === null;
    const notice = { ...was, ...to, ...(back && { seq: this.seq + 1 }) };
    this.notices.set(notice.id, notice);
    this.#enter("notification", notice);
    return notice;
  }

  delete(id: string): boolean {
    const deleted = this.notices.delete(id);
    if (deleted) this.#enter("notification.deleted", { id });
    return deleted;
  }

  readAll(upTo: number, category: string) {
    const reading = { up_to_seq: upTo, category, read_at: "r" };
    for (const [id, n] of this.notices) this.notices.set(id, afterReading(n, reading));
    this.#enter("notifications.read", reading);
  }

  list(view: View) {
    return [...this.notices.values()].filter((n) => isIn(view, n)).sort((a, b) => b.seq - a.seq);
  }

  page(view: View, before: number, limit = 3) {
    const rest = this.list(view).filter((n) => n.seq < before);
    const data = rest.slice(0, limit);
    const floor = (rest.length > limit && data.at(-1)?.seq) || 0;
    return { data, floor, unread: this.unread, stream: { epoch: "A", seq: this.seq } };
  }
}
