import type { Command } from "./commands";

/** How long the second key of a sequence may take, in milliseconds. */
const patience = 1000;

export const onMac = /Mac|iPhone|iPad/.test(navigator.platform);

const modifiers = new Set(["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "Fn", "Dead", "Unidentified"]);

/**
 * The key of an event as Command.keys writes it, or undefined where it is none
 * that commands have: another program's, the browser's, or a part of a word.
 */
export function keyOf(event: KeyboardEvent, mac = onMac): string | undefined {
  if (event.isComposing || modifiers.has(event.key)) return undefined;
  const [mod, other] = mac ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
  // AltGr writes characters, and Windows tells it as Ctrl and Alt at once.
  const graph = event.getModifierState("AltGraph");
  if (other || (event.altKey && !graph)) return undefined;
  let key = event.key;
  if (key.length === 1) {
    // On a keyboard of another script it is the place of the key that counts.
    const place = /^Key([A-Z])$/.exec(event.code)?.[1];
    if (place && /\p{L}/u.test(key) && !/\p{Script=Latin}/u.test(key)) key = place;
    // Caps Lock makes no other key of it.
    key = event.shiftKey ? key.toUpperCase() : key.toLowerCase();
  }
  return mod && !graph ? "mod+" + key : key;
}

/** Whether keys that write are meant for where the focus is, not for commands. */
function writing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target instanceof HTMLInputElement) return !["button", "checkbox", "radio", "range", "submit"].includes(target.type);
  // Lists and menus find their entries by what is typed.
  return target.closest("textarea, select, [contenteditable=true], [role=menu], [role=listbox], [role=textbox]") !== null;
}

const modal = () => document.querySelector("[role=dialog], [role=alertdialog], dialog[open]") !== null;

/** What Enter and Space do to what has the focus is not for commands to change. */
const pressing = (key: string, target: EventTarget | null) =>
  (key === "Enter" || key === " ") && target instanceof Element && target !== document.body;

interface Options {
  commands: () => readonly Command[];
  /** Whether keys without mod are on (WCAG 2.2, 2.1.4). */
  single: () => boolean;
}

/** Runs the command whose keys are pressed; a listener for keydown. */
export function dispatcher({ commands, single }: Options): (event: KeyboardEvent) => void {
  let before = { key: "", at: -Infinity };

  return (event) => {
    if (event.defaultPrevented) return;
    const key = keyOf(event);
    if (key === undefined || modal()) return;
    const plain = !key.startsWith("mod+");
    if (plain && (!single() || writing(event.target) || pressing(key, event.target))) return;

    const sequence = event.timeStamp - before.at <= patience ? `${before.key} ${key}` : key;
    before = { key: "", at: -Infinity };
    const all = commands();
    // Of two with the same keys the later one is nearer to what the user does.
    const command = all.findLast((c) => c.keys === sequence) ?? all.findLast((c) => c.keys === key);
    if (command) {
      event.preventDefault();
      if (!event.repeat) command.run();
    } else if (all.some((c) => c.keys?.startsWith(key + " "))) {
      event.preventDefault();
      before = { key, at: event.timeStamp };
    }
  };
}

const storageKey = "trellis.keys";

/** Whether this device's user wants keys without mod. */
export const singleKeys = {
  get: () => localStorage.getItem(storageKey) !== "off",
  set: (on: boolean) => (on ? localStorage.removeItem(storageKey) : localStorage.setItem(storageKey, "off")),
};

const caps: Record<string, string> = {
  Escape: "Esc",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  " ": "Space",
};

/** Keys as they stand on the keyboard: "mod+k" is [["Ctrl", "K"]], "g n" is [["G"], ["N"]]. */
export function caption(keys: string, mac = onMac): string[][] {
  return keys.split(" ").map((chord) => {
    const mod = chord.startsWith("mod+");
    const key = mod ? chord.slice(4) : chord;
    const shift = key.length === 1 && key !== key.toLowerCase();
    return [mod && (mac ? "⌘" : "Ctrl"), shift && (mac ? "⇧" : "Shift"), caps[key] ?? key.toUpperCase()].filter(
      (k) => k !== false,
    );
  });
}
