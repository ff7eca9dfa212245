import { caption } from "./keys";

/** Keys, as they are pressed. */
export function Keys({ keys }: { keys: string }) {
  return (
    <span className="flex shrink-0 items-center gap-2">
      {caption(keys).map((chord, i) => (
        <span key={i} className="flex gap-1">
          {chord.map((key) => (
            <kbd
              key={key}
              className="min-w-6 rounded border border-line-strong bg-raised px-1.5 text-center font-sans text-xs/5 text-soft"
            >
              {key}
            </kbd>
          ))}
        </span>
      ))}
    </span>
  );
}
