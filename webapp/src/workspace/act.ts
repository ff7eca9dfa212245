import type { LocalNote } from "@/replica/types";

/** What can be done to a note from its row. */
export type Act = "pin" | "archive" | "unarchive" | "trash" | "restore" | "erase";

/** The acts that there are for a note; others' notes are theirs to put away. */
export function actsOn(note: LocalNote): Act[] {
  if (note.role !== "owner") return [];
  if (note.status === "active") return ["pin", "archive", "trash"];
  return note.status === "archived" ? ["unarchive", "trash"] : ["restore", "erase"];
}
