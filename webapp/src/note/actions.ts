import {
  Archive,
  ArchiveRestore,
  BellPlus,
  CheckCheck,
  Copy,
  CopyPlus,
  Download,
  Eye,
  FileX2,
  History,
  type LucideIcon,
  Pencil,
  Pin,
  PinOff,
  Tag,
  Trash2,
  Undo2,
  UserPlus,
} from "lucide-react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import type { Command } from "@/palette/commands";
import { useReplica } from "@/replica/react";
import type { LocalNote } from "@/replica/types";
import { toast } from "@/ui/toast";
import { useActions } from "@/workspace/actions";
import { pathTo } from "@/workspace/lists";
import { asMarkdown, fileName, maxTitle } from "./markdown";
import type { Meta } from "./meta";

/** What is open over the note. */
export type Sheet = "reminder" | "share" | "versions" | "conflict" | "erase";

interface Of {
  note: Meta;
  /** The path of the list the note is in. */
  back: string;
  reading: boolean;
  onRead: (reading: boolean) => void;
  onOpen: (sheet: Sheet) => void;
  onTag: () => void;
}

export interface NoteAction extends Command {
  icon: LucideIcon;
  danger?: boolean;
}

export type NoteActions = ReturnType<typeof useNoteActions>;

/** What can be done with the note by who may read it, as it is now; what can't is undefined. */
export function useNoteActions({ note, back, reading, onRead, onOpen, onTag }: Of) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const actions = useActions();
  const { role, status, pinned, id } = note;
  const trashed = status === "trashed";
  const own = role === "owner" && !trashed;
  const writable = role !== "viewer" && !trashed;
  const untitled = t("untitled");

  const action = (name: string, icon: LucideIcon, run: () => void, keys?: string): NoteAction => ({
    id: "note." + name,
    group: "note",
    label: t("do." + name),
    icon,
    run,
    ...(keys && { keys }),
  });
  /** Does something to the note as it is by then. */
  const to = (act: (note: LocalNote) => void) => () => {
    const now = replica.snapshot().notes.get(id);
    if (now) act(now);
  };
  const away = (move: (note: LocalNote) => void) =>
    to((now) => {
      move(now);
      navigate(back);
    });

  return {
    read: writable
      ? action(reading ? "write" : "read", reading ? Pencil : Eye, () => onRead(!reading), "mod+e")
      : undefined,
    pin: own ? action(pinned ? "unpin" : "pin", pinned ? PinOff : Pin, to(actions.pin), "p") : undefined,
    remind: own ? action("remind", BellPlus, () => onOpen("reminder"), "b") : undefined,
    share: trashed
      ? undefined
      : action(own ? "share" : "leave", UserPlus, () => onOpen("share"), own ? "s" : undefined),
    tag: writable ? action("tag", Tag, onTag, "t") : undefined,
    versions: trashed ? undefined : action("versions", History, () => onOpen("versions"), "v"),
    archive:
      own && status === "active" ? action("archive", Archive, away(actions.archive), "e") : undefined,
    unarchive:
      own && status === "archived" ? action("unarchive", ArchiveRestore, away(actions.unarchive), "e") : undefined,
    copy: action("copy", Copy, to((now) => void copy(now, t("copied"), t("notCopied")))),
    download: action("download", Download, to((now) => download(asMarkdown(now), fileName(now.title, untitled)))),
    duplicate: action("duplicate", CopyPlus, to(({ title, body, tags }) => {
      const copied = [...t("copyOf", { title: title || untitled })].slice(0, maxTitle).join("");
      navigate("/notes/" + replica.create({ title: copied, body, tags }));
    })),
    trash: own ? { ...action("trash", Trash2, away(actions.trash), "#"), danger: true } : undefined,
    restore: trashed
      ? action("restore", Undo2, to((now) => {
          actions.restore(now);
          navigate(pathTo({ ...now, status: "active" }));
        }))
      : undefined,
    erase: trashed ? { ...action("erase", FileX2, () => onOpen("erase")), danger: true } : undefined,
    saved: action("saved", CheckCheck, () => tellSaved(t("savedAlready." + note.saving), id), "mod+s"),
  };
}

function tellSaved(text: string, id: string): void {
  toast({ text, key: "saved" + id });
}

async function copy(note: LocalNote, done: string, failed: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(asMarkdown(note));
    toast({ text: done, key: "copied" });
  } catch {
    toast({ text: failed, tone: "danger", key: "copied" });
  }
}

function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/markdown;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it a little later.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
