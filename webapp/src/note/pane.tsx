import "./text.css";
import { CloudOff, FileQuestion } from "lucide-react";
import { type CSSProperties, memo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { useWishes } from "@/account/preferences";
import { useCommands } from "@/palette/commands";
import { useReplica, useSync } from "@/replica/react";
import { Button } from "@/ui/button";
import { Empty, Skeleton } from "@/ui/state";
import { type Sheet, useNoteActions } from "./actions";
import { Banners } from "./banners";
import { Body } from "./body";
import { Head } from "./head";
import { type Meta, useMeta } from "./meta";
import { Sheets } from "./sheets";
import { Toolbar } from "./toolbar";
import type { Writing } from "./writing";

interface Props {
  id: string;
  /** The path of the list the note is in. */
  back: string;
}

/** A note, beside its list or, on a phone, in its stead. */
export default memo(function Pane({ id, back }: Props) {
  const note = useMeta(id);
  const [reading, setReading] = useState(false);
  if (!note) return <Absent back={back} />;
  return <Note key={id} note={note} back={back} reading={reading} onRead={setReading} />;
});

/** A note that is not here: not yet, or not any more. */
function Absent({ back }: { back: string }) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const { loaded, whole, online } = useSync();
  if (loaded && whole) {
    return (
      <Empty
        icon={<FileQuestion />}
        title={t("absent.title")}
        action={<Button onClick={() => navigate(back)}>{t("absent.back")}</Button>}
      >
        {t("absent.text")}
      </Empty>
    );
  }
  if (loaded && !online) {
    return (
      <Empty
        icon={<CloudOff />}
        title={t("absent.offline")}
        action={<Button onClick={() => replica.pull()}>{t("common:retry")}</Button>}
      >
        {t("absent.offlineText")}
      </Empty>
    );
  }
  return (
    <div role="status" aria-label={t("common:loading")} className="mx-auto flex max-w-[72ch] flex-col gap-4 px-5 pt-20 sm:px-10">
      <Skeleton className="h-9 w-2/3" />
      <Skeleton className="mb-4 h-5 w-1/3" />
      <Skeleton className="h-4 w-full" />
      <Skeleton className="h-4 w-11/12" />
      <Skeleton className="h-4 w-4/5" />
    </div>
  );
}

interface NoteProps {
  note: Meta;
  back: string;
  /** Whether it is shown as it reads, by who could write. */
  reading: boolean;
  onRead: (reading: boolean) => void;
}

function Note({ note, back, reading, onRead }: NoteProps) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const { editor } = useWishes();
  const [sheet, setSheet] = useState<Sheet>();
  const scroller = useRef<HTMLDivElement>(null);
  const writing = useRef<Writing>(null);
  const tagging = useRef<HTMLInputElement>(null);
  const { id } = note;
  const writable = note.role !== "viewer" && note.status !== "trashed";
  const shown = reading || !writable;

  const read = (to: boolean) => {
    flushSync(() => onRead(to));
    if (to) scroller.current?.focus();
    else writing.current?.focus();
  };
  const actions = useNoteActions({
    note,
    back,
    reading,
    onRead: read,
    onOpen: setSheet,
    onTag: () => tagging.current?.focus(),
  });
  useCommands(Object.values(actions).filter((action) => action !== undefined));
  const remind = (at: string | null) => replica.change(id, { reminder_at: at });

  return (
    <article aria-label={note.title || t("untitled")} className="@container flex h-full flex-col bg-surface">
      <Toolbar note={note} back={back} actions={actions} sheet={sheet} onSheet={setSheet} onRemind={remind} />
      <Banners note={note} actions={actions} onOpen={setSheet} />
      <div
        ref={scroller}
        // What scrolls and has no field in it is to be reached by keys, too.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={shown ? 0 : -1}
        className="min-h-0 flex-1 overflow-y-auto outline-none"
        style={{ "--note-size": `${editor.font_size / 16}rem` } as CSSProperties}
      >
        <div className="mx-auto flex min-h-full max-w-[72ch] flex-col px-5 pt-8 @2xl:px-10 @2xl:pt-12">
          <Head
            note={note}
            writable={writable}
            tagging={tagging}
            onLeave={() => writing.current?.focus("start")}
            onRemind={actions.remind?.run}
          />
          <Body id={id} shown={shown} writable={writable} writing={writing} scroller={scroller} />
        </div>
      </div>
      {sheet && <Sheets id={id} back={back} sheet={sheet} onClose={() => setSheet(undefined)} />}
    </article>
  );
}
