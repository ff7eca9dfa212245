import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import { useReplica, useSnapshot } from "@/replica/react";
import { full, useNow } from "@/ui/time";
import type { Meta } from "./meta";
import { ReminderChip } from "./remind";
import { spoken } from "./reminder";
import { Tags } from "./tag-list";
import { Title } from "./title";

interface Props {
  note: Meta;
  writable: boolean;
  tagging: RefObject<HTMLInputElement | null>;
  /** Goes on in the body. */
  onLeave: () => void;
  /** Opens what sets the reminder, for who may. */
  onRemind: (() => void) | undefined;
}

/** What stands above a note's text. */
export function Head({ note, writable, tagging, onLeave, onRemind }: Props) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const { id, title, tags, reminder_at: at } = note;
  return (
    <header className="mb-6">
      {writable ? (
        <>
          <h1 className="sr-only">{title || t("untitled")}</h1>
          <Title
            value={title}
            fresh={isFresh(history.state) && !title}
            onChange={(text, before) => {
              const now = replica.snapshot().notes.get(id);
              if (now) replica.change(id, { title: text }, { ...now, title: before });
            }}
            onLeave={onLeave}
          />
        </>
      ) : (
        <h1 className="text-3xl leading-tight font-bold tracking-tight text-pretty break-words">
          {title || t("untitled")}
        </h1>
      )}
      <div className="mt-3 flex flex-wrap items-center gap-x-4 gap-y-1.5">
        <Edited id={id} />
        {note.role !== "owner" && <p className="text-sm text-soft">{t("sharedWithYou")}</p>}
        {at && note.role === "owner" && <ReminderChip at={at} onClick={onRemind} />}
      </div>
      {(writable || tags.length > 0) && (
        <div className="mt-2">
          <Tags tags={tags} onChange={writable ? (tags) => replica.change(id, { tags }) : undefined} input={tagging} />
        </div>
      )}
    </header>
  );
}

/** Whether who opened the note made it just now. */
const isFresh = (state: unknown) =>
  typeof state === "object" && state !== null && "fresh" in state && state.fresh === true;

function Edited({ id }: { id: string }) {
  const { t, i18n } = useTranslation("note");
  // To the minute: more is not shown, and would change with every key.
  const minute = useSnapshot((s) => s.notes.get(id)?.updated_at.slice(0, 16));
  const now = useNow();
  if (!minute) return null;
  const at = minute + "Z";
  return (
    <p className="text-sm text-soft">
      {t("edited")}{" "}
      <time dateTime={at} title={full(at, i18n.language)}>
        {spoken(at, now, i18n.language)}
      </time>
    </p>
  );
}
