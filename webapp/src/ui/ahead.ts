/** How long a field may take to come, in milliseconds. */
const patience = 10_000;

/**
 * Keeps what is typed until a field takes the focus, and types it there: for
 * what was asked for and is still being loaded. No key is a command meanwhile.
 */
export function typeAhead(): void {
  const done = new AbortController();
  const { signal } = done;
  const end = () => done.abort();
  const keys: string[] = [];
  setTimeout(end, patience);
  addEventListener("pointerdown", end, { signal });
  const onKeyDown = (event: KeyboardEvent) => {
    const { key } = event;
    const command = event.ctrlKey || event.metaKey || event.altKey;
    if ((command && !event.getModifierState("AltGraph")) || event.isComposing) return;
    if (key === "Escape" || key === "Tab") return end();
    if (key.length > 1 && key !== "Enter" && key !== "Backspace") return;
    if (key === "Backspace") keys.pop();
    else keys.push(key);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  addEventListener("keydown", onKeyDown, { capture: true, signal });
  const onFocus = ({ target }: FocusEvent) => {
    if (!(target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement)) return;
    end();
    queueMicrotask(() => keys.forEach(press));
  };
  document.addEventListener("focusin", onFocus, { signal });
}

/** Does what a key does to the field that has the focus. */
function press(key: string): void {
  const field = document.activeElement;
  if (!(field instanceof HTMLTextAreaElement || field instanceof HTMLInputElement)) return;
  const goesOn = field.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  if (!goesOn) return;
  field.setRangeText(key === "Enter" ? "\n" : key, field.selectionStart ?? 0, field.selectionEnd ?? 0, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}
