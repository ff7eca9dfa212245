import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import { useNote, useReplica } from "@/replica/react";
import type { LocalNote } from "@/replica/types";
import { whenIdle } from "@/ui/idle";
import { Missed, Waiting } from "./missed";
import { useModule } from "./module";
import { Plain } from "./plain";
import type { Writing } from "./writing";

interface Props {
  id: string;
  /** Whether it is shown as it reads. */
  shown: boolean;
  writable: boolean;
  writing: RefObject<Writing | null>;
  scroller: RefObject<HTMLElement | null>;
}

/** The text of a note, to be written or read. */
export function Body({ id, shown, writable, writing, scroller }: Props) {
  const note = useNote(id);
  if (!note) return null;
  return shown ? <Read note={note} writable={writable} /> : <Write note={note} writing={writing} scroller={scroller} />;
}

const loadEditor = () => import("./editor/editor");
// Who has the pane will have a note soon.
whenIdle(() => void loadEditor().catch(() => undefined));
const loadPreview = () => import("./preview");

function Write({ note, writing, scroller }: Pick<Props, "writing" | "scroller"> & { note: LocalNote }) {
  const replica = useReplica();
  // Until the editor is there, or if it can't be loaded, one writes in a plain field.
  const Field = useModule(loadEditor).loaded ?? Plain;
  return (
    <Field
      id={note.id}
      text={note.body}
      onChange={(text, before) => replica.change(note.id, { body: text }, { ...note, body: before })}
      scroller={scroller}
      ref={writing}
    />
  );
}

function Read({ note: { id, body }, writable }: Pick<Props, "writable"> & { note: LocalNote }) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const { loaded: Preview, failed, retry } = useModule(loadPreview);
  if (failed) return <Missed onRetry={retry} />;
  if (!Preview) return <Waiting />;
  if (!body.trim()) return <p className="text-soft">{t("empty")}</p>;
  return <Preview text={body} {...(writable && { onChange: (text) => replica.change(id, { body: text }) })} />;
}
