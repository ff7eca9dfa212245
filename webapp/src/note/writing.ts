import type { Ref, RefObject } from "react";

/** What the rest of the pane asks of where the body is written. */
export interface Writing {
  /** Puts the cursor at the start of the body, or where it was. */
  focus(at?: "start"): void;
}

/** Where the body is written: the editor, and the plain field in its stead. */
export interface WritingProps {
  id: string;
  text: string;
  /** Hears the text that was written, and what it was written in, which may be behind `text`. */
  onChange: (text: string, before: string) => void;
  /** What scrolls. */
  scroller: RefObject<HTMLElement | null>;
  ref: Ref<Writing>;
}
