import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { toast } from "@/ui/toast";

const hour = 3_600_000;

/** Has the page open offline, and tells when a newer one is there. */
export function useUpdates(): void {
  const { t } = useTranslation("notes");
  useEffect(() => {
    if (!import.meta.env.PROD) return;
    let timer: ReturnType<typeof setInterval> | undefined;
    let gone = false;
    void import("virtual:pwa-register").then(({ registerSW }) => {
      if (gone) return;
      const update = registerSW({
        onNeedRefresh: () =>
          toast({
            text: t("update.ready"),
            action: { label: t("update.reload"), run: () => void update(true) },
            key: "update",
          }),
        onRegisteredSW: (_, registration) => {
          if (registration) timer = setInterval(() => void registration.update().catch(() => undefined), hour);
        },
      });
    });
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [t]);
}
