import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { whenIdle } from "@/ui/idle";
import { toast } from "@/ui/toast";

const hour = 3_600_000;

/** Has the page open offline, and tells when a newer one is there. */
export function useUpdates(): void {
  const { t } = useTranslation("notes");
  useEffect(() => {
    if (!import.meta.env.PROD) return;
    let timer: ReturnType<typeof setInterval> | undefined;
    let gone = false;
    const start = async () => {
      const { registerSW } = await import("virtual:pwa-register");
      if (gone) return;
      const update = registerSW({
        immediate: true,
        onNeedRefresh: () =>
          toast({
            text: t("update.ready"),
            action: { label: t("update.reload"), run: () => void update(true) },
            key: "update",
          }),
        onRegisteredSW: (_, registration) => {
          if (registration && !gone) timer = setInterval(() => void registration.update().catch(() => undefined), hour);
        },
      });
    };
    // It fetches the whole page once more, to keep it.
    const stop = whenIdle(() => void start().catch(() => undefined));
    return () => {
      gone = true;
      stop();
      clearInterval(timer);
    };
  }, [t]);
}
