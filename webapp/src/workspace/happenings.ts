import { useEffect, useEffectEvent } from "react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { useReplica } from "@/replica/react";
import type { Happening } from "@/replica/types";
import { toast } from "@/ui/toast";
import { nameOf } from "./actions";
import { pathTo } from "./lists";

/** Tells of what the replica did with a note that one may not have in sight. */
export function useHappenings(): void {
  const { t } = useTranslation("notes");
  const replica = useReplica();
  const tell = useEffectEvent((happening: Happening) => {
    if (happening.type === "merged" || document.hidden) return;
    const note = replica.snapshot().notes.get(happening.type === "recovered" ? happening.as : happening.id);
    if (!note) return;
    toast({
      text: t("happened." + happening.type, { title: nameOf(note, t("untitled")) }),
      action: { label: t("open"), run: () => navigate(pathTo(note)) },
      key: happening.type + happening.id,
    });
  });
  useEffect(() => replica.listen((happening) => tell(happening)), [replica]);
}
