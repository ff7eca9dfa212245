import { markdownLanguage } from "@codemirror/lang-markdown";
import { Language, syntaxTree } from "@codemirror/language";
import type { EditorState } from "@codemirror/state";
import type { SyntaxNode } from "@lezer/common";
import type { MarkdownParser } from "@lezer/markdown";

/**
 * Markdown as the preview reads it. Not markdown() of that package: that has
 * parsers of HTML, CSS and JavaScript with it, as large again as the editor.
 */
export const language = new Language(
  markdownLanguage.data,
  (markdownLanguage.parser as MarkdownParser).configure({ remove: ["Subscript", "Superscript", "Emoji"] }),
  [],
  "markdown",
);

/** The innermost node of one of these kinds around a range. */
export function around(state: EditorState, from: number, to: number, kinds: readonly string[]): SyntaxNode | undefined {
  const tree = syntaxTree(state);
  for (const side of [1, -1] as const) {
    let node: SyntaxNode | null = tree.resolveInner(side > 0 ? from : to, side);
    for (; node; node = node.parent) {
      if (node.from <= from && node.to >= to && kinds.includes(node.name)) return node;
    }
  }
  return undefined;
}

export const inCode = (state: EditorState, at: number) =>
  around(state, at, at, ["FencedCode", "CodeBlock"]) !== undefined;

/** Where the link around a position leads, if it is one to follow. */
export function linkAt(state: EditorState, at: number): string | undefined {
  const node = around(state, at, at, ["Link", "Autolink", "Image", "URL"]);
  const url = node?.name === "URL" ? node : node?.getChild("URL");
  if (!url) return undefined;
  const text = state.sliceDoc(url.from, url.to).replace(/^<|>$/g, "");
  const whole = /^www\./i.test(text) ? "https://" + text : /^[^\s@/:]+@[^\s@/]+$/.test(text) ? "mailto:" + text : text;
  return /^(https?:\/\/|mailto:)/i.test(whole) ? whole : undefined;
}

/** A task list item's box: where it is, and whether it is ticked. */
export interface Box {
  from: number;
  to: number;
  ticked: boolean;
}

/** The box of the task that a line is, if it is one. */
export function boxAt(state: EditorState, at: number): Box | undefined {
  const line = state.doc.lineAt(at);
  const found = /^([>\s]*(?:[-+*]|\d+[.)])\s+)\[([ xX])\](?=\s)/.exec(line.text);
  if (!found || inCode(state, at)) return undefined;
  const [, before = "", mark] = found;
  const from = line.from + before.length;
  return { from, to: from + 3, ticked: mark !== " " };
}
