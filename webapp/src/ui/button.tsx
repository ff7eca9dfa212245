import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { Spinner } from "./spinner";

type Look = "primary" | "plain" | "quiet" | "danger";

const looks: Record<Look, string> = {
  primary: "bg-accent text-on-accent hover:brightness-110",
  plain: "border border-line-strong bg-raised hover:bg-sunken",
  quiet: "hover:bg-sunken",
  danger: "bg-danger text-on-danger hover:brightness-110",
};

const base =
  "inline-flex select-none items-center justify-center gap-2 rounded-lg font-medium transition-[filter,background-color] disabled:cursor-default disabled:opacity-55";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  /** Shows that it works on it, and takes no further click. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ look = "plain", busy = false, disabled, className = "", children, ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={`${base} min-h-10 px-4 py-1.5 ${looks[look]} ${className}`}
    >
      {busy && <Spinner />}
      {children}
    </button>
  );
}

interface IconProps extends Omit<Props, "children" | "look"> {
  /** What it does: read out, and shown where a pointer rests. */
  label: string;
  /** The keys that do the same, shown beside the label. */
  keys?: string;
  children: ReactNode;
  /** For a switch: whether it is on. */
  pressed?: boolean;
}

export function IconButton({ label, keys, pressed, className = "", children, ...rest }: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      title={keys ? `${label} (${keys})` : label}
      {...rest}
      className={`${base} size-10 shrink-0 text-soft hover:bg-sunken hover:text-ink aria-pressed:text-accent [&_svg]:size-5 ${className}`}
    >
      {children}
    </button>
  );
}
