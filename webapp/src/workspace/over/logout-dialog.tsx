import { useTranslation } from "react-i18next";
import { Unreachable } from "@/api/problem";
import { useNotes, useSync } from "@/replica/react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { explain } from "@/ui/explain";
import { Spinner } from "@/ui/spinner";
import type { Step } from "../logout";
import { gist } from "../plain";

/** How many of the notes that would be lost are named. */
const named = 5;

interface Props {
  step: Step;
  onClose: () => void;
  onSend: () => void;
  onLeave: () => void;
}

/** What logging out asks and tells. */
export function LogOutDialog({ step, onClose, onSend, onLeave }: Props) {
  const { t } = useTranslation("notes");
  const { pending } = useSync();
  if (step.is === "sending" && pending === 0) return null;
  const stay = <Button onClick={onClose}>{t("common:cancel")}</Button>;
  if (step.is === "asking") {
    return (
      <Dialog
        open
        onClose={onClose}
        title={t("logout.all_title")}
        description={t("logout.all_text")}
        actions={
          <>
            {stay}
            <Button look="primary" onClick={onSend}>
              {t("logout.all")}
            </Button>
          </>
        }
      />
    );
  }
  if (step.is === "sending") {
    return (
      <Dialog
        open
        onClose={onClose}
        title={t("logout.sending_title")}
        description={t("logout.sending_text", { count: pending })}
        actions={stay}
      >
        <Spinner className="mx-auto my-2 size-6 text-soft" />
      </Dialog>
    );
  }
  if (step.is === "unsent") {
    return (
      <Dialog
        open
        onClose={onClose}
        title={t("logout.unsent_title", { count: pending })}
        description={t("logout.unsent_text", { count: pending })}
        actions={
          <>
            <Button look="danger" onClick={onLeave}>
              {t("logout.lose")}
            </Button>
            <Button look="primary" onClick={onClose}>
              {t("logout.stay")}
            </Button>
          </>
        }
      >
        <Unsent />
      </Dialog>
    );
  }
  if (step.is !== "failed") return null;
  const offline = step.error instanceof Unreachable;
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("logout.failed_title")}
      description={offline ? t("logout.offline") : explain(step.error, t)}
      actions={
        <>
          {stay}
          <Button look="primary" onClick={onSend}>
            {t("common:retry")}
          </Button>
        </>
      }
    />
  );
}

/** The notes that the server has not got as they are. */
function Unsent() {
  const { t } = useTranslation("notes");
  const notes = [...useNotes().values()].filter((n) => n.saving !== "saved");
  return (
    <ul className="list-disc pl-5">
      {notes.slice(0, named).map((note) => (
        <li key={note.id} className="break-words">
          {gist(note).title || t("untitled")}
        </li>
      ))}
      {notes.length > named && <li>{t("sync.others", { count: notes.length - named })}</li>}
    </ul>
  );
}
