import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { LocalNote } from "@/replica/types";
import { Button } from "@/ui/button";
import { useActions } from "./actions";
import { Erase, Later } from "./later";

export function EmptyTrash({ notes }: { notes: readonly LocalNote[] }) {
  const { t } = useTranslation("notes");
  const { erase } = useActions();
  const [asking, setAsking] = useState(false);
  return (
    <div className="flex items-center justify-between gap-3 px-5 pb-1 text-sm text-soft">
      {t("trash.hint")}
      <Button look="quiet" className="-mr-3 shrink-0 px-3 text-danger" onClick={() => setAsking(true)}>
        {t("trash.empty")}
      </Button>
      <Later>
        {asking && (
          <Erase
            notes={notes}
            onClose={() => setAsking(false)}
            onErase={() => {
              setAsking(false);
              erase(notes);
            }}
          />
        )}
      </Later>
    </div>
  );
}
