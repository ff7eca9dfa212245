import { syntaxTree } from "@codemirror/language";
import { type EditorState, Facet, type Range } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  type EditorView,
  ViewPlugin,
  type ViewUpdate,
  WidgetType,
} from "@codemirror/view";
import type { SyntaxNodeRef } from "@lezer/common";
import { boxAt, linkAt } from "./language";

/** What is said of parts of the text, in the user's language. */
export interface Words {
  box: string;
  link: string;
}

export const words = Facet.define<Words, Words>({ combine: ([first]) => first ?? { box: "", link: "" } });

/** How parts of lines look; text.css says more. */
const marks: Record<string, string> = {
  StrongEmphasis: "strong",
  Emphasis: "em",
  InlineCode: "code",
  TableHeader: "strong",
  HeaderMark: "mark",
  EmphasisMark: "mark",
  StrikethroughMark: "mark",
  CodeMark: "mark",
  CodeInfo: "mark",
  LinkMark: "mark",
  QuoteMark: "mark",
  TableDelimiter: "mark",
  HardBreak: "mark",
  Escape: "mark",
  HTMLTag: "mark",
  Comment: "mark",
  LinkTitle: "mark",
  LinkLabel: "mark",
};

/** How whole lines look. */
const lines: Record<string, string> = {
  ATXHeading1: "h1",
  ATXHeading2: "h2",
  ATXHeading3: "h3",
  ATXHeading4: "h4",
  ATXHeading5: "h5",
  ATXHeading6: "h6",
  SetextHeading1: "h1",
  SetextHeading2: "h2",
  Blockquote: "quote",
  FencedCode: "pre",
  CodeBlock: "pre",
  Table: "table",
  HTMLBlock: "pre",
  CommentBlock: "mark",
  HorizontalRule: "rule",
};

const monospaced = new Set(["pre", "table"]);

/** Lists are indented as far as CSS has a class for. */
export const deepest = 24;

class BoxWidget extends WidgetType {
  constructor(
    readonly ticked: boolean,
    readonly label: string,
  ) {
    super();
  }

  override eq(other: BoxWidget): boolean {
    return this.ticked === other.ticked && this.label === other.label;
  }

  override toDOM(): HTMLElement {
    const frame = document.createElement("span");
    frame.className = "cm-md-box";
    const box = frame.appendChild(document.createElement("input"));
    box.type = "checkbox";
    box.checked = this.ticked;
    box.tabIndex = -1;
    box.ariaLabel = this.label;
    return frame;
  }

  override ignoreEvent(): boolean {
    return false;
  }
}

const touched = (state: EditorState, from: number, to: number) =>
  state.selection.ranges.some((r) => r.from <= to && r.to >= from);

/** Collects how the part of a text looks that one can see. */
class Painter {
  readonly #found: Range<Decoration>[] = [];
  readonly #state: EditorState;

  constructor(readonly view: EditorView) {
    this.#state = view.state;
    for (const { from, to } of view.visibleRanges) {
      syntaxTree(view.state).iterate({ from, to, enter: (node) => this.#enter(node, from, to) });
    }
  }

  get decorations(): DecorationSet {
    return Decoration.set(this.#found, true);
  }

  #enter(node: SyntaxNodeRef, from: number, to: number): void {
    const mark = marks[node.name];
    if (mark) this.#mark(node.from, node.to, mark);
    const look = lines[node.name];
    if (look) this.#lines(node, look, from, to);
    if (node.name === "ListItem") this.#item(node);
    if (node.name === "ListMark") this.#mark(node.from, node.to, "bullet");
    if (node.name === "TaskMarker") this.#box(node);
    if (node.name === "Strikethrough") this.#within(node, "StrikethroughMark", "strike");
    if (node.name === "Link" || node.name === "Image") this.#within(node, "LinkMark", "link", this.#leads(node));
    if (node.name === "URL") this.#url(node);
  }

  #mark(from: number, to: number, look: string, attributes: Record<string, string> = {}): void {
    if (from < to) this.#found.push(Decoration.mark({ class: "cm-md-" + look, attributes }).range(from, to));
  }

  /** What is between the first two marks of a node. */
  #within(node: SyntaxNodeRef, mark: string, look: string, attributes?: Record<string, string>): void {
    const [first, second] = node.node.getChildren(mark);
    if (first && second) this.#mark(first.to, second.from, look, attributes);
  }

  #line(at: number, look: string, attributes: Record<string, string> = {}): void {
    this.#found.push(Decoration.line({ class: "cm-md-" + look, attributes }).range(at));
  }

  #lines(node: SyntaxNodeRef, look: string, from: number, to: number): void {
    const { doc } = this.#state;
    const attributes: Record<string, string> = monospaced.has(look) ? { spellcheck: "false" } : {};
    const last = doc.lineAt(node.to);
    for (let line = doc.lineAt(Math.max(node.from, from)); ; line = doc.line(line.number + 1)) {
      const first = line.from <= node.from;
      const ends = line.number === last.number;
      const looks = [look, first && look + "-first", ends && look + "-last"].filter(Boolean);
      this.#line(line.from, looks.join(" cm-md-"), attributes);
      if (ends || line.to >= to) break;
    }
  }

  /** A list item's first line hangs by its mark. */
  #item(node: SyntaxNodeRef): void {
    const line = this.#state.doc.lineAt(node.from);
    const before = line.text.slice(0, node.from - line.from);
    if (/\S/.test(before)) return;
    const depth = Math.min(before.length, deepest);
    this.#line(line.from, `item cm-md-item-${depth}`);
    this.#mark(line.from, node.from, "indent");
  }

  #box(node: SyntaxNodeRef): void {
    const box = boxAt(this.#state, node.from);
    if (!box) return;
    const line = this.#state.doc.lineAt(node.from);
    const bullet = /[-+*]\s+$/.exec(line.text.slice(0, box.from - line.from));
    const from = bullet ? line.from + bullet.index : box.from;
    if (box.ticked) this.#mark(box.to + 1, line.to, "done");
    if (this.view.hasFocus && touched(this.#state, from, box.to)) return;
    const widget = new BoxWidget(box.ticked, this.#state.facet(words).box);
    this.#found.push(Decoration.replace({ widget }).range(from, box.to));
  }

  #leads(node: SyntaxNodeRef): Record<string, string> {
    const url = linkAt(this.#state, node.from);
    return url ? { title: `${url}\n${this.#state.facet(words).link}` } : {};
  }

  /** A URL that stands for itself is a link; one behind a link's text is a mark. */
  #url(node: SyntaxNodeRef): void {
    const parent = node.node.parent?.name ?? "";
    if (["Link", "Image", "LinkReference"].includes(parent)) this.#mark(node.from, node.to, "mark");
    else this.#mark(node.from, node.to, "link", this.#leads(node));
  }
}

/** Shows Markdown as what it means, with its marks softened. */
export const looks = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;

    constructor(view: EditorView) {
      this.decorations = new Painter(view).decorations;
    }

    update(update: ViewUpdate) {
      const parsed = syntaxTree(update.startState) !== syntaxTree(update.state);
      const said = update.startState.facet(words) !== update.state.facet(words);
      if (update.docChanged || update.viewportChanged || update.selectionSet || update.focusChanged || parsed || said) {
        this.decorations = new Painter(update.view).decorations;
      }
    }
  },
  { decorations: (plugin) => plugin.decorations },
);
