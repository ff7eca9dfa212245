import { lazily } from "@/ui/lazily";
import { placeOf } from "./place";

// What a path shows beside the sidebar, and beside the list.

export const Account = lazily(() => import("@/account/account"), "account");
export const Inbox = lazily(() => import("@/inbox/page"), "inbox");
export const Pane = lazily(() => import("@/note/pane"), "note");

/** Has what a path shows at hand. */
export async function prepare(path: string): Promise<void> {
  if (placeOf(path)?.id) await Pane.preload();
  else if (path.startsWith("/account")) await Account.preload();
  else if (path === "/inbox") await Inbox.preload();
}
