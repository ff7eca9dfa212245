import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { useNote } from "@/replica/react";
import type { LocalNote } from "@/replica/types";
import { Dialog } from "@/ui/dialog";
import { useActions } from "@/workspace/actions";
import { Erase } from "@/workspace/over/erase";
import type { Sheet } from "./actions";
import { Missed, Waiting } from "./missed";
import { useModule } from "./module";
import { Sharing } from "./share";

interface Props {
  id: string;
  back: string;
  sheet: Sheet;
  onClose: () => void;
}

const sheets = {
  versions: () => import("./versions"),
  conflict: () => import("./conflict"),
};

/** The dialogs over a note. */
export function Sheets({ id, back, sheet, onClose }: Props) {
  const note = useNote(id);
  const { erase } = useActions();
  const leave = () => {
    onClose();
    navigate(back);
  };
  if (!note) return null;
  switch (sheet) {
    case "share":
      return <Sharing note={note} onClose={onClose} onLeft={leave} />;
    case "erase":
      return (
        <Erase
          notes={[note]}
          onClose={onClose}
          onErase={() => {
            erase([note]);
            leave();
          }}
        />
      );
    case "versions":
    case "conflict":
      return <Later key={sheet} of={sheet} note={note} onClose={onClose} />;
    case "reminder":
      return null; // It is at its button.
  }
}

/** A dialog that is loaded when it is opened. */
function Later({ of, note, onClose }: { of: keyof typeof sheets; note: LocalNote; onClose: () => void }) {
  const { t } = useTranslation("note");
  const { loaded: Sheet, failed, retry } = useModule(sheets[of]);
  if (Sheet) return <Sheet note={note} onClose={onClose} />;
  return (
    <Dialog open onClose={onClose} wide title={t(of + ".title")}>
      {failed ? <Missed onRetry={retry} /> : <Waiting />}
    </Dialog>
  );
}
