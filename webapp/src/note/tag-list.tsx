import { Plus, X } from "lucide-react";
import { type KeyboardEvent, type RefObject, useId, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useNotes } from "@/replica/react";
import { pathOf } from "@/workspace/place";
import { type Added, maxTag, maxTags, suggestions, withTags } from "./tags";

interface Props {
  tags: readonly string[];
  /** Absent where they can't be changed. */
  onChange?: ((tags: readonly string[]) => void) | undefined;
  input: RefObject<HTMLInputElement | null>;
}

/** A note's tags, each of which leads to its list. */
export function Tags({ tags, onChange, input }: Props) {
  const { t } = useTranslation("note");
  const remove = (tag: string, button: HTMLElement) => {
    // The focus goes on to what takes the button's place.
    button.closest("li")?.nextElementSibling?.querySelector<HTMLElement>("button, input")?.focus();
    onChange?.(tags.filter((other) => other !== tag));
  };
  return (
    <ul aria-label={t("tags.label")} className="flex flex-wrap items-center gap-1.5">
      {tags.map((tag) => (
        <li key={tag} className="flex max-w-full items-center rounded-full bg-sunken text-sm text-soft">
          <Link
            href={pathOf({ kind: "tag", tag })}
            className="truncate rounded-full py-1 pl-3 not-last:pr-1 last:pr-3 hover:text-ink"
          >
            {tag}
          </Link>
          {onChange && (
            <button
              type="button"
              aria-label={t("tags.remove", { tag })}
              onClick={({ currentTarget }) => remove(tag, currentTarget)}
              className="grid size-7 shrink-0 place-items-center rounded-full hover:bg-line hover:text-ink"
            >
              <X aria-hidden className="size-3.5" />
            </button>
          )}
        </li>
      ))}
      {onChange && (
        <li className="relative min-w-32 flex-1">
          <NewTag tags={tags} onChange={onChange} input={input} />
        </li>
      )}
    </ul>
  );
}

interface NewTagProps extends Props {
  onChange: (tags: readonly string[]) => void;
}

/** Where a tag is written: a combobox of the tags that other notes have. */
function NewTag({ tags, onChange, input }: NewTagProps) {
  const { t } = useTranslation("note");
  const id = useId();
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [fault, setFault] = useState<Added["fault"]>();
  const offered = useOffered(tags, typed, open);

  const write = (text: string) => {
    setTyped(text);
    setFault(undefined);
    setActive(-1);
    setOpen(true);
  };
  const add = (text: string) => {
    const added = withTags(tags, text);
    if (added.tags.length > tags.length) onChange(added.tags);
    write(added.rest);
    setFault(added.fault);
    return added;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const choice = offered[active];
    const act = {
      ArrowDown: () => (setOpen(true), setActive(Math.min(active + 1, offered.length - 1))),
      ArrowUp: () => setActive(Math.max(active - 1, -1)),
      Enter: () => add(choice ?? typed),
      ",": () => add(typed),
      Escape: typed || offered.length > 0 ? () => (write(""), setOpen(false)) : undefined,
      Backspace: typed === "" && tags.length > 0 ? () => onChange(tags.slice(0, -1)) : undefined,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  return (
    <>
      <div className="flex items-center gap-1 text-sm text-soft">
        <Plus aria-hidden className="size-4 shrink-0" />
        <input
          ref={input}
          role="combobox"
          aria-label={t("tags.add")}
          aria-expanded={offered.length > 0}
          aria-controls={id}
          aria-autocomplete="list"
          aria-activedescendant={offered[active] === undefined ? undefined : `${id}-${active}`}
          aria-invalid={fault ? true : undefined}
          aria-describedby={fault ? id + "-fault" : undefined}
          autoComplete="off"
          autoCapitalize="none"
          enterKeyHint="done"
          placeholder={t("tags.add")}
          value={typed}
          onChange={({ target }) => (/[,\n]/.test(target.value) ? add(target.value) : write(target.value))}
          onKeyDown={onKeyDown}
          onClick={() => setOpen(true)}
          onBlur={() => {
            setOpen(false);
            if (typed) add(typed);
          }}
          className="min-h-8 w-full min-w-0 bg-transparent text-ink outline-none placeholder:text-soft"
        />
      </div>
      <ul
        id={id}
        role="listbox"
        aria-label={t("tags.suggested")}
        hidden={offered.length === 0}
        className="absolute top-full left-0 z-20 mt-1 w-60 max-w-[calc(100vw-3rem)] rounded-xl border border-line bg-raised p-1 shadow-raised"
      >
        {offered.map((tag, i) => (
          // Keys are the field's to hear: it keeps the focus.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events
          <li
            key={tag}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            tabIndex={-1}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => add(tag)}
            className="flex min-h-9 cursor-default items-center truncate rounded-lg px-3 hover:bg-sunken aria-selected:bg-sunken"
          >
            {tag}
          </li>
        ))}
      </ul>
      {fault && (
        <p id={id + "-fault"} role="alert" className="text-sm text-danger">
          {t("tags." + fault, { count: fault === "tooLong" ? maxTag : maxTags })}
        </p>
      )}
    </>
  );
}

/** Tags of other notes that fit, while the list of them is open. */
function useOffered(taken: readonly string[], typed: string, open: boolean): readonly string[] {
  const notes = useNotes();
  return useMemo(() => (open ? suggestions(notes.values(), taken, typed) : []), [open, notes, taken, typed]);
}
