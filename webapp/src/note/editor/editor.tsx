import type { StateCommand } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import {
  memo,
  type RefObject,
  useEffect,
  useEffectEvent,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
} from "react";
import { useTranslation } from "react-i18next";
import { useWishes } from "@/account/preferences";
import { useCommands } from "@/palette/commands";
import { onMac } from "@/palette/keys";
import { useReplica } from "@/replica/react";
import { type Memory, memoryOf, remember } from "../memory";
import { lineFeeds } from "../outside";
import type { WritingProps } from "../writing";
import { formats, tick } from "./format";
import { FormatBar } from "./format-bar";
import { changeSettings, fromOutside, margins, saved, type Settings, stateOf } from "./setup";

/** The body as Markdown that looks, while one writes it, like what it means. */
export default function Editor({ id, text, onChange, scroller, ref }: WritingProps) {
  const replica = useReplica();
  const settings = useSettings();
  const frame = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  /** The text that the editor has, as the replica has or had it. */
  const known = useRef(text);
  const latest = useRef({ text, settings, onChange });
  useLayoutEffect(() => {
    latest.current = { text, settings, onChange };
  });

  /** Shows what was changed elsewhere, but not in the middle of composing a character. */
  const show = useEffectEvent((editor: EditorView) => {
    if (text === known.current || editor.composing) return;
    known.current = text;
    editor.dispatch(fromOutside(editor.state, lineFeeds(text)));
  });

  useLayoutEffect(() => {
    if (!frame.current) return;
    const memory = memoryOf(replica, id);
    const onChange = (changed: string) => {
      const before = known.current;
      known.current = changed;
      latest.current.onChange(changed, before);
    };
    const { text, settings } = latest.current;
    known.current = text;
    const state = stateOf({ text: lineFeeds(text), settings, onChange, onComposed: () => show(editor) }, memory.editor);
    const editor = new EditorView({ state, parent: frame.current });
    view.current = editor;
    recall(editor, memory);
    remember(replica, id, { selection: undefined, focused: undefined });
    const scrolls = scroller.current;
    let seen = false;
    editor.requestMeasure({ read: () => (seen = true) });
    return () => {
      remember(replica, id, { editor: saved(editor.state) });
      // What was never on screen has not scrolled yet to where one was, and hands the focus on.
      if (!seen) remember(replica, id, { focused: editor.hasFocus });
      else if (scrolls) remember(replica, id, { top: topOf(editor, scrolls) });
      editor.destroy();
      view.current = undefined;
    };
  }, [replica, id, scroller]);

  useEffect(() => {
    view.current?.dispatch({ effects: changeSettings(settings) });
  }, [settings]);

  useLayoutEffect(() => {
    if (view.current) show(view.current);
  }, [text]);

  useImperativeHandle(ref, () => ({
    focus(at) {
      view.current?.focus();
      if (at) view.current?.dispatch({ selection: { anchor: 0 }, scrollIntoView: true });
    },
  }));

  return (
    <div className="group flex flex-1 flex-col">
      <div ref={frame} className="note-editor flex-1" />
      <Formatting view={view} />
    </div>
  );
}

function useSettings(): Settings {
  const { t } = useTranslation("note");
  const { editor: wishes } = useWishes();
  return useMemo(
    () => ({
      wishes,
      label: t("body"),
      placeholder: t("placeholder"),
      words: { box: t("task"), link: t("followLink", { keys: onMac ? "⌘" : "Ctrl" }) },
    }),
    [wishes, t],
  );
}

/** Has the editor go on where a plain field stopped, or where it was left. */
function recall(editor: EditorView, memory: Memory): void {
  const { selection, focused, top } = memory;
  if (selection) {
    const last = editor.state.doc.length;
    const [anchor, head] = [selection.anchor, selection.head].map((at) => Math.min(at, last));
    editor.dispatch({ selection: { anchor: anchor ?? 0, head: head ?? 0 } });
  }
  if (focused) editor.focus();
  if (top) {
    const position = Math.min(top.position, editor.state.doc.length);
    const yMargin = -top.above - margins.top;
    editor.dispatch({ effects: EditorView.scrollIntoView(position, { y: "start", yMargin }) });
  }
}

/** What is at the upper edge: a position, since heights are but guesses until they have been seen. */
function topOf(editor: EditorView, scroller: HTMLElement): Memory["top"] {
  const height = scroller.getBoundingClientRect().top - editor.documentTop;
  if (height <= 0) return undefined;
  const block = editor.lineBlockAtHeight(height);
  return { position: block.from, above: height - block.top };
}

const listed = [
  { format: "bold", keys: "mod+b" },
  { format: "italic", keys: "mod+i" },
  { format: "link", keys: "mod+K" },
  { format: "strike", keys: "mod+X" },
  { format: "code" },
  { format: "heading" },
  { format: "bullets" },
  { format: "numbers" },
  { format: "tasks" },
  { format: "quote" },
] as const;

/** The formats, as a bar of buttons and among the commands; their keys the editor hears itself. */
const Formatting = memo(function Formatting({ view }: { view: RefObject<EditorView | undefined> }) {
  const { t } = useTranslation("note");
  const run = (command: StateCommand) => () => {
    // One who writes in another field doesn't mean the body.
    if (!view.current || document.activeElement?.matches("input, textarea")) return;
    command(view.current);
    view.current.focus();
  };
  useCommands([
    ...listed.map(({ format, ...keys }) => ({
      id: "note.format." + format,
      group: "note" as const,
      label: t("format." + format),
      words: t("format.words"),
      ...keys,
      run: run(formats[format]),
    })),
    { id: "note.tick", group: "note", label: t("format.tick"), keys: "mod+Enter", run: run(tick) },
  ]);
  return <FormatBar view={view} />;
});
