import { type MouseEvent, type RefObject, useRef, useState } from "react";
import { preload } from "./later";

/** What a menu needs to know of the button that opens it. */
export interface MenuProps {
  at: { x: number; y: number; width: number; height: number };
  opener: RefObject<HTMLElement | null>;
  onClose: () => void;
  onLeave: () => void;
}

/** A button that opens a menu, with what that needs while it is open. */
export function useOpener() {
  const ref = useRef<HTMLButtonElement>(null);
  const [at, setAt] = useState<MenuProps["at"]>();
  const button = {
    ref,
    "aria-haspopup": "menu",
    "aria-expanded": at !== undefined,
    onPointerEnter: preload,
    onClick: (e: MouseEvent) => setAt(at ? undefined : e.currentTarget.getBoundingClientRect()),
  } as const;
  const menu: MenuProps | undefined = at && {
    at,
    opener: ref,
    onClose: () => setAt(undefined),
    onLeave: () => ref.current?.focus(),
  };
  return { button, menu };
}
