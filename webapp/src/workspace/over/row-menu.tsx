import { Archive, ArchiveRestore, Pin, PinOff, Trash2, Undo2 } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { LocalNote } from "@/replica/types";
import { MenuAt, MenuItem, MenuLine } from "@/ui/menu";
import { type Act, actsOn } from "../act";
import { gist } from "../plain";

const icons: Record<Act, ReactNode> = {
  pin: <Pin />,
  archive: <Archive />,
  unarchive: <ArchiveRestore />,
  trash: <Trash2 />,
  restore: <Undo2 />,
  erase: <Trash2 />,
};

interface Props {
  note: LocalNote;
  at: { x: number; y: number };
  onClose: () => void;
  onAct: (act: Act) => void;
  /** The focus is to go back to the row. */
  onLeave: () => void;
}

export function RowMenu({ note, onAct, ...menu }: Props) {
  const { t } = useTranslation("notes");
  return (
    <MenuAt {...menu} label={t("row.more", { title: gist(note).title || t("untitled") })}>
      {actsOn(note).map((act) => (
        <MenuAct key={act} act={act} note={note} onAct={onAct} />
      ))}
    </MenuAt>
  );
}

function MenuAct({ act, note, onAct }: { act: Act; note: LocalNote; onAct: (act: Act) => void }) {
  const { t } = useTranslation("notes");
  const danger = act === "erase";
  const unpin = act === "pin" && note.pinned;
  return (
    <>
      {danger && <MenuLine />}
      <MenuItem
        icon={unpin ? <PinOff /> : icons[act]}
        danger={danger}
        {...(act === "trash" && { keys: t("row.delete_key") })}
        onSelect={() => onAct(act)}
      >
        {t("act." + (unpin ? "unpin" : act))}
      </MenuItem>
    </>
  );
}
