import {
  AlarmClock,
  Archive,
  ArchiveRestore,
  Bell,
  Check,
  Clock,
  Ellipsis,
  Mail,
  Shield,
  Trash2,
  User,
  Users,
} from "lucide-react";
import type { ComponentType, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { localeOf } from "@/i18n";
import { IconButton } from "@/ui/button";
import { Menu, MenuItem, MenuLine } from "@/ui/menu";
import { full, relative } from "@/ui/time";
import { useActions } from "./actions";
import { type Category, isUnread, type Notice } from "./known";
import { ownPath } from "./link";
import { snoozes } from "./snooze";

const icons: Record<string, ComponentType> = {
  security: Shield,
  account: User,
  sharing: Users,
  reminder: AlarmClock,
} satisfies Partial<Record<Category, ComponentType>>;

interface Props {
  notice: Notice;
  now: number;
  /** Without what can be done with it beside reading. */
  brief?: boolean;
  /** It was opened. */
  onOpen?: () => void;
}

export function Item({ notice, now, brief = false, onOpen }: Props) {
  const { t, i18n } = useTranslation("inbox");
  const unread = isUnread(notice);
  const Icon = icons[notice.category] ?? Bell;
  return (
    <li className={`group relative flex items-start gap-3 py-3 pl-4 hover:bg-sunken ${brief ? "pr-4" : "pr-1"}`}>
      <span className={`mt-0.5 shrink-0 [&_svg]:size-5 ${unread ? "text-accent" : "text-soft"}`} aria-hidden>
        <Icon />
      </span>
      <div className="min-w-0 flex-1">
        <p className={`break-words ${unread ? "font-semibold" : ""}`}>
          {unread && <span aria-hidden className="mr-2 mb-0.5 inline-block size-2 rounded-full bg-accent" />}
          <Opener notice={notice} onOpen={onOpen}>
            {unread && <span className="sr-only">{t("unread")} </span>}
            {notice.title}
          </Opener>
        </p>
        {notice.body && <p className={`break-words text-soft ${brief ? "line-clamp-2" : ""}`}>{notice.body}</p>}
        <p className="mt-0.5 text-sm text-soft">
          <time dateTime={notice.created_at} title={full(notice.created_at, i18n.language)}>
            {relative(notice.created_at, now, i18n.language)}
          </time>
          {notice.snoozed_until && " · " + t("back_at", { at: full(notice.snoozed_until, i18n.language) })}
        </p>
      </div>
      {!brief && <Doing notice={notice} />}
    </li>
  );
}

/** Opens a notification, wherever in its row one clicks. */
function Opener({
  notice,
  onOpen,
  children,
}: {
  notice: Notice;
  onOpen: (() => void) | undefined;
  children: ReactNode;
}) {
  const actions = useActions();
  const path = ownPath(notice.link);
  const open = () => {
    actions.open(notice);
    onOpen?.();
  };
  const rest = { "data-open": true, className: "text-left after:absolute after:inset-0", children };
  return path ? <Link {...rest} href={path} onClick={open} /> : <button {...rest} type="button" onClick={open} />;
}

/** What can be done with a notification. */
function Doing({ notice }: { notice: Notice }) {
  const { t } = useTranslation("inbox");
  const actions = useActions();
  const unread = isUnread(notice);
  const archived = !!notice.archived_at;
  const putOff = !!notice.snoozed_until;
  const read = () => actions.read(notice, unread);
  const archive = () => actions.archive(notice, !archived);
  return (
    <div className="relative z-10 -my-1 shrink-0">
      <div className="absolute right-full flex rounded-lg bg-sunken opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:hidden">
        {!archived && !putOff && (
          <IconButton label={t(unread ? "mark_read" : "mark_unread")} onClick={read}>
            {unread ? <Check /> : <Mail />}
          </IconButton>
        )}
        {!putOff && (
          <IconButton label={t(archived ? "unarchive" : "archive")} onClick={archive}>
            {archived ? <ArchiveRestore /> : <Archive />}
          </IconButton>
        )}
      </div>
      <Menu
        button={
          <IconButton label={t("more", { title: notice.title })}>
            <Ellipsis />
          </IconButton>
        }
      >
        {!archived && !putOff && (
          <MenuItem icon={unread ? <Check /> : <Mail />} onSelect={read}>
            {t(unread ? "mark_read" : "mark_unread")}
          </MenuItem>
        )}
        {putOff ? (
          <MenuItem icon={<Clock />} onSelect={() => actions.snooze(notice, null)}>
            {t("unsnooze")}
          </MenuItem>
        ) : (
          <MenuItem icon={archived ? <ArchiveRestore /> : <Archive />} onSelect={archive}>
            {t(archived ? "unarchive" : "archive")}
          </MenuItem>
        )}
        {!archived && !putOff && <Snoozing notice={notice} />}
        <MenuLine />
        <MenuItem icon={<Trash2 />} danger onSelect={() => actions.remove(notice)}>
          {t("common:delete")}
        </MenuItem>
      </Menu>
    </div>
  );
}

function Snoozing({ notice }: { notice: Notice }) {
  const { t, i18n } = useTranslation("inbox");
  const actions = useActions();
  const time = new Intl.DateTimeFormat(localeOf(i18n.language), { weekday: "short", hour: "numeric", minute: "numeric" });
  return (
    <>
      <MenuLine />
      {snoozes(new Date()).map(({ key, at }) => (
        <MenuItem key={key} icon={<Clock />} onSelect={() => actions.snooze(notice, at)}>
          <span className="flex flex-wrap justify-between gap-x-4">
            {t(`snooze.${key}`)} <span className="text-soft">{time.format(at)}</span>
          </span>
        </MenuItem>
      ))}
    </>
  );
}
