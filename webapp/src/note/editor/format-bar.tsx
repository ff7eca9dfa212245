import { redo, undo } from "@codemirror/commands";
import type { StateCommand } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import {
  Bold,
  Code,
  Heading,
  IndentDecrease,
  IndentIncrease,
  Italic,
  Link,
  List,
  ListOrdered,
  ListTodo,
  type LucideIcon,
  Redo2,
  Strikethrough,
  TextQuote,
  Undo2,
} from "lucide-react";
import { Toolbar } from "radix-ui";
import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/ui/button";
import { formats, indentItem, outdentItem } from "./format";

const buttons: readonly { name: string; icon: LucideIcon; run: StateCommand }[] = [
  { name: "tasks", icon: ListTodo, run: formats.tasks },
  { name: "bullets", icon: List, run: formats.bullets },
  { name: "numbers", icon: ListOrdered, run: formats.numbers },
  { name: "heading", icon: Heading, run: formats.heading },
  { name: "bold", icon: Bold, run: formats.bold },
  { name: "italic", icon: Italic, run: formats.italic },
  { name: "strike", icon: Strikethrough, run: formats.strike },
  { name: "link", icon: Link, run: formats.link },
  { name: "quote", icon: TextQuote, run: formats.quote },
  { name: "code", icon: Code, run: formats.code },
  { name: "outdent", icon: IndentDecrease, run: outdentItem },
  { name: "indent", icon: IndentIncrease, run: indentItem },
  { name: "undo", icon: Undo2, run: undo },
  { name: "redo", icon: Redo2, run: redo },
];

/** Formatting for who has no keys: a row above the keyboard on screen. */
export function FormatBar({ view }: { view: RefObject<EditorView | undefined> }) {
  const { t } = useTranslation("note");
  return (
    <Toolbar.Root
      aria-label={t("format.bar")}
      className="sticky bottom-0 z-10 -mx-5 hidden overflow-x-auto border-t border-line bg-surface px-2 py-1 pb-[max(0.25rem,env(safe-area-inset-bottom))] [scrollbar-width:none] pointer-coarse:group-focus-within:flex"
    >
      {buttons.map(({ name, icon: Icon, run }) => (
        <Toolbar.Button key={name} asChild>
          <IconButton
            label={t("format." + name)}
            // The text keeps the focus, and the keyboard on screen stays.
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => view.current && run(view.current)}
          >
            <Icon />
          </IconButton>
        </Toolbar.Button>
      ))}
    </Toolbar.Root>
  );
}
