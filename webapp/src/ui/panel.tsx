import { Popover } from "radix-ui";
import { type ReactNode, type RefObject, useRef } from "react";

interface Props {
  /** The button that opened it. */
  anchor: RefObject<HTMLElement | null>;
  label: string;
  side?: "top" | "bottom";
  align?: "start" | "end";
  className?: string;
  onClose: () => void;
  children: ReactNode;
}

/** A panel at a button, open; apart from the button, so that it can be loaded when it is needed. */
export default function Panel({ anchor, label, side = "bottom", align = "end", className = "", onClose, children }: Props) {
  const outside = useRef(false);
  return (
    <Popover.Root open onOpenChange={(open) => !open && onClose()}>
      <Popover.Anchor virtualRef={anchor as RefObject<HTMLElement>} />
      <Popover.Portal>
        <Popover.Content
          aria-label={label}
          side={side}
          align={align}
          sideOffset={6}
          collisionPadding={8}
          onInteractOutside={(event) => {
            // The button closes it itself.
            if (anchor.current?.contains(event.target as Node)) event.preventDefault();
            else outside.current = true;
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (!outside.current) anchor.current?.focus();
          }}
          className={`z-50 rounded-xl border border-line bg-raised shadow-raised ${className}`}
        >
          {children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
