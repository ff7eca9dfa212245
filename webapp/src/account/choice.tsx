import { type ReactNode, useId } from "react";

interface Props<T extends string> {
  legend: string;
  /** The legend is the section's title, and need not be seen twice. */
  titled?: boolean;
  value: T;
  options: readonly { value: T; label: string; icon?: ReactNode; lang?: string }[];
  onChange: (value: T) => void;
}

/** One of a few that exclude each other. */
export function Choice<T extends string>({ legend, titled = false, value, options, onChange }: Props<T>) {
  const name = useId();
  return (
    <fieldset className="min-w-0">
      <legend className={titled ? "sr-only" : "mb-1.5 text-sm font-medium"}>{legend}</legend>
      <div className="inline-flex max-w-full flex-wrap gap-1 rounded-xl border border-line bg-sunken p-1">
        {options.map((option) => (
          <label
            key={option.value}
            lang={option.lang}
            className="flex min-h-9 flex-auto cursor-pointer items-center justify-center gap-2 rounded-lg border border-transparent px-3 text-soft hover:text-ink has-checked:border-line-strong has-checked:bg-raised has-checked:font-medium has-checked:text-ink has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent @max-[22rem]:[&_svg]:hidden [&_svg]:size-4"
          >
            <input
              type="radio"
              name={name}
              className="sr-only"
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            {option.icon}
            {option.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
