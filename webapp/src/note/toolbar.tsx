import { ArrowLeft, Ellipsis, Pin } from "lucide-react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { caption } from "@/palette/keys";
import { IconButton } from "@/ui/button";
import { Menu, MenuItem, MenuLine } from "@/ui/menu";
import type { NoteAction, NoteActions, Sheet } from "./actions";
import type { Meta } from "./meta";
import { Reminder } from "./remind";
import { SavingState } from "./saving";

interface Props {
  note: Meta;
  back: string;
  actions: NoteActions;
  sheet: Sheet | undefined;
  onSheet: (sheet: Sheet | undefined) => void;
  onRemind: (at: string | null) => void;
}

const shown = (keys: string) =>
  keys
    .split(" ")
    .map((chord) => caption(chord).flat().join("+"))
    .join(" ");

const labelled = ({ label, keys }: NoteAction) => ({ label, ...(keys && { keys: shown(keys) }) });

/** The note's head: the way back, where its text is, and what can be done with it. */
export function Toolbar({ note, back, actions, sheet, onSheet, onRemind }: Props) {
  const { t } = useTranslation("note");
  const { read, pin, remind, share } = actions;
  return (
    <header className="flex min-h-14 shrink-0 items-center gap-1 border-b border-line px-2 pt-[env(safe-area-inset-top)]">
      <IconButton label={t("common:back")} className="sm:hidden" onClick={() => navigate(back)}>
        <ArrowLeft />
      </IconButton>
      <div className="flex min-w-0 flex-1">
        <SavingState note={note} />
      </div>
      {read && (
        <IconButton {...labelled(read)} onClick={read.run} className="@max-md:hidden">
          <read.icon />
        </IconButton>
      )}
      {pin && (
        <IconButton {...labelled({ ...pin, label: t("do.pin") })} pressed={note.pinned} onClick={pin.run}>
          <Pin className={note.pinned ? "fill-current" : ""} />
        </IconButton>
      )}
      {remind && (
        <Reminder
          at={note.reminder_at}
          onChange={onRemind}
          open={sheet === "reminder"}
          onOpenChange={(open) => onSheet(open ? "reminder" : undefined)}
          button={
            <IconButton {...labelled(remind)}>
              <remind.icon />
            </IconButton>
          }
        />
      )}
      {share && (
        <IconButton {...labelled(share)} onClick={share.run} className="@max-[22rem]:hidden">
          <share.icon />
        </IconButton>
      )}
      <More actions={actions} />
    </header>
  );
}

/** What is done more rarely, or has a button only where there is room. */
function More({ actions }: { actions: NoteActions }) {
  const { t } = useTranslation("note");
  const { read, tag, share, versions, copy, download, duplicate, archive, unarchive, trash, restore, erase } = actions;
  const groups = [
    [read, tag, share, versions],
    [copy, download, duplicate],
    [archive, unarchive, restore, trash, erase],
  ].map((group) => group.filter((a) => a !== undefined));
  return (
    <Menu
      button={
        <IconButton label={t("more")}>
          <Ellipsis />
        </IconButton>
      }
    >
      {groups
        .filter((group) => group.length > 0)
        .map((group, i) => (
          <div key={i}>
            {i > 0 && <MenuLine />}
            {group.map(({ id, icon: Icon, label, keys, danger, run }) => (
              <MenuItem
                key={id}
                icon={<Icon />}
                danger={danger ?? false}
                onSelect={run}
                {...(keys && { keys: shown(keys) })}
              >
                {label}
              </MenuItem>
            ))}
          </div>
        ))}
    </Menu>
  );
}
