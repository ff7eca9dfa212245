import { EditorState, type StateCommand } from "@codemirror/state";
import { ensureSyntaxTree } from "@codemirror/language";
import { describe, expect, test } from "vitest";
import { formats, indentItem, leaveList, outdentItem, tick } from "./format";
import { boxAt, language, linkAt } from "./language";

/** A state whose text says where the selection is: "a [b] c" in «», or ‸ for a cursor. */
function stateOf(marked: string): EditorState {
  const [anchor, head] = [marked.search(/[«‸]/), marked.replace(/[«‸]/, "").indexOf("»")];
  const doc = marked.replace(/[«»‸]/g, "");
  const state = EditorState.create({
    doc,
    selection: { anchor, head: head < 0 ? anchor : head },
    extensions: [language.extension],
  });
  ensureSyntaxTree(state, doc.length, 5000);
  return state;
}

function marked({ doc, selection: { main } }: EditorState): string {
  const text = doc.toString();
  if (main.empty) return text.slice(0, main.head) + "‸" + text.slice(main.head);
  return `${text.slice(0, main.from)}«${text.slice(main.from, main.to)}»${text.slice(main.to)}`;
}

function run(command: StateCommand, text: string): string | false {
  let state = stateOf(text);
  const done = command({ state, dispatch: (t) => (state = t.state) });
  return done && marked(state);
}

describe("formats", () => {
  test.each<[keyof typeof formats, string, string]>([
    ["bold", "a «word» b", "a **«word»** b"],
    ["bold", "a **«word»** b", "a «word» b"],
    ["bold", "a __«word»__ b", "a «word» b"],
    ["bold", "a wo‸rd b", "a **wo‸rd** b"],
    ["bold", "a **wo‸rd** b", "a wo‸rd b"],
    ["bold", "a « word » b", "a  **«word»**  b"],
    ["bold", "‸", "**‸**"],
    ["bold", "**‸**", "‸"],
    ["italic", "**«word»**", "***«word»***"],
    ["strike", "«gone»", "~~«gone»~~"],
    ["code", "«x»", "`«x»`"],
    ["code", "«a\nb»", "```\n«a\nb»\n```"],
    ["link", "a «word» b", "a [word](‸) b"],
    ["link", "a wo‸rd b", "a [word](‸) b"],
    ["link", "«https://example.org»", "[‸](https://example.org)"],
    ["link", "‸", "[‸]()"],
    ["link", "[wo‸rd](https://example.org)", "[word](«https://example.org»)"],
    ["heading", "te‸xt", "# te‸xt"],
    ["heading", "# te‸xt", "## te‸xt"],
    ["heading", "### te‸xt", "te‸xt"],
    ["heading", "‸", "# ‸"],
    ["quote", "«a\n\nb»", "> «a\n\n> b»"],
    ["quote", "> «a\n> b»", "«a\nb»"],
    ["bullets", "‸", "- ‸"],
    ["bullets", "«a\n1. b»", "- «a\n- b»"],
    ["bullets", "- «a\n- b»", "«a\nb»"],
    ["bullets", "- [ ] a‸", "- a‸"],
    ["numbers", "«a\n\n  - b»", "1. «a\n\n  2. b»"],
    ["tasks", "«a\n- b»", "- [ ] «a\n- [ ] b»"],
    ["tasks", "- [x] a‸", "a‸"],
  ])("%s makes of %j %j", (format, before, after) => {
    expect(run(formats[format], before)).toBe(after);
  });
});

describe("ticking", () => {
  test.each([
    ["- [ ] a‸", "- [x] a‸"],
    ["1. [X] a‸", "1. [ ] a‸"],
    ["> - [ ] a‸", "> - [x] a‸"],
    ["- [ ] «a\n- [x] b\n- c»", "- [x] «a\n- [x] b\n- c»"],
    ["- [x] «a\n- [x] b»", "- [ ] «a\n- [ ] b»"],
  ])("makes of %j %j", (before, after) => {
    expect(run(tick, before)).toBe(after);
  });

  test.each(["text ‸", "- item ‸", "- [ ]text‸", "```\n- [ ] a‸\n```"])("does nothing to %j", (text) => {
    expect(run(tick, text)).toBe(false);
  });
});

describe("list items", () => {
  test.each([
    ["- a\n- b‸", "- a\n  - b‸"],
    ["1. a\n2. b‸", "1. a\n   1. b‸"],
    ["1. a\n   1. x\n2. b‸", "1. a\n   1. x\n   2. b‸"],
    ["- a\n- b‸\n  - c\n\n  text\n- d", "- a\n  - b‸\n    - c\n\n    text\n- d"],
    ["- a\n- «b\n- c»", "- a\n  - «b\n  - c»"],
    ["- a‸", "- a‸"],
    ["- a\n  - b‸", "- a\n  - b‸"],
  ])("go in: %j, %j", (before, after) => {
    expect(run(indentItem, before)).toBe(after);
  });

  test.each([
    ["- a\n  - b‸", "- a\n- b‸"],
    ["1. a\n   1. b‸", "1. a\n2. b‸"],
    ["- a\n  - b\n    - c‸", "- a\n  - b\n  - c‸"],
    ["- a\n  - b‸\n    - c", "- a\n- b‸\n  - c"],
    ["- a‸", "- a‸"],
  ])("come out: %j, %j", (before, after) => {
    expect(run(outdentItem, before)).toBe(after);
  });

  test.each(["text‸", "```\n- a‸\n```"])("are none in %j", (text) => {
    expect(run(indentItem, text)).toBe(false);
    expect(run(outdentItem, text)).toBe(false);
  });

  test.each([
    ["- a\n- ‸", "- a\n\n‸"],
    ["1. a\n2. ‸\n3. b", "1. a\n\n‸\n3. b"],
    ["- [ ] a\n- [ ] ‸", "- [ ] a\n\n‸"],
    ["- a\n\n- ‸", "- a\n\n‸"],
  ])("end with an empty one: %j, %j", (before, after) => {
    expect(run(leaveList, before)).toBe(after);
  });

  test.each(["- a\n- b‸", "- a\n  - ‸", "text‸", "- ‸"])("don't end in %j", (text) => {
    expect(run(leaveList, text)).toBe(false);
  });
});

describe("a link", () => {
  test.each([
    ["see [th‸is](https://example.org/a)", "https://example.org/a"],
    ["see [this](https://exa‸mple.org/a)", "https://example.org/a"],
    ["see <https://exa‸mple.org>", "https://example.org"],
    ["see https://exa‸mple.org/b now", "https://example.org/b"],
    ["see www.exa‸mple.org", "https://www.example.org"],
    ["write to a@exam‸ple.org", "mailto:a@example.org"],
    ["[x‸](javascript:alert(1))", undefined],
    ["[x‸](data:text/html,x)", undefined],
    ["[x‸](/account)", undefined],
    ["pla‸in", undefined],
  ])("in %j leads to %j", (text, url) => {
    const state = stateOf(text);
    expect(linkAt(state, state.selection.main.head)).toBe(url);
  });
});

test("a box is where a task's is", () => {
  const state = stateOf("> 2. [x] a‸");
  expect(boxAt(state, 3)).toEqual({ from: 5, to: 8, ticked: true });
});
