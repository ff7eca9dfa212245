import {
  type ChangeSpec,
  EditorSelection,
  type EditorState,
  type SelectionRange,
  type StateCommand,
} from "@codemirror/state";
import { around, boxAt, inCode } from "./language";

/** What can be done to the selected text. */
export type Format =
  | "bold"
  | "italic"
  | "strike"
  | "code"
  | "link"
  | "heading"
  | "quote"
  | "bullets"
  | "numbers"
  | "tasks";

const inline = {
  bold: { node: "StrongEmphasis", mark: "EmphasisMark", text: "**" },
  italic: { node: "Emphasis", mark: "EmphasisMark", text: "*" },
  strike: { node: "Strikethrough", mark: "StrikethroughMark", text: "~~" },
  code: { node: "InlineCode", mark: "CodeMark", text: "`" },
} as const;

interface Edit {
  range: SelectionRange;
  changes: ChangeSpec;
}

/** Puts marks around each selection, or the word at the cursor, or takes them away. */
function wrap(kind: keyof typeof inline): StateCommand {
  const { node: name, mark, text } = inline[kind];
  return ({ state, dispatch }) => {
    const edit = (range: SelectionRange): Edit => {
      const node = around(state, range.from, range.to, [name]);
      const marks = node?.getChildren(mark) ?? [];
      const [first, last] = [marks[0], marks.at(-1)];
      if (first && last && first !== last) {
        const changes = state.changes([
          { from: first.from, to: first.to },
          { from: last.from, to: last.to },
        ]);
        return { range: range.map(changes), changes };
      }
      const nothing = state.sliceDoc(range.from - text.length, range.to + text.length) === text + text;
      if (range.empty && nothing && state.sliceDoc(range.from - text.length, range.from) === text) {
        const changes = { from: range.from - text.length, to: range.to + text.length };
        return { range: EditorSelection.cursor(changes.from), changes };
      }
      const word = range.empty ? (state.wordAt(range.head) ?? range) : range;
      const selected = state.sliceDoc(word.from, word.to);
      // Marks beside a space mean nothing.
      const from = word.from + (selected.length - selected.trimStart().length);
      const to = Math.max(from, word.to - (selected.length - selected.trimEnd().length));
      const changes = state.changes([
        { from, insert: text },
        { from: to, insert: text },
      ]);
      const [start, end] = [from + text.length, to + text.length];
      return {
        range: range.empty ? EditorSelection.cursor(range.head + text.length) : EditorSelection.range(start, end),
        changes,
      };
    };
    dispatch(state.update(state.changeByRange(edit), { scrollIntoView: true, userEvent: "input.format" }));
    return true;
  };
}

/** Makes a link of the selection, and selects what is still to be written of it. */
const link: StateCommand = ({ state, dispatch }) => {
  const edit = (range: SelectionRange): Edit => {
    const url = around(state, range.from, range.to, ["Link"])?.getChild("URL");
    if (url) return { range: EditorSelection.range(url.from, url.to), changes: [] };
    const word = range.empty ? (state.wordAt(range.head) ?? range) : range;
    const text = state.sliceDoc(word.from, word.to);
    const isUrl = /^(https?:\/\/|mailto:|www\.)\S+$/.test(text);
    const insert = isUrl ? `[](${text})` : `[${text}]()`;
    return {
      range: EditorSelection.cursor(word.from + (isUrl || !text ? 1 : text.length + 3)),
      changes: { from: word.from, to: word.to, insert },
    };
  };
  dispatch(state.update(state.changeByRange(edit), { scrollIntoView: true, userEvent: "input.format" }));
  return true;
};

/** The lines that the selection touches; with more than one, those that say something. */
function selectedLines(state: EditorState) {
  const numbers = new Set<number>();
  for (const { from, to } of state.selection.ranges) {
    const last = state.doc.lineAt(to).number;
    for (let n = state.doc.lineAt(from).number; n <= last; n++) numbers.add(n);
  }
  const all = [...numbers].map((n) => state.doc.line(n));
  return all.length > 1 ? all.filter((line) => /\S/.test(line.text)) : all;
}

const listMark = /^(\s*)(?:(?:[-+*]|\d+[.)])\s+)?(?:\[[ xX]\]\s+)?/;
const begins = {
  heading: /^#{1,6}\s+/,
  quote: /^>\s?/,
  bullets: /^\s*[-+*]\s+(?!\[[ xX]\]\s)/,
  numbers: /^\s*\d+[.)]\s+(?!\[[ xX]\]\s)/,
  tasks: /^\s*(?:[-+*]|\d+[.)])\s+\[[ xX]\]\s+/,
};

/** Changes how each line begins: `begin` makes its new beginning of its old one. */
function beginLines(begin: (text: string, index: number) => { length: number; insert: string }): StateCommand {
  return ({ state, dispatch }) => {
    const changes = state.changes(
      selectedLines(state).map((line, i) => {
        const { length, insert } = begin(line.text, i);
        return { from: line.from, to: line.from + length, insert };
      }),
    );
    // What is typed next goes behind the new beginning, not before it.
    const selection = state.selection.map(changes, 1);
    dispatch(state.update({ changes, selection, scrollIntoView: true, userEvent: "input.format" }));
    return true;
  };
}

function list(kind: "bullets" | "numbers" | "tasks"): StateCommand {
  return (target) => {
    const on = selectedLines(target.state).every((line) => begins[kind].test(line.text));
    return beginLines((text, i) => {
      const [length, indent] = sizes(listMark.exec(text));
      const mark = on ? "" : kind === "bullets" ? "- " : kind === "numbers" ? `${i + 1}. ` : "- [ ] ";
      return { length, insert: indent + mark };
    })(target);
  };
}

const sizes = (found: RegExpExecArray | null): [number, string] => [found?.[0].length ?? 0, found?.[1] ?? ""];

const quote: StateCommand = (target) => {
  const on = selectedLines(target.state).every((line) => begins.quote.test(line.text));
  return beginLines((text) => {
    return on ? { length: begins.quote.exec(text)?.[0].length ?? 0, insert: "" } : { length: 0, insert: "> " };
  })(target);
};

/** One heading smaller than before, from none to the third, and none again. */
const heading: StateCommand = (target) => {
  const [first] = selectedLines(target.state);
  const before = /^(#{1,6})\s/.exec(first?.text ?? "")?.[1]?.length ?? 0;
  const level = before >= 3 ? 0 : before + 1;
  return beginLines((text) => {
    return { length: begins.heading.exec(text)?.[0].length ?? 0, insert: level ? "#".repeat(level) + " " : "" };
  })(target);
};

/** Code within a line, or a block of code where more than a line is selected. */
const code: StateCommand = (target) => {
  const { state, dispatch } = target;
  const { from, to } = state.selection.main;
  const [first, last] = [state.doc.lineAt(from), state.doc.lineAt(to)];
  if (first.number === last.number) return wrap("code")(target);
  const changes = [
    { from: first.from, insert: "```\n" },
    { from: last.to, insert: "\n```" },
  ];
  dispatch(state.update({ changes, scrollIntoView: true, userEvent: "input.format" }));
  return true;
};

export const formats: Record<Format, StateCommand> = {
  bold: wrap("bold"),
  italic: wrap("italic"),
  strike: wrap("strike"),
  code,
  link,
  heading,
  quote,
  bullets: list("bullets"),
  numbers: list("numbers"),
  tasks: list("tasks"),
};

/** Ticks the tasks that the selection touches, or none where it touches none. */
export const tick: StateCommand = ({ state, dispatch }) => {
  const boxes = selectedLines(state).flatMap((line) => boxAt(state, line.from) ?? []);
  if (boxes.length === 0) return false;
  const all = boxes.every((box) => box.ticked);
  const changes = boxes.map(({ from, to }) => ({ from, to, insert: all ? "[ ]" : "[x]" }));
  dispatch(state.update({ changes, userEvent: "input.tick" }));
  return true;
};

/** Ends a list whose last item is empty, with the empty line behind it that makes what follows no part of it. */
export const leaveList: StateCommand = ({ state, dispatch }) => {
  const { main } = state.selection;
  const line = state.doc.lineAt(main.head);
  const empty = /^(?:[-+*]|\d+[.)])\s+(?:\[[ xX]\]\s*)?$/.test(line.text);
  if (!empty || !main.empty || main.head !== line.to || line.number === 1 || inCode(state, main.head)) return false;
  const insert = /\S/.test(state.doc.line(line.number - 1).text) ? "\n" : "";
  const selection = { anchor: line.from + insert.length };
  const changes = { from: line.from, to: line.to, insert };
  dispatch(state.update({ changes, selection, scrollIntoView: true, userEvent: "input" }));
  return true;
};

interface Item {
  indent: number;
  /** Where the text of the item begins: what is indented so far belongs to it. */
  content: number;
  number: string | undefined;
}

function itemOf(text: string): Item | undefined {
  const found = /^(\s*)(?:[-+*]|(\d+)[.)])(\s+|$)/.exec(text);
  if (!found) return undefined;
  const [mark, indent = "", number, space = ""] = found;
  return { indent: indent.length, content: mark.length - Math.max(0, space.length - 1), number };
}

const indentOf = (text: string) => /^\s*/.exec(text)?.[0].length ?? 0;

/** The item above a line, nearest to it, that is indented as far as `wanted` says. */
function itemAbove(state: EditorState, line: number, wanted: (item: Item) => boolean): Item | undefined {
  for (let n = line - 1; n >= 1; n--) {
    const { text } = state.doc.line(n);
    const item = itemOf(text);
    if (item && wanted(item)) return item;
    if (!item && /^\S/.test(text)) return undefined;
  }
  return undefined;
}

/** Moves the selected list items, and what belongs to the last of them, a level in or out. */
function move(direction: "in" | "out"): StateCommand {
  return ({ state, dispatch }) => {
    const { from, to } = state.selection.main;
    const first = state.doc.lineAt(from);
    const item = itemOf(first.text);
    if (!item || inCode(state, from)) return false;
    const parent =
      direction === "in"
        ? itemAbove(state, first.number, (i) => i.indent <= item.indent)
        : itemAbove(state, first.number, (i) => i.indent < item.indent);
    const target = direction === "in" ? parent?.content : (parent?.indent ?? 0);
    // The first of a list has nothing to be a part of; a part of it is one already.
    if (target === undefined || target === item.indent || target > item.indent !== (direction === "in")) return true;

    let last = state.doc.lineAt(to).number;
    const depth = indentOf(state.doc.line(last).text);
    for (let n = last + 1; n <= state.doc.lines; n++) {
      const { text } = state.doc.line(n);
      if (!/\S/.test(text)) continue;
      if (indentOf(text) <= depth) break;
      last = n;
    }
    const shift = target - item.indent;
    const changes: ChangeSpec[] = [];
    for (let n = first.number; n <= last; n++) {
      const line = state.doc.line(n);
      if (/\S/.test(line.text)) changes.push(shifted(line, shift));
    }
    if (item.number !== undefined) {
      const before = itemAbove(state, first.number, (i) => i.indent <= target);
      const number = before?.indent === target && before.number !== undefined ? Number(before.number) + 1 : 1;
      const at = first.from + item.indent;
      changes.push({ from: at, to: at + item.number.length, insert: String(number) });
    }
    dispatch(state.update({ changes, scrollIntoView: true, userEvent: "input.indent" }));
    return true;
  };
}

function shifted(line: { from: number; text: string }, by: number): ChangeSpec {
  if (by > 0) return { from: line.from, insert: " ".repeat(by) };
  return { from: line.from, to: line.from + Math.min(-by, indentOf(line.text)) };
}

export const indentItem = move("in");
export const outdentItem = move("out");
