import { type RefObject, useEffect, useRef } from "react";

/** For the field that a page is about: it has the focus at once. */
export function useFocus(): RefObject<HTMLInputElement | null> {
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => ref.current?.focus(), []);
  return ref;
}
