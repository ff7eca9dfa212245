import { useTranslation } from "react-i18next";
import type { LocalNote } from "@/replica/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { nameOf } from "../actions";

/** Asks whether notes are to be deleted for good. */
export function Erase({ notes, onClose, onErase }: { notes: readonly LocalNote[]; onClose: () => void; onErase: () => void }) {
  const { t } = useTranslation("notes");
  const [only] = notes;
  const count = notes.length;
  const title =
    count === 1 && only ? t("erase.title_named", { title: nameOf(only, t("untitled")) }) : t("erase.title", { count });
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      description={t("erase.text", { count })}
      actions={
        <>
          <Button onClick={onClose}>{t("common:cancel")}</Button>
          <Button look="danger" onClick={onErase}>
            {t("erase.do")}
          </Button>
        </>
      }
    />
  );
}
