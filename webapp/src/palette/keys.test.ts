import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Command } from "./commands";
import { caption, dispatcher, keyOf, singleKeys } from "./keys";

type Press = KeyboardEventInit & { at?: number; target?: Element; graph?: boolean };

function press(key: string, { at, target = document.body, graph = false, ...init }: Press = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, modifierAltGraph: graph, ...init });
  if (at !== undefined) Object.defineProperty(event, "timeStamp", { value: at });
  target.dispatchEvent(event);
  return event;
}

let ran: string[];
let commands: Command[];
let single = true;
const listen = dispatcher({ commands: () => commands, single: () => single });

function command(keys: string, id = keys): Command {
  return { id, keys, label: id, group: "app", run: () => ran.push(id) };
}

beforeEach(() => {
  ran = [];
  commands = ["c", "?", "g n", "g t", "t", "C", "mod+k", "Enter", "Escape"].map((k) => command(k));
  single = true;
  window.addEventListener("keydown", listen);
});

afterEach(() => {
  window.removeEventListener("keydown", listen);
  document.body.replaceChildren();
  localStorage.clear();
});

function inBody(html: string): Element {
  const template = document.createElement("template");
  template.innerHTML = html;
  document.body.append(template.content);
  const element = document.body.querySelector("[data-here]");
  if (!element) throw new Error("nothing is marked");
  return element;
}

describe("the dispatcher", () => {
  test("runs the command of a key and keeps the key to itself", () => {
    expect(press("c").defaultPrevented).toBe(true);
    expect(ran).toEqual(["c"]);
  });

  test("leaves alone what is no command's, or not all of it", () => {
    for (const event of [
      press("x"),
      press("c", { ctrlKey: true }),
      press("c", { metaKey: true }),
      press("c", { altKey: true }),
      press("Tab"),
      press("F5"),
      press("k", { ctrlKey: true, metaKey: true }),
      press("c", { isComposing: true }),
      press("Shift", { shiftKey: true }),
    ]) {
      expect(event.defaultPrevented, event.key).toBe(false);
    }
    expect(ran).toEqual([]);
  });

  test("takes Ctrl for mod, where something writes too", () => {
    press("k", { ctrlKey: true, target: inBody("<textarea data-here></textarea>") });
    expect(ran).toEqual(["mod+k"]);
  });

  test.each([
    "<input data-here>",
    "<input type=search data-here>",
    "<textarea data-here></textarea>",
    "<select data-here></select>",
    "<div contenteditable=true><p data-here></p></div>",
    "<div role=menu><div data-here></div></div>",
  ])("leaves keys without mod to %s", (html) => {
    const target = inBody(html);
    for (const key of ["c", "?", "g", "n"]) expect(press(key, { target }).defaultPrevented).toBe(false);
    expect(ran).toEqual([]);
  });

  test.each(["<button data-here></button>", "<input type=checkbox data-here>", "<a href='/' data-here></a>"])(
    "serves %s but for Enter",
    (html) => {
      const target = inBody(html);
      press("c", { target });
      expect(press("Enter", { target }).defaultPrevented).toBe(false);
      expect(ran).toEqual(["c"]);
    },
  );

  test("waits for the second key of a sequence, and not for ever", () => {
    press("g", { at: 1000 });
    press("n", { at: 1900 });
    expect(ran).toEqual(["g n"]);
    press("g", { at: 5000 });
    press("n", { at: 6100 });
    expect(ran).toEqual(["g n"]);
  });

  test("takes the sequence for the key that ends it, and begins anew after any other", () => {
    press("g", { at: 1 });
    press("t", { at: 2 });
    expect(ran).toEqual(["g t"]);
    press("g", { at: 3 });
    press("x", { at: 4 });
    press("t", { at: 5 });
    expect(ran).toEqual(["g t", "t"]);
    press("g", { at: 6 });
    press("c", { at: 7 });
    expect(ran).toEqual(["g t", "t", "c"]);
    press("g", { at: 8 });
    press("g", { at: 9 });
    press("n", { at: 10 });
    expect(ran).toEqual(["g t", "t", "c", "g n"]);
  });

  test("a modifier on its own does not break a sequence", () => {
    commands.push(command("g ?"));
    press("g", { at: 1 });
    press("Shift", { at: 2, shiftKey: true });
    press("?", { at: 3, shiftKey: true });
    expect(ran).toEqual(["g ?"]);
  });

  test("a key that is held runs once", () => {
    press("c");
    expect(press("c", { repeat: true }).defaultPrevented).toBe(true);
    expect(ran).toEqual(["c"]);
  });

  test("does nothing behind a dialog", () => {
    inBody("<div role=dialog data-here></div>");
    press("c");
    press("k", { ctrlKey: true });
    expect(ran).toEqual([]);
  });

  test("does nothing after who has handled the key", () => {
    const target = inBody("<div data-here></div>");
    target.addEventListener("keydown", (e) => e.preventDefault());
    press("c", { target });
    expect(ran).toEqual([]);
  });

  test("runs the latest of two with the same keys", () => {
    commands.push(command("c", "nearer"));
    press("c");
    expect(ran).toEqual(["nearer"]);
  });

  test("leaves all keys without mod alone when they are off", () => {
    single = false;
    press("c");
    press("?");
    press("k", { ctrlKey: true });
    expect(ran).toEqual(["mod+k"]);
  });
});

describe("a key's name", () => {
  const name = (key: string, init: Press = {}, mac = false) => keyOf(press(key, init), mac);

  test("is the character, whatever it takes to write it", () => {
    expect(name("?", { shiftKey: true })).toBe("?");
    expect(name("?", { graph: true, ctrlKey: true, altKey: true })).toBe("?");
    expect(name("ą", { graph: true, altKey: true })).toBe("ą");
  });

  test("minds Shift and not Caps Lock", () => {
    expect(name("C")).toBe("c");
    expect(name("c", { shiftKey: true })).toBe("C");
  });

  test("is that of the place on a keyboard of another script", () => {
    expect(name("л", { code: "KeyK", ctrlKey: true })).toBe("mod+k");
    expect(name("z", { code: "KeyY" })).toBe("z");
  });

  test("has ⌘ for mod on a Mac", () => {
    expect(name("k", { metaKey: true }, true)).toBe("mod+k");
    expect(name("k", { ctrlKey: true }, true)).toBeUndefined();
  });
});

test("captions are what stands on the keys", () => {
  expect(caption("mod+k", false)).toEqual([["Ctrl", "K"]]);
  expect(caption("mod+k", true)).toEqual([["⌘", "K"]]);
  expect(caption("g n", false)).toEqual([["G"], ["N"]]);
  expect(caption("?", false)).toEqual([["?"]]);
  expect(caption("C", false)).toEqual([["Shift", "C"]]);
  expect(caption("Escape", false)).toEqual([["Esc"]]);
});

test("the switch is kept", () => {
  expect(singleKeys.get()).toBe(true);
  singleKeys.set(false);
  expect(singleKeys.get()).toBe(false);
  singleKeys.set(true);
  expect(singleKeys.get()).toBe(true);
});
