import { type RefObject, useEffectEvent, useLayoutEffect, useRef } from "react";
import { changes, lineFeeds } from "./outside";

function put(field: HTMLTextAreaElement, text: string): void {
  for (const { from, to, insert } of changes(field.value, text).reverse()) {
    field.setRangeText(insert, from, to, "preserve");
  }
}

interface FieldProps {
  ref: RefObject<HTMLTextAreaElement | null>;
  defaultValue: string;
  onInput: () => void;
}

/**
 * What makes a text field one for a text that also changes elsewhere: it shows
 * that without moving the cursor, and not while a character is being composed.
 * `onChange` hears what was written, which `clean` may correct, and in what.
 */
export function useField(
  value: string,
  onChange: (text: string, before: string) => void,
  clean = (text: string) => text,
): FieldProps {
  const ref = useRef<HTMLTextAreaElement>(null);
  const shown = useRef(lineFeeds(value));
  const composing = useRef(false);

  const show = useEffectEvent(() => {
    if (!ref.current || composing.current) return;
    shown.current = lineFeeds(value);
    put(ref.current, shown.current);
  });
  useLayoutEffect(() => show(), [value]);

  const compose = useEffectEvent(({ type }: Event) => {
    composing.current = type === "compositionstart";
    show();
  });
  useLayoutEffect(() => {
    const field = ref.current;
    field?.addEventListener("compositionstart", compose);
    field?.addEventListener("compositionend", compose);
    return () => {
      field?.removeEventListener("compositionstart", compose);
      field?.removeEventListener("compositionend", compose);
    };
  }, []);

  const onInput = () => {
    const before = shown.current;
    const text = clean(ref.current?.value ?? before);
    if (ref.current) put(ref.current, text);
    shown.current = text;
    if (text !== before) onChange(text, before);
  };
  return { ref, defaultValue: value, onInput };
}
