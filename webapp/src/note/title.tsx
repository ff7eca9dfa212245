import { type KeyboardEvent, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { characters, maxTitle } from "./markdown";
import { useField } from "./field";

/** How many characters may be left before it is said how many. */
const near = 20;

interface Props {
  value: string;
  /** Whether the note was made just now, to be written. */
  fresh: boolean;
  onChange: (title: string, before: string) => void;
  /** Goes on in the body. */
  onLeave: () => void;
}

const oneLine = (text: string) => text.replace(/\s*[\r\n]+\s*/g, " ");

/** The title: one line of any length, shown on as many as it takes. */
export function Title({ value, fresh, onChange, onLeave }: Props) {
  const { t } = useTranslation("note");
  const { ref, ...field } = useField(value, onChange, oneLine);
  const left = maxTitle - characters(value);

  useEffect(() => {
    if (fresh) ref.current?.focus();
  }, [fresh, ref]);

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const { selectionStart, value } = event.currentTarget;
    const down = event.key === "ArrowDown" && selectionStart === value.length;
    if ((event.key !== "Enter" && !down) || event.nativeEvent.isComposing || event.shiftKey) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onLeave();
  };

  return (
    <div>
      {/* The text itself, unseen, makes the field as high as it is. */}
      <div className="grid text-3xl leading-tight font-bold tracking-tight text-pretty *:[grid-area:1/1]">
        <div aria-hidden className="invisible min-w-0 break-words whitespace-pre-wrap">
          {value + " "}
        </div>
        <textarea
          {...field}
          ref={ref}
          rows={1}
          aria-label={t("title")}
          aria-describedby={left < near ? "title-left" : undefined}
          aria-invalid={left < 0 || undefined}
          placeholder={t("untitled")}
          autoCapitalize="sentences"
          enterKeyHint="next"
          onKeyDown={onKeyDown}
          className="min-w-0 resize-none overflow-hidden bg-transparent outline-none placeholder:text-soft"
        />
      </div>
      {left < near && (
        <p id="title-left" className={`mt-1 text-sm ${left < 0 ? "text-danger" : "text-soft"}`}>
          {left < 0 ? t("titleOver", { count: -left }) : t("titleLeft", { count: left })}
        </p>
      )}
    </div>
  );
}
