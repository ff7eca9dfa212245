import { BellOff, BellRing } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { localeOf } from "@/i18n";
import { Button } from "@/ui/button";
import { TextField } from "@/ui/field";
import { useNow } from "@/ui/time";
import { Popover } from "./popover";
import { fromField, presets, spoken, toField } from "./reminder";

interface Props {
  at: string | null;
  onChange: (at: string | null) => void;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  button: ReactNode;
}

/** When to be reminded of the note. */
export function Reminder({ at, onChange, open, onOpenChange, button }: Props) {
  const { t } = useTranslation("note");
  const choose = (time: Date | null) => {
    onChange(time && time.toISOString());
    onOpenChange(false);
  };
  return (
    <Popover open={open} onOpenChange={onOpenChange} button={button} label={t("remind.label")}>
      <Choices at={at} onChoose={choose} />
    </Popover>
  );
}

function Choices({ at, onChoose }: { at: string | null; onChoose: (at: Date | null) => void }) {
  const { t, i18n } = useTranslation("note");
  const now = useNow();
  const offered = presets(new Date(now));
  const [first] = offered;
  const [value, setValue] = useState(() => toField(at ? new Date(at) : (first?.at ?? new Date(now))));
  const [error, setError] = useState<string>();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const time = fromField(value);
    if (!time) setError(t("remind.noTime"));
    else if (time.getTime() <= Date.now()) setError(t("remind.past"));
    else onChoose(time);
  };
  const row = "flex min-h-10 w-full items-center justify-between gap-4 rounded-lg px-3 text-left hover:bg-sunken";
  return (
    <>
      <ul>
        {offered.map(({ preset, at }) => (
          <li key={preset}>
            <button type="button" className={row} onClick={() => onChoose(at)}>
              <span>{t("remind." + preset)}</span>
              <span className="text-sm text-soft">{short(at, preset === "nextWeek", i18n.language)}</span>
            </button>
          </li>
        ))}
      </ul>
      <form onSubmit={submit} noValidate className="mt-1 flex flex-col gap-2 border-t border-line px-3 pt-3 pb-1">
        <TextField
          label={t("remind.pick")}
          type="datetime-local"
          required
          value={value}
          error={error}
          onChange={({ target }) => {
            setValue(target.value);
            setError(undefined);
          }}
        />
        <div className="flex flex-wrap justify-end gap-2">
          {at && (
            <Button look="quiet" onClick={() => onChoose(null)}>
              <BellOff aria-hidden className="size-4" />
              {t("remind.remove")}
            </Button>
          )}
          <Button look="primary" type="submit">
            {t("remind.set")}
          </Button>
        </div>
      </form>
    </>
  );
}

function short(at: Date, withDay: boolean, language: string): string {
  const format = new Intl.DateTimeFormat(localeOf(language), {
    hour: "numeric",
    minute: "2-digit",
    ...(withDay && { weekday: "short" }),
  });
  return format.format(at);
}

/** When one is reminded, or should have been looking already. */
export function ReminderChip({ at, onClick }: { at: string; onClick?: (() => void) | undefined }) {
  const { t, i18n } = useTranslation("note");
  const now = useNow();
  const over = Date.parse(at) <= now;
  const text = (
    <>
      <BellRing aria-hidden className="size-3.5 shrink-0" />
      <span>
        {over && t("remind.over") + " "}
        <time dateTime={at} className={over ? "" : "inline-block first-letter:uppercase"}>
          {spoken(at, now, i18n.language)}
        </time>
      </span>
    </>
  );
  const tone = over ? "bg-warn-soft text-warn" : "bg-accent-soft text-accent";
  const look = `flex min-h-7 items-center gap-1.5 rounded-full px-3 text-sm ${tone}`;
  if (!onClick) return <p className={look}>{text}</p>;
  return (
    <button type="button" onClick={onClick} className={look}>
      <span className="sr-only">{t("remind.label")} </span>
      {text}
    </button>
  );
}
