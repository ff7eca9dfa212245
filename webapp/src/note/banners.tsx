import { type ReactNode, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useReplica, useSnapshot } from "@/replica/react";
import { Button } from "@/ui/button";
import { Banner } from "@/ui/state";
import type { NoteActions, Sheet } from "./actions";
import { characters, excess, maxTitle } from "./markdown";
import type { Meta } from "./meta";

interface Props {
  note: Meta;
  actions: NoteActions;
  onOpen: (sheet: Sheet) => void;
}

/** What one should know of the note before one writes on in it. */
export function Banners({ note, actions, onOpen }: Props) {
  const { t, i18n } = useTranslation("note");
  const replica = useReplica();
  const { id, role, status, saving, inConflict, refusal } = note;
  const body = useSnapshot((s) => s.notes.get(id)?.body ?? "");
  const over = useMemo(() => excess(body), [body]);
  const long = characters(note.title) > maxTitle;
  const retry = <Button onClick={() => replica.pull()}>{t("common:retry")}</Button>;
  const { restore, unarchive, erase, copy } = actions;
  return (
    <>
      {status === "trashed" && (
        <Banner
          action={
            <Buttons>
              {erase && <Button onClick={erase.run}>{erase.label}</Button>}
              {restore && (
                <Button look="primary" onClick={restore.run}>
                  {restore.label}
                </Button>
              )}
            </Buttons>
          }
        >
          {t("banner.trashed")}
        </Banner>
      )}
      {status === "archived" && (
        <Banner action={unarchive && <Button onClick={unarchive.run}>{unarchive.label}</Button>}>
          {t("banner.archived")}
        </Banner>
      )}
      {role === "viewer" && <Banner>{t("banner.viewer")}</Banner>}
      {inConflict && (
        <Banner tone="warn" action={<Button onClick={() => onOpen("conflict")}>{t("conflict.open")}</Button>}>
          {t("banner.conflict")}
        </Banner>
      )}
      {over > 0 && (
        <Banner tone="danger">
          {t("banner.tooLong", { count: over, size: new Intl.NumberFormat(i18n.language).format(over) })}
        </Banner>
      )}
      {long && <Banner tone="danger">{t("banner.longTitle", { count: maxTitle })}</Banner>}
      {saving === "refused" && !over && !long && (
        <Banner tone="danger" action={retry}>
          {t("banner.refused", { why: refusal?.fields[0]?.detail ?? refusal?.detail ?? "" })}
        </Banner>
      )}
      {saving === "unkept" && (
        <Banner
          tone="danger"
          action={
            <Buttons>
              <Button onClick={copy.run}>{copy.label}</Button>
              {retry}
            </Buttons>
          }
        >
          {t("banner.unkept")}
        </Banner>
      )}
    </>
  );
}

const Buttons = ({ children }: { children: ReactNode }) => <div className="flex flex-wrap gap-2">{children}</div>;
