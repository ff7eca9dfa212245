import { defaultRangeExtractor, type Range, useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useCallback, useEffect, useMemo } from "react";
import { useWishes } from "@/account/preferences";
import { type Item, keyOf } from "./items";
import { rowHeight } from "./row";

/** How high a heading is, in rem. */
const headingHeight = 2.25;
/** What is left free under the last row, for the button that floats there on a phone; in rem. */
const under = 5.5;

/** How far each list was scrolled when it was left. */
const offsets = new Map<string, number>();

interface Options {
  scroller: RefObject<HTMLDivElement | null>;
  items: readonly Item[];
  /** One that is in the document wherever the list is scrolled to. */
  also: number | undefined;
  /** The name under which it is remembered how far the list is scrolled. */
  keep: string | undefined;
  /** Whether something stands under the last row. */
  foot: boolean;
}

/** The part of a list that is in sight. All rows are of one height, so that nothing is to be measured. */
export function useWindow({ scroller, items, also, keep, foot }: Options) {
  const { density } = useWishes();
  const rem = useMemo(() => parseFloat(getComputedStyle(document.documentElement).fontSize), []);
  const rows = useVirtualizer<HTMLDivElement, Element>({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (i) => Math.round(rem * ("note" in (items[i] ?? {}) ? rowHeight[density] : headingHeight)),
    // Another function for other items, so that their places are reckoned anew.
    getItemKey: useCallback((i: number) => keyOf(items[i]), [items]),
    rangeExtractor: (range: Range) => {
      const indexes = defaultRangeExtractor(range);
      return also === undefined || indexes.includes(also) ? indexes : [...indexes, also];
    },
    overscan: 5,
    initialOffset: offsets.get(keep ?? "") ?? 0,
    paddingStart: 4,
    paddingEnd: rem * (foot ? 1 : under),
    useFlushSync: false,
  });
  useEffect(
    () => () => {
      if (keep) offsets.set(keep, rows.scrollOffset ?? 0);
    },
    [keep, rows],
  );
  return rows;
}
