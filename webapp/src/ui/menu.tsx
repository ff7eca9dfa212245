import { Check } from "lucide-react";
import { DropdownMenu as Radix } from "radix-ui";
import { type CSSProperties, type ReactNode, type Ref, type RefObject, useRef } from "react";

interface Props {
  button: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
}

/** A menu that a button opens: `<Menu button={<IconButton …/>}><MenuItem …/></Menu>`. */
export function Menu({ button, children, align = "end" }: Props) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{button}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content align={align} {...box}>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface AtProps {
  /** What it opens at: a button's place, or a pointer's. */
  at: { x: number; y: number; width?: number; height?: number };
  label: string;
  children: ReactNode;
  align?: "start" | "end";
  /** The button that opened it, which closes it too. */
  opener?: RefObject<HTMLElement | null>;
  onClose: () => void;
  /** The focus is to go back to where it was. */
  onLeave: () => void;
}

/** A menu that is open, for what is no button, or has its menu loaded when it is needed. */
export function MenuAt({ at, label, children, align = "start", opener, onClose, onLeave }: AtProps) {
  const outside = useRef(false);
  const { x, y, width = 0, height = 0 } = at;
  return (
    <Radix.Root open modal={false} onOpenChange={(open) => !open && onClose()}>
      <Radix.Trigger asChild>
        <Spot style={{ left: x, top: y, width, height }} />
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          aria-labelledby={undefined}
          aria-label={label}
          onInteractOutside={(event) => {
            if (opener?.current?.contains(event.target as Node)) event.preventDefault();
            else outside.current = true;
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (!outside.current) onLeave();
          }}
          {...box}
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** Where a menu is, for Radix, which takes it for a button. It is none, and has none of a button's attributes. */
function Spot({ ref, style }: { ref?: Ref<HTMLSpanElement>; style: CSSProperties }) {
  return <span ref={ref} style={style} className="pointer-events-none fixed" />;
}

const box = {
  sideOffset: 4,
  collisionPadding: 8,
  className:
    "z-50 max-h-[var(--radix-dropdown-menu-content-available-height)] min-w-52 overflow-y-auto rounded-xl border border-line bg-raised p-1 shadow-raised",
};

interface ItemProps {
  icon?: ReactNode;
  keys?: string;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
  children: ReactNode;
}

export function MenuItem({ icon, keys, danger = false, disabled = false, onSelect, children }: ItemProps) {
  return (
    <Radix.Item
      disabled={disabled}
      onSelect={onSelect}
      className={`flex min-h-10 cursor-default items-center gap-3 rounded-lg px-3 outline-none select-none data-disabled:opacity-50 data-highlighted:bg-sunken [&_svg]:size-4 ${danger ? "text-danger" : ""}`}
    >
      {icon}
      <span className="flex-1">{children}</span>
      {keys && <kbd className="text-xs text-soft">{keys}</kbd>}
    </Radix.Item>
  );
}

interface ChoicesProps<T extends string> {
  /** What is chosen: it stands above the choices. */
  label: string;
  value: T;
  choices: readonly { value: T; label: string }[];
  onChoose: (value: T) => void;
}

/** Choices of which one holds. */
export function MenuChoices<T extends string>({ label, value, choices, onChoose }: ChoicesProps<T>) {
  return (
    <Radix.RadioGroup value={value} onValueChange={(v) => onChoose(v as T)}>
      <Radix.Label className="px-3 pt-2 pb-1 text-xs font-semibold text-soft">{label}</Radix.Label>
      {choices.map((choice) => (
        <Radix.RadioItem
          key={choice.value}
          value={choice.value}
          className="flex min-h-10 cursor-default items-center gap-3 rounded-lg px-3 outline-none select-none data-highlighted:bg-sunken [&_svg]:size-4"
        >
          <span className="flex-1">{choice.label}</span>
          <Radix.ItemIndicator>
            <Check aria-hidden className="text-accent" />
          </Radix.ItemIndicator>
        </Radix.RadioItem>
      ))}
    </Radix.RadioGroup>
  );
}

export function MenuLine() {
  return <Radix.Separator className="my-1 h-px bg-line" />;
}
