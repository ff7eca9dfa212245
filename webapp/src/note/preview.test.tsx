import { fireEvent, render, screen } from "@testing-library/react";
import { beforeAll, describe, expect, test, vi } from "vitest";
import i18n, { start } from "@/i18n";
import Preview from "./preview";

beforeAll(async () => {
  await start();
  await i18n.loadNamespaces("note");
});

const show = (text: string) => render(<Preview text={text} />).container;

describe("nothing that runs gets through:", () => {
  test.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "<style>body{display:none}</style>",
    "<iframe src=https://example.org></iframe>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    '<form action="https://example.org"><button>x</button></form>',
    "<object data=x></object><embed src=x>",
    '<math><mtext><table><mglyph><style><img src=x onerror="alert(1)">',
    "<base href=https://example.org>",
    '<meta http-equiv=refresh content="0;url=https://example.org">',
    "text <b onclick=alert(1)>bold</b> text",
    "<div\nonmouseover=alert(1)>\n\ntext\n\n</div>",
    "<!-- --!><script>alert(1)</script> -->",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](%6Aavascript:alert(1))",
    "[x]( \u0001javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](blob:https://example.org/1)",
    "[x](file:///etc/passwd)",
    '[x](https://example.org "\\" onclick=\\"alert(1)")',
    "[x][y]\n\n[y]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](data:text/html,<script>alert(1)</script>)",
    '![x" onerror="alert(1)](https://example.org/x.png)',
    "![x](x.png)",
    "```js\n</code></pre><script>alert(1)</script>\n```",
    "```\" onclick=\"alert(1)\nx\n```",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "[^1]\n\n[^1]: <script>alert(1)</script>",
    '[^"><img src=x onerror=alert(1)>]\n\n[^"><img src=x onerror=alert(1)>]: x',
    "- [ ] <input autofocus onfocus=alert(1)>",
  ])("%j", (attack) => {
    const page = show(attack);
    const allowed = [
      "a, p, em, strong, del, code, pre, ul, ol, li, input, div, br, section, h3, sup",
      "table, thead, tbody, tr, th, td, svg, path, rect, circle",
    ].join();
    for (const element of page.querySelectorAll("*")) {
      expect(element.matches(allowed), element.outerHTML).toBe(true);
      for (const { name, value } of element.attributes) {
        expect(name).not.toMatch(/^(on|style$|srcdoc|formaction|action)/);
        if (name === "href" || name === "src") expect(value).toMatch(/^(https?:|mailto:|#user-content-|$|[^:]*$)/);
      }
    }
    expect(page.querySelectorAll("script, style, iframe, img, object, embed, form, base, meta")).toHaveLength(0);
  });
});

describe("a link", () => {
  const followed = ["https://example.org/a?b=c#d", "http://example.org", "mailto:a@example.org"];
  test.each(followed)("to %s leads there", (url) => {
    const link = show(`[text](${url})`).querySelector("a");
    expect(link?.getAttribute("href")).toBe(url);
    expect(link?.target).toBe("_blank");
    expect(link?.rel).toBe("noopener noreferrer");
  });

  test("to a footnote stays in the page and finds it", () => {
    const page = show("Text[^1].\n\n[^1]: Note.");
    const link = page.querySelector("sup a");
    expect(link?.getAttribute("target")).toBeNull();
    expect(page.querySelector(`[id="${link?.getAttribute("href")?.slice(1)}"]`)?.textContent).toContain("Note.");
  });
});

describe("a picture", () => {
  test("from elsewhere is a link that says what it shows", () => {
    const page = show("![A cat](https://example.org/cat.png)");
    expect(page.querySelector("img")).toBeNull();
    expect(screen.getByRole("link", { name: "A cat" }).getAttribute("href")).toBe("https://example.org/cat.png");
  });

  test("in a link is text of that link", () => {
    const links = show("[![A cat](https://example.org/cat.png)](https://example.org)").querySelectorAll("a");
    expect([...links].map((l) => l.getAttribute("href"))).toEqual(["https://example.org"]);
  });

  test("in the text is shown", () => {
    const src = "data:image/png;base64,iVBORw0KGgo=";
    expect(show(`![dot](${src})`).querySelector("img")?.getAttribute("src")).toBe(src);
  });
});

test("headings begin below the note's title, and end at the sixth level", () => {
  const page = show("# 1\n## 2\n### 3\n#### 4\n##### 5\n###### 6");
  expect([...page.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((h) => h.tagName)).toEqual([
    "H2", "H3", "H4", "H5", "H6", "H6",
  ]);
});

describe("a task", () => {
  const body = "Tasks:\n\n1. [ ] one\n   - [x] **two**\n\n- [ ] three";

  test.each([
    [0, "Tasks:\n\n1. [x] one\n   - [x] **two**\n\n- [ ] three"],
    [1, "Tasks:\n\n1. [ ] one\n   - [ ] **two**\n\n- [ ] three"],
    [2, "Tasks:\n\n1. [ ] one\n   - [x] **two**\n\n- [x] three"],
  ])("%i is ticked in the text", (index, after) => {
    const onChange = vi.fn();
    render(<Preview text={body} onChange={onChange} />);
    const box = screen.getAllByRole("checkbox")[index];
    if (!box) throw new Error("no box");
    fireEvent.click(box);
    expect(onChange).toHaveBeenCalledExactlyOnceWith(after);
  });

  test("can't be ticked by who only reads", () => {
    render(<Preview text={body} />);
    for (const box of screen.getAllByRole<HTMLInputElement>("checkbox")) expect(box.disabled).toBe(true);
  });
});
