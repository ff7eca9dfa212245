import { type InputHTMLAttributes, type ReactNode, type Ref, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from "react";

interface Labelled {
  label: string;
  hint?: ReactNode;
  /** What is wrong with the value; read out with the field. */
  error?: string | undefined;
}

const control =
  "w-full rounded-lg border border-line-strong bg-raised px-3 py-2 text-ink placeholder:text-soft disabled:opacity-60 aria-invalid:border-danger";

function Frame({ id, label, hint, error, children }: Labelled & { id: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children}
      {hint && (
        <p id={id + "-hint"} className="text-sm text-soft">
          {hint}
        </p>
      )}
      {error && (
        <p id={id + "-error"} className="text-sm text-danger">
          {error}
        </p>
      )}
    </div>
  );
}

function described(id: string, { hint, error }: Labelled) {
  const ids = [error && id + "-error", hint && id + "-hint"].filter(Boolean).join(" ");
  return { "aria-invalid": error ? true : undefined, "aria-describedby": ids || undefined };
}

interface TextProps extends Labelled, InputHTMLAttributes<HTMLInputElement> {
  /** An IconButton in the field, at its end. */
  end?: ReactNode;
  ref?: Ref<HTMLInputElement>;
}

export function TextField({
  label,
  hint,
  error,
  end,
  className = "",
  ...rest
}: TextProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <div className="relative">
        <input
          id={id}
          {...described(id, { label, hint, error })}
          {...rest}
          className={`${control} min-h-10 ${end ? "pr-11" : ""} ${className}`}
        />
        {end && <div className="absolute inset-y-0 right-0.5 flex items-center">{end}</div>}
      </div>
    </Frame>
  );
}

export function TextArea({
  label,
  hint,
  error,
  className = "",
  ...rest
}: Labelled & TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea id={id} {...described(id, { label, hint, error })} {...rest} className={`${control} ${className}`} />
    </Frame>
  );
}

export function SelectField({
  label,
  hint,
  error,
  className = "",
  ...rest
}: Labelled & SelectHTMLAttributes<HTMLSelectElement> & { ref?: Ref<HTMLSelectElement> }) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select id={id} {...described(id, { label, hint, error })} {...rest} className={`${control} min-h-10 ${className}`} />
    </Frame>
  );
}

/** A switch: a checkbox that takes effect at once. */
export function Switch({ label, ...rest }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className="flex min-h-10 cursor-pointer items-center justify-between gap-3">
      <span>{label}</span>
      <input
        type="checkbox"
        role="switch"
        {...rest}
        className="relative h-6 w-10 shrink-0 cursor-pointer appearance-none rounded-full bg-line-strong transition-colors after:absolute after:top-0.5 after:left-0.5 after:size-5 after:rounded-full after:bg-raised after:transition-transform checked:bg-accent checked:after:translate-x-4 disabled:opacity-55"
      />
    </label>
  );
}
