import {
  history,
  historyField,
  historyKeymap,
  indentLess,
  indentMore,
  insertTab,
  moveLineDown,
  moveLineUp,
  standardKeymap,
} from "@codemirror/commands";
import { deleteMarkupBackward, insertNewlineContinueMarkupCommand, pasteURLAsLink } from "@codemirror/lang-markdown";
import { indentUnit } from "@codemirror/language";
import {
  Annotation,
  Compartment,
  EditorState,
  type Extension,
  Prec,
  type StateCommand,
  Transaction,
} from "@codemirror/state";
import { EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { getNonce } from "get-nonce";
import type { Wishes } from "@/account/preferences";
import { onMac } from "@/palette/keys";
import { type Change, changes } from "../outside";
import { formats, indentItem, leaveList, outdentItem, tick } from "./format";
import { boxAt, inCode, language, linkAt } from "./language";
import { looks, type Words, words } from "./looks";

/** What can change while a note is open. */
export interface Settings {
  wishes: Wishes["editor"];
  label: string;
  placeholder: string;
  words: Words;
}

const settings = new Compartment();

function settingsOf({ wishes, label, placeholder: text, words: said }: Settings): Extension {
  return [
    EditorView.contentAttributes.of({
      "aria-label": label,
      spellcheck: String(wishes.spellcheck),
      autocorrect: "on",
      autocapitalize: "sentences",
    }),
    wishes.line_numbers ? lineNumbers() : [],
    placeholder(text),
    words.of(said),
  ];
}

export const changeSettings = (to: Settings) => settings.reconfigure(settingsOf(to));

/** How far what is written stays from the edges of what scrolls. */
export const margins = { top: 32, bottom: 64 };

/** Marks what came from elsewhere: it is not told back, and not undone here. */
const outside = Annotation.define<boolean>();

function open(url: string): void {
  window.open(url, "_blank", "noopener,noreferrer");
}

const follow = (view: EditorView) => {
  const url = linkAt(view.state, view.state.selection.main.head);
  if (url) open(url);
  return url !== undefined;
};

/** Tab is the page's but where it indents something; Escape gives it back there too. */
const tab =
  (item: StateCommand, block: StateCommand, one?: StateCommand): StateCommand =>
  (target) => {
    const { main } = target.state.selection;
    const several = target.state.sliceDoc(main.from, main.to).includes("\n");
    if (item(target)) return true;
    if (several) return block(target);
    return inCode(target.state, main.head) ? (one ?? block)(target) : false;
  };

// The second of two items that is empty ends the list, too.
const continueMarkup = insertNewlineContinueMarkupCommand({ nonTightLists: false });

const keys = Prec.high(
  keymap.of([
    { key: "Enter", run: (view) => leaveList(view) || continueMarkup(view) },
    { key: "Backspace", run: deleteMarkupBackward },
    { key: "Tab", run: tab(indentItem, indentMore, insertTab), shift: tab(outdentItem, indentLess) },
    { key: "Mod-b", run: formats.bold },
    { key: "Mod-i", run: formats.italic },
    { key: "Mod-Shift-k", run: formats.link },
    { key: "Mod-Shift-x", run: formats.strike },
    { key: "Mod-Enter", run: (view) => tick(view) || follow(view) },
    { key: "Alt-ArrowUp", run: moveLineUp },
    { key: "Alt-ArrowDown", run: moveLineDown },
  ]),
);

const onBox = (event: Event) => event.target instanceof Element && event.target.closest(".cm-md-box");

const pointer = EditorView.domEventHandlers({
  mousedown(event, view) {
    if (onBox(event)) return true;
    if (event.button !== 0 || !(onMac ? event.metaKey : event.ctrlKey)) return false;
    const at = view.posAtCoords(event);
    const url = at === null ? undefined : linkAt(view.state, at);
    if (url) open(url);
    return url !== undefined;
  },
  click(event, view) {
    const widget = onBox(event);
    if (!widget) return false;
    const box = boxAt(view.state, view.posAtDOM(widget));
    if (box) {
      const insert = box.ticked ? "[ ]" : "[x]";
      view.dispatch({ changes: { from: box.from, to: box.to, insert }, userEvent: "input.tick" });
    }
    return true;
  },
});

// The editor reads the composed text a little after the event that ends it.
const composed = (done: () => void) =>
  EditorView.domEventHandlers({
    compositionend: () => {
      setTimeout(done, 100);
    },
  });

interface Options {
  text: string;
  settings: Settings;
  /** Hears the text whenever it was changed here. */
  onChange: (text: string) => void;
  /** Hears when the text is whole again after a character was composed. */
  onComposed: () => void;
}

const fields = { history: historyField };

/** An editor's state: a new one, or as `saved` was left, with the text as it is now. */
export function stateOf({ text, settings: set, onChange, onComposed }: Options, saved?: unknown): EditorState {
  const extensions: Extension = [
    EditorView.cspNonce.of(getNonce() ?? ""),
    EditorView.lineWrapping,
    EditorView.scrollMargins.of(() => margins),
    language.extension,
    looks,
    history(),
    indentUnit.of("  "),
    keys,
    keymap.of([...standardKeymap, ...historyKeymap]),
    pasteURLAsLink,
    pointer,
    composed(onComposed),
    settings.of(settingsOf(set)),
    EditorView.updateListener.of(({ transactions, state }) => {
      const here = transactions.some((t) => t.docChanged && !t.annotation(outside));
      if (here) onChange(state.doc.toString());
    }),
  ];
  const state = saved
    ? EditorState.fromJSON(saved, { extensions }, fields)
    : EditorState.create({ doc: text, extensions });
  return state.update(fromOutside(state, text)).state;
}

export const saved = (state: EditorState): unknown => state.toJSON(fields);

/** A transaction that makes the text what it became elsewhere. */
export function fromOutside(state: EditorState, text: string) {
  const found: Change[] = changes(state.doc.toString(), text);
  return { changes: found, annotations: [outside.of(true), Transaction.addToHistory.of(false)] };
}
