import { Compass } from "lucide-react";
import { type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Route, Switch } from "wouter";
import { navigate } from "wouter/use-browser-location";
import { WishCommands } from "@/account/commands";
import type { User } from "@/api/session";
import { Unverified } from "@/auth/unverified";
import { useCommands } from "@/palette/commands";
import { Keyboard } from "@/palette/keyboard";
import { Boundary } from "@/ui/boundary";
import { Button } from "@/ui/button";
import { useMedia, useTitle, wide } from "@/ui/page";
import { Spinner } from "@/ui/spinner";
import { Empty } from "@/ui/state";
import { useActions } from "./actions";
import { Bar } from "./bar";
import { useHappenings } from "./happenings";
import { Drawer, Later } from "./later";
import { useLogOut } from "./logout";
import { Notes } from "./notes";
import { Account, Inbox } from "./parts";
import { usePlace } from "./place";
import { Sidebar } from "./sidebar";

/** The sidebar, on narrower screens a drawer with the same, and the page beside it. */
export function Shell({ user }: { user: User }) {
  const { t } = useTranslation("notes");
  const place = usePlace();
  const { create } = useActions();
  const isWide = useMedia(wide);
  const [drawer, setDrawer] = useState(false);
  const { logOut, dialog } = useLogOut(user);
  useHappenings();
  useCommands([
    { id: "notes.new", group: "notes", label: t("new"), keys: "c", run: () => create(place?.list) },
    ...goals.map(({ name, keys }) => ({
      id: "go." + name,
      group: "go" as const,
      label: t("go." + name),
      keys,
      run: () => navigate("/" + name),
    })),
    { id: "app.logout", group: "app", label: t("logout.here"), run: () => logOut("current") },
  ]);

  const close = () => setDrawer(false);
  const sidebar = <Sidebar user={user} place={place} onGo={close} onLogOut={logOut} bell={isWide} />;
  const onMenu = isWide ? undefined : () => setDrawer(true);
  return (
    <div className="flex h-dvh pr-[env(safe-area-inset-right)] pl-[env(safe-area-inset-left)]">
      <Skip />
      <Keyboard />
      <WishCommands />
      {isWide ? (
        <div className="w-60 shrink-0 border-r border-line">{sidebar}</div>
      ) : (
        <Later>
          {drawer && <Drawer onClose={close}>{sidebar}</Drawer>}
        </Later>
      )}
      <div className="flex min-w-0 flex-1 flex-col">
        <Unverified />
        {place ? <Notes place={place} onMenu={onMenu} /> : <Page onMenu={onMenu} />}
      </div>
      {dialog}
    </div>
  );
}

const goals = [
  { name: "notes", keys: "g n" },
  { name: "shared", keys: "g s" },
  { name: "archive", keys: "g a" },
  { name: "trash", keys: "g t" },
  { name: "inbox", keys: "g i" },
  { name: "account", keys: "g p" },
] as const;

/** What is neither a list nor a note. */
function Page({ onMenu }: { onMenu: (() => void) | undefined }) {
  const page = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) page.current?.focus();
  }, []);
  return (
    <>
      {onMenu && <Bar onMenu={onMenu} />}
      <div ref={page} tabIndex={-1} className="min-h-0 flex-1 outline-none">
        <Switch>
          <Route path="/account/*?">
            <Part of="account">
              <Account />
            </Part>
          </Route>
          <Route path="/inbox">
            <Part of="inbox">
              <Inbox />
            </Part>
          </Route>
          <Route>
            <Nowhere />
          </Route>
        </Switch>
      </div>
    </>
  );
}

function Part({ of, children }: { of: string; children: ReactNode }) {
  const { t } = useTranslation();
  const waiting = (
    <div role="status" aria-label={t("loading")} className="grid h-full place-items-center text-soft">
      <Spinner className="size-6" />
    </div>
  );
  return (
    <Boundary of={of}>
      <Suspense fallback={waiting}>{children}</Suspense>
    </Boundary>
  );
}

function Nowhere() {
  const { t } = useTranslation("notes");
  useTitle(t("nowhere.title"));
  return (
    <main className="h-full">
      <h1 className="sr-only">Trellis</h1>
      <Empty
        icon={<Compass />}
        title={t("nowhere.title")}
        action={<Button onClick={() => navigate("/notes")}>{t("go.notes")}</Button>}
      >
        {t("nowhere.text")}
      </Empty>
    </main>
  );
}

/** The first stop of Tab: past the sidebar, to what the page is about. */
function Skip() {
  const { t } = useTranslation("notes");
  return (
    <Button
      look="primary"
      className="fixed top-2 left-2 z-60 not-focus:sr-only"
      onClick={() => {
        const content = document.querySelector<HTMLElement>("[data-content], main");
        if (content) content.tabIndex = -1;
        content?.focus();
      }}
    >
      {t("skip")}
    </Button>
  );
}
