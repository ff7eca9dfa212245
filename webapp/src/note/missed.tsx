import { CloudOff } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { Spinner } from "@/ui/spinner";
import { Empty } from "@/ui/state";

/** A part of the page that could not be loaded, or read. */
export function Missed({ children, onRetry }: { children?: string; onRetry: () => void }) {
  const { t } = useTranslation("note");
  return (
    <div role="alert">
      <Empty
        icon={<CloudOff />}
        title={t("missed.title")}
        action={<Button onClick={onRetry}>{t("common:retry")}</Button>}
      >
        {children ?? t("missed.text")}
      </Empty>
    </div>
  );
}

/** A part of the page that is on its way. */
export function Waiting() {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("loading")} className="grid min-h-40 place-items-center text-soft">
      <Spinner className="size-6" />
    </div>
  );
}
