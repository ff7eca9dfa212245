import type { TFunction } from "i18next";
import { AlarmClock, CircleAlert, CloudOff, CloudUpload, Ellipsis, GitMerge, HardDrive, Pin, Users } from "lucide-react";
import { memo, type ReactNode } from "react";
import type { Wishes } from "@/account/preferences";
import { highlight, type Range } from "@/replica/search";
import type { LocalNote, Saving } from "@/replica/types";
import { full, relative } from "@/ui/time";
import { excerpt, gist } from "./plain";

export type Density = Wishes["density"];

/** How high a row is, in rem. */
export const rowHeight: Record<Density, number> = { comfortable: 6, compact: 3.5 };

interface Props {
  note: LocalNote;
  href: string;
  /** Where the row is, in pixels. */
  top: number;
  height: number;
  density: Density;
  /** Which of how many it is, for who can't see the whole list. */
  position: number;
  size: number;
  isOpen: boolean;
  hasMenu: boolean;
  tabbable: boolean;
  /** What is sought, if something is. */
  query: string;
  /** The time, to the minute. */
  now: number;
  // The list's: a hook in each row would cost more than all else of it.
  t: TFunction<"notes">;
  language: string;
}

/** A note in a list; the list has the listeners. */
export const Row = memo(function Row(props: Props) {
  const { note, href, top, height, density, position, size, isOpen, hasMenu, tabbable, query, now, t, language } = props;
  const { title, snippet } = textsOf(note, query);
  const text = snippet || <i>{t("row.empty")}</i>;
  const compact = density === "compact";
  const time = (
    <time dateTime={note.updated_at} title={full(note.updated_at, language)} className="shrink-0 whitespace-nowrap">
      {relative(note.updated_at, now, language)}
    </time>
  );
  const signs = signsOf(props);
  return (
    <li
      aria-setsize={size}
      aria-posinset={position}
      style={{ height, transform: `translateY(${top}px)` }}
      className="group absolute inset-x-0 top-0 px-2 py-px"
    >
      <a
        href={href}
        data-id={note.id}
        tabIndex={tabbable ? 0 : -1}
        aria-current={isOpen ? "page" : undefined}
        data-menu={hasMenu || undefined}
        draggable={false}
        className={`flex h-full flex-col rounded-xl px-3 -outline-offset-2 group-hover:bg-sunken data-menu:bg-sunken aria-[current=page]:bg-accent-soft ${compact ? "pt-1.5" : "pt-2"}`}
      >
        <span className="flex items-baseline gap-2">
          <span className={`min-w-0 flex-1 truncate font-semibold ${compact ? "" : "pr-6"}`}>
            {title || <span className="text-soft">{t("untitled")}</span>}
          </span>
          {compact && <span className="text-xs text-soft group-hover:invisible pointer-coarse:pr-7">{time}</span>}
        </span>
        {compact ? (
          <span className="flex items-center gap-2 text-xs text-soft">
            <span className="min-w-0 flex-1 truncate text-sm [&_mark]:text-ink">{text}</span>
            {signs}
          </span>
        ) : (
          <>
            <span className="line-clamp-2 text-sm/snug text-soft [&_mark]:text-ink">{text}</span>
            <span className="mt-1 flex items-center gap-2 overflow-hidden [mask-image:linear-gradient(to_right,#000_92%,transparent)] text-xs whitespace-nowrap text-soft">
              {time}
              {signs}
              {note.tags.map((tag) => (
                <span key={tag} className="max-w-32 shrink-0 truncate">
                  #{tag}
                </span>
              ))}
            </span>
          </>
        )}
      </a>
      <button
        type="button"
        tabIndex={tabbable ? 0 : -1}
        aria-haspopup="menu"
        aria-label={t("row.more", { title: gist(note).title || t("untitled") })}
        data-more={note.id}
        className="absolute top-1.5 right-3.5 grid size-8 place-items-center rounded-lg text-soft opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 hover:bg-line hover:text-ink pointer-coarse:opacity-100"
      >
        {ellipsis}
      </button>
    </li>
  );
});

const ellipsis = <Ellipsis aria-hidden className="size-4" />;

const icons: Partial<Record<Saving, ReactNode>> = {
  saving: <CloudUpload />,
  waiting: <CloudOff className="text-warn" />,
  conflict: <GitMerge className="text-warn" />,
  refused: <CircleAlert className="text-danger" />,
  unkept: <HardDrive className="text-danger" />,
};

/** What is special of a note; of a pin its heading tells, where it has one. */
function signsOf({ note, now, query, t, language }: Props) {
  const { saving, role, pinned, reminder_at: reminder } = note;
  return (
    <>
      {saving !== "saved" && <Sign label={t("saving." + saving)}>{icons[saving]}</Sign>}
      {query && pinned && role === "owner" && (
        <Sign label={t("pinned")}>
          <Pin />
        </Sign>
      )}
      {reminder && (
        <Sign label={t("row.reminder", { time: full(reminder, language) })}>
          <AlarmClock className={Date.parse(reminder) < now ? "text-warn" : ""} />
        </Sign>
      )}
      {role !== "owner" && (
        <Sign label={t("role." + role)}>
          <Users />
        </Sign>
      )}
    </>
  );
}

function Sign({ label, children }: { label: string; children: ReactNode }) {
  return (
    <span title={label} className="shrink-0 [&_svg]:size-3.5">
      {children}
      <span className="sr-only">{label}</span>
    </span>
  );
}

/** What a row says of a note, with what is sought marked. */
function textsOf(note: LocalNote, query: string): { title: ReactNode; snippet: ReactNode } {
  const known = gist(note);
  if (!query) return known;
  const around = highlight(note, query).snippet;
  const body = around.ranges.length > 0 ? excerpt(around.text, around.ranges[0]?.start) : known.snippet;
  const { title, snippet } = highlight({ ...note, title: known.title, body }, query);
  return {
    title: known.title && <Marked text={known.title} ranges={title} />,
    snippet: snippet.text && <Marked {...snippet} />,
  };
}

function Marked({ text, ranges }: { text: string; ranges: readonly Range[] }) {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    parts.push(text.slice(at, start), <mark key={start}>{text.slice(start, end)}</mark>);
    at = end;
  }
  return [...parts, text.slice(at)];
}
