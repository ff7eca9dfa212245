import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useReplica } from "@/replica/react";
import type { Conflict as Two, Content, LocalNote } from "@/replica/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { TextArea, TextField } from "@/ui/field";
import { toast } from "@/ui/toast";
import { Sides } from "./compare";
import { memoryOf, remember } from "./memory";

interface Props {
  note: LocalNote;
  onClose: () => void;
}

/** Two texts of one note, and what is to become of them. */
export default function Conflict({ note, onClose }: Props) {
  const { t } = useTranslation("note");
  const replica = useReplica();
  const [merging, setMerging] = useState(() => memoryOf(replica, note.id).merging);
  // What one has written stays, though the two were settled elsewhere meanwhile.
  const conflict = note.conflict ?? merging?.of;
  if (!conflict) return null;
  const text = merging?.content ?? conflict.merged;
  const outdated = note.conflict && merging && !alike(merging.of.merged, note.conflict.merged);

  const write = (content: Content | undefined) => {
    const next = content && { of: merging?.of ?? conflict, content };
    remember(replica, note.id, { merging: next });
    setMerging(next);
  };
  const settle = (content: Content) => {
    if (note.conflict) replica.resolve(note.id, content);
    else replica.change(note.id, { title: content.title, body: content.body });
    write(undefined);
    onClose();
    toast({ text: t("conflict.settled"), key: "conflict" });
  };

  return (
    <Dialog
      open
      onClose={onClose}
      wide
      title={t("conflict.title")}
      description={note.conflict ? t("conflict.text") : t("conflict.elsewhere")}
      actions={
        <>
          {note.conflict && <Button onClick={() => settle(conflict.mine)}>{t("conflict.keep")}</Button>}
          {note.conflict && <Button onClick={() => settle(conflict.theirs)}>{t("conflict.take")}</Button>}
          <Button look="primary" onClick={() => settle(text)}>
            {t("conflict.use")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-6">
        <Both conflict={conflict} />
        <section aria-labelledby="merged" className="flex flex-col gap-3">
          <h3 id="merged" className="font-semibold">
            {t("conflict.merged")}
          </h3>
          <p className="text-sm text-soft">{t("conflict.mergedText")}</p>
          {outdated && (
            <div role="status" className="flex flex-wrap items-center justify-between gap-2 rounded-lg bg-warn-soft p-3 text-warn">
              {t("conflict.outdated")}
              <Button onClick={() => write(undefined)}>{t("conflict.anew")}</Button>
            </div>
          )}
          <TextField
            label={t("title")}
            value={text.title}
            onChange={({ target }) => write({ ...text, title: target.value })}
          />
          <TextArea
            label={t("body")}
            rows={10}
            value={text.body}
            onChange={({ target }) => write({ ...text, body: target.value })}
            className="max-h-[60dvh] min-h-48 [field-sizing:content]"
          />
        </section>
      </div>
    </Dialog>
  );
}

const alike = (a: Content, b: Content) => a.title === b.title && a.body === b.body;

function Both({ conflict: { mine, theirs } }: { conflict: Two }) {
  const { t } = useTranslation("note");
  const names = { mine: t("conflict.mine"), theirs: t("conflict.theirs") };
  return (
    <section aria-label={t("conflict.both")} className="flex flex-col gap-3 rounded-lg border border-line bg-page p-3">
      <div aria-hidden className="grid grid-cols-2 gap-4 border-b border-line pb-1 text-sm font-medium max-sm:hidden">
        <p>{names.mine}</p>
        <p>{names.theirs}</p>
      </div>
      {mine.title !== theirs.title && <Sides mine={mine.title} theirs={theirs.title} names={names} />}
      {mine.body !== theirs.body && <Sides mine={mine.body} theirs={theirs.body} names={names} />}
    </section>
  );
}
