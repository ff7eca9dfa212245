import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Bell, Database, KeyRound, MonitorSmartphone, SlidersHorizontal, UserRound } from "lucide-react";
import { type ComponentType, type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, Redirect, Route, Switch, useRoute } from "wouter";
import { Problem } from "@/api/problem";
import { useTitle } from "@/ui/page";
import { Leaving } from "./leaving";
import { Data } from "./pages/data";
import { NotificationsPage } from "./pages/notifications";
import { Preferences } from "./pages/preferences";
import { ProfilePage } from "./pages/profile";
import { Security } from "./pages/security";
import { Sessions } from "./pages/sessions";

interface Page {
  name: string;
  icon: ReactNode;
  of: ComponentType;
}

const pages: readonly Page[] = [
  { name: "profile", icon: <UserRound />, of: ProfilePage },
  { name: "preferences", icon: <SlidersHorizontal />, of: Preferences },
  { name: "notifications", icon: <Bell />, of: NotificationsPage },
  { name: "security", icon: <KeyRound />, of: Security },
  { name: "sessions", icon: <MonitorSmartphone />, of: Sessions },
  { name: "data", icon: <Database />, of: Data },
];

/** All that concerns who one is, and not what one writes. */
export default function Account() {
  const [queries] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          // Offline it is tried, too, and said at once that it can't be had.
          queries: { networkMode: "always", staleTime: 5_000, retry: (n, err) => n < 2 && err instanceof Problem && err.passing },
          mutations: { networkMode: "always" },
        },
      }),
  );
  useEffect(() => {
    const refresh = () => void queries.invalidateQueries();
    addEventListener("trellis:profile", refresh);
    return () => removeEventListener("trellis:profile", refresh);
  }, [queries]);
  return (
    <QueryClientProvider client={queries}>
      <main className="@container h-full overflow-y-auto bg-page">
        <div className="mx-auto max-w-4xl px-4 pb-16 @3xl:px-8">
          <Head />
          <div className="gap-8 @3xl:grid @3xl:grid-cols-[11.5rem_minmax(0,1fr)]">
            <Nav />
            <div className="min-w-0 pt-4 @3xl:pt-0">
              <Leaving />
              <Switch>
                {pages.map(({ name, of: Of }) => (
                  <Route key={name} path={"/account/" + name}>
                    <Titled name={name}>
                      <Of />
                    </Titled>
                  </Route>
                ))}
                <Route>
                  <Redirect to="/account/profile" replace />
                </Route>
              </Switch>
            </div>
          </div>
        </div>
      </main>
    </QueryClientProvider>
  );
}

function Head() {
  const { t } = useTranslation("account");
  return <h1 className="pt-4 pb-3 font-serif text-2xl @3xl:pt-8 @3xl:pb-6">{t("title")}</h1>;
}

function Nav() {
  const { t } = useTranslation("account");
  const [, here] = useRoute("/account/:page");
  const page = here?.page;
  const strip = useRef<HTMLElement>(null);
  // Where the pages are in a strip, the one that is shown is to be seen in it.
  useEffect(() => {
    strip.current?.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [page]);
  return (
    <nav
      ref={strip}
      aria-label={t("title")}
      className="sticky top-0 z-10 -mx-4 overflow-x-auto border-b border-line bg-page px-4 @3xl:static @3xl:mx-0 @3xl:overflow-visible @3xl:border-0 @3xl:px-0"
    >
      <ul className="flex gap-1 py-2 @3xl:sticky @3xl:top-8 @3xl:flex-col @3xl:py-0">
        {pages.map(({ name, icon }) => (
          <li key={name}>
            <Link
              href={"/account/" + name}
              aria-current={page === name ? "page" : undefined}
              className="flex min-h-10 items-center gap-3 rounded-lg px-3 whitespace-nowrap hover:bg-sunken aria-[current=page]:bg-accent-soft aria-[current=page]:font-medium [&_svg]:size-4.5 [&_svg]:shrink-0 [&_svg]:text-soft aria-[current=page]:[&_svg]:text-accent"
            >
              {icon}
              {t(`nav.${name}`)}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Titled({ name, children }: { name: string; children: ReactNode }) {
  const { t } = useTranslation("account");
  const title = t(`nav.${name}`);
  useTitle(title);
  return (
    <>
      <h2 className="sr-only">{title}</h2>
      <div className="flex flex-col gap-4">{children}</div>
    </>
  );
}
