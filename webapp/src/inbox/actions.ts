import { useTranslation } from "react-i18next";
import { SignedOut } from "@/api/problem";
import { localeOf } from "@/i18n";
import { explain } from "@/ui/explain";
import { toast } from "@/ui/toast";
import type { Change } from "./change";
import type { Category, Notice } from "./known";
import { useInbox } from "./react";

/** What a user does with notifications; what fails is told in a toast. */
export function useActions() {
  const inbox = useInbox();
  const { t, i18n } = useTranslation("inbox");

  const tell = (err: unknown) => {
    if (!(err instanceof SignedOut)) toast({ text: explain(err, t), tone: "danger", key: "inbox" });
  };
  const change = (n: Notice, to: Change) => inbox.change(n.id, to).catch(tell);
  const undoable = (text: string, run: () => void) =>
    toast({ text, action: { label: t("common:undo"), run }, key: "inbox" });

  return {
    /** Who goes where a notification leads has read it. */
    open: (n: Notice) => void (n.read_at || change(n, { read: true })),
    read: (n: Notice, read: boolean) => void change(n, { read }),
    archive(n: Notice, archived: boolean) {
      void change(n, { archived });
      if (archived) undoable(t("archived"), () => void change(n, { archived: false }));
    },
    snooze(n: Notice, until: Date | null) {
      void change(n, { snoozed_until: until?.toISOString() ?? null });
      if (!until) return;
      const at = new Intl.DateTimeFormat(localeOf(i18n.language), { weekday: "long", hour: "numeric", minute: "numeric" }).format(
        until,
      );
      undoable(t("snoozed_until", { at }), () => void change(n, { snoozed_until: null }));
    },
    remove(n: Notice) {
      const { undo, done } = inbox.remove(n.id);
      done.catch(tell);
      undoable(t("deleted"), undo);
    },
    readAll: (upTo: number, category?: Category) => void inbox.readAll(upTo, category).catch(tell),
  };
}
