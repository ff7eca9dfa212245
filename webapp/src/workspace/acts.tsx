import { type ReactNode, useState } from "react";
import type { LocalNote } from "@/replica/types";
import type { Act } from "./act";
import { useActions } from "./actions";
import { Erase, Later, RowMenu } from "./later";

interface Options {
  /** A note is about to go from the list. */
  onGo: (note: LocalNote) => void;
  /** A menu or a question was closed, and the focus is to be where it was. */
  onLeave: () => void;
}

/** What rows' menus and keys do, with what they show for it. */
export function useActs({ onGo, onLeave }: Options) {
  const actions = useActions();
  const [menu, setMenu] = useState<{ note: LocalNote; at: { x: number; y: number } }>();
  const [erasing, setErasing] = useState<LocalNote>();

  const act = (note: LocalNote, act: Act) => {
    if (act === "erase") return setErasing(note);
    if (act !== "pin") onGo(note);
    actions[act](note);
  };
  const closeQuestion = () => {
    setErasing(undefined);
    // When it is gone: as long as it is there, it holds the focus.
    setTimeout(onLeave);
  };
  const shown: ReactNode = (
    <Later>
      {menu && (
        <RowMenu {...menu} onClose={() => setMenu(undefined)} onAct={(a) => act(menu.note, a)} onLeave={onLeave} />
      )}
      {erasing && (
        <Erase
          notes={[erasing]}
          onClose={closeQuestion}
          onErase={() => {
            onGo(erasing);
            actions.erase([erasing]);
            closeQuestion();
          }}
        />
      )}
    </Later>
  );
  return { act, shown, opened: menu?.note.id, open: (note: LocalNote, x: number, y: number) => setMenu({ note, at: { x, y } }) };
}
