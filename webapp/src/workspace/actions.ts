import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { useReplica } from "@/replica/react";
import type { LocalNote, Status } from "@/replica/types";
import { typeAhead } from "@/ui/ahead";
import { toast } from "@/ui/toast";
import { type List, pathOf } from "./place";
import { gist } from "./plain";

export type Actions = ReturnType<typeof useActions>;

/** What is done to notes from the lists. */
export function useActions() {
  const replica = useReplica();
  const { t } = useTranslation("notes");
  return useMemo(() => {
    const move = (note: LocalNote, status: Status, done: string) => {
      const before = note.status;
      replica.change(note.id, { status });
      toast({
        text: t(done, { title: nameOf(note, t("untitled")) }),
        action: { label: t("common:undo"), run: () => replica.change(note.id, { status: before }) },
        key: "moved",
      });
    };
    return {
      /** Makes a note in a list, or among the notes where a list takes no new ones, and opens it. */
      create(list: List | undefined) {
        const here: List = list?.kind === "tag" ? list : { kind: "notes" };
        const id = replica.create(here.kind === "tag" ? { tags: [here.tag] } : {});
        typeAhead();
        navigate(`${pathOf(here)}/${id}`, { state: { fresh: true } });
      },
      pin: (note: LocalNote) => replica.change(note.id, { pinned: !note.pinned }),
      archive: (note: LocalNote) => move(note, "archived", "done.archived"),
      unarchive: (note: LocalNote) => move(note, "active", "done.unarchived"),
      trash: (note: LocalNote) => move(note, "trashed", "done.trashed"),
      restore: (note: LocalNote) => move(note, "active", "done.restored"),
      erase(notes: readonly LocalNote[]) {
        for (const note of notes) replica.erase(note.id);
        toast({ text: t("done.erased", { count: notes.length }) });
      },
    };
  }, [replica, t]);
}

/** What a note is called in a sentence: short enough to stay one. */
export function nameOf(note: LocalNote, untitled: string): string {
  const title = gist(note).title || untitled;
  return title.length > 40 ? title.slice(0, 39).trimEnd() + "…" : title;
}
