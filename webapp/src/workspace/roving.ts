import type { Virtualizer } from "@tanstack/react-virtual";
import { type RefObject, useCallback, useLayoutEffect, useRef } from "react";

type Rows = Virtualizer<HTMLDivElement, Element>;

/**
 * Moves the focus to a row that may not be in the document yet. It returns
 * false where the rows can't have the focus.
 */
export function useRowFocus(scroller: RefObject<HTMLDivElement | null>, rows: Rows, indexOf: ReadonlyMap<string, number>) {
  const wanted = useRef<string>(undefined);
  const take = useCallback(() => {
    if (wanted.current === undefined) return;
    const link = scroller.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(wanted.current)}"]`);
    if (!link) return;
    wanted.current = undefined;
    link.focus({ preventScroll: true });
  }, [scroller]);
  useLayoutEffect(take);
  return (id: string): boolean => {
    const index = indexOf.get(id);
    if (index === undefined || !scroller.current || getComputedStyle(scroller.current).visibility === "hidden") {
      return false;
    }
    wanted.current = id;
    rows.scrollToIndex(index);
    take();
    return true;
  };
}
