import { Archive, ChevronsUpDown, Hash, Inbox, NotebookText, SquarePen, Trash2, Users } from "lucide-react";
import { type ReactNode, useDeferredValue, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { Avatar } from "@/account/avatar";
import { useMe } from "@/account/preferences";
import type { User } from "@/api/session";
import { Bell } from "@/inbox/bell";
import { useInboxState } from "@/inbox/react";
import { useNotes } from "@/replica/react";
import { Button } from "@/ui/button";
import { useActions } from "./actions";
import { AccountMenu, Later } from "./later";
import { count } from "./lists";
import type { Scope } from "./logout";
import { useOpener } from "./opener";
import { pathOf, type Place } from "./place";
import { SyncState } from "./sync";

interface Props {
  user: User;
  place: Place | undefined;
  /** Something was chosen, so that a drawer may close. */
  onGo: () => void;
  onLogOut: (scope: Scope) => void;
  /** Whether the bell is here, and not in the bar of the page. */
  bell: boolean;
}

/** The lists there are, how things stand, and who is logged in. */
export function Sidebar({ user, place, onGo, onLogOut, bell }: Props) {
  const { t } = useTranslation("notes");
  const { create } = useActions();
  return (
    <aside
      aria-label={t("menu")}
      className="flex h-full flex-col bg-page pt-[env(safe-area-inset-top)] pb-[env(safe-area-inset-bottom)]"
    >
      <div className="flex min-h-14 shrink-0 items-center gap-2 pr-2 pl-5">
        <img src="/icons/icon.svg" alt="" className="size-6" />
        <span className="flex-1 font-serif text-lg font-semibold tracking-tight">Trellis</span>
        <Later>{bell && <Bell />}</Later>
      </div>
      <div className="px-3 pt-1 pb-3">
        <Button
          look="primary"
          title={t("new") + " (C)"}
          className="w-full"
          onClick={() => {
            onGo();
            create(place?.list);
          }}
        >
          <SquarePen aria-hidden className="size-4.5" />
          {t("new")}
        </Button>
      </div>
      <Lists place={place} onGo={onGo} />
      <div className="shrink-0 border-t border-line p-2">
        <SyncState />
        <Account user={user} onGo={onGo} onLogOut={onLogOut} />
      </div>
    </aside>
  );
}

function Lists({ place, onGo }: { place: Place | undefined; onGo: () => void }) {
  const { t, i18n } = useTranslation("notes");
  const notes = useDeferredValue(useNotes());
  const counts = useMemo(() => count(notes.values(), i18n.language), [notes, i18n.language]);
  const here = place?.path;
  return (
    <nav aria-label={t("lists")} className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-2 pb-4">
      <ul>
        <Item href="/notes" here={here} icon={<NotebookText />} label={t("go.notes")} count={counts.notes} onGo={onGo} />
        <Item href="/shared" here={here} icon={<Users />} label={t("go.shared")} count={counts.shared} onGo={onGo} />
        <Item href="/archive" here={here} icon={<Archive />} label={t("go.archive")} count={counts.archive} onGo={onGo} />
        <Item href="/trash" here={here} icon={<Trash2 />} label={t("go.trash")} count={counts.trash} onGo={onGo} />
        <Later>
          <InboxItem onGo={onGo} />
        </Later>
      </ul>
      {counts.tags.length > 0 && (
        <>
          <h2 className="mt-5 mb-1 px-3 text-xs font-semibold tracking-wide text-soft">{t("tags")}</h2>
          <ul>
            {counts.tags.map(({ tag, count }) => {
              const href = pathOf({ kind: "tag", tag });
              return <Item key={tag} href={href} here={here} icon={<Hash />} label={tag} count={count} onGo={onGo} />;
            })}
          </ul>
        </>
      )}
    </nav>
  );
}

interface ItemProps {
  href: string;
  /** The path that is shown. */
  here: string | undefined;
  icon: ReactNode;
  label: string;
  count: number;
  onGo: () => void;
}

function Item({ href, here, icon, label, count, onGo }: ItemProps) {
  return (
    <li>
      <Link
        href={href}
        aria-current={href === here ? "page" : undefined}
        onClick={onGo}
        className="flex min-h-9 items-center gap-3 rounded-lg px-3 hover:bg-sunken aria-[current=page]:bg-accent-soft aria-[current=page]:font-medium pointer-coarse:min-h-11 [&_svg]:size-4.5 [&_svg]:shrink-0 [&_svg]:text-soft aria-[current=page]:[&_svg]:text-accent"
      >
        {icon}
        <span title={label} className="min-w-0 flex-1 truncate">
          {label}
        </span>
        {count > 0 && <span className="text-xs text-soft tabular-nums">{count}</span>}
      </Link>
    </li>
  );
}

function InboxItem({ onGo }: { onGo: () => void }) {
  const { t } = useTranslation("notes");
  const [path] = useLocation();
  const { unread } = useInboxState();
  return <Item href="/inbox" here={path} icon={<Inbox />} label={t("go.inbox")} count={unread} onGo={onGo} />;
}

function Account({ user, onGo, onLogOut }: Pick<Props, "user" | "onGo" | "onLogOut">) {
  const { t } = useTranslation("notes");
  const { button, menu } = useOpener();
  const me = useMe();
  const more = user.email ?? user.username;
  return (
    <>
      <button
        type="button"
        aria-label={t("account.menu", { name: me.name })}
        className="flex min-h-12 w-full items-center gap-2.5 rounded-lg px-2 text-left hover:bg-sunken"
        {...button}
      >
        <Avatar {...me} />
        <span className="min-w-0 flex-1 leading-tight">
          <span className="block truncate text-sm font-medium">{me.name}</span>
          {more && more !== me.name && <span className="block truncate text-xs text-soft">{more}</span>}
        </span>
        <ChevronsUpDown aria-hidden className="size-4 shrink-0 text-soft" />
      </button>
      <Later>{menu && <AccountMenu {...menu} onGo={onGo} onLogOut={onLogOut} />}</Later>
    </>
  );
}
