import { CheckCheck } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "wouter";
import { useCommands } from "@/palette/commands";
import { IconButton } from "@/ui/button";
import { useTitle } from "@/ui/page";
import { useActions } from "./actions";
import { categories, statuses, type View } from "./known";
import { List } from "./list";
import { useInbox, useInboxState } from "./react";
import { extentOf, listOf } from "./store";

/** All notifications: /inbox, with ?show=STATUS and ?about=CATEGORY. */
export default function Page() {
  const { t } = useTranslation("inbox");
  const inbox = useInbox();
  const state = useInboxState();
  const [query, setQuery] = useSearchParams();
  const view: View = {
    status: statuses.find((s) => s === query.get("show")) ?? "all",
    category: categories.find((c) => c === query.get("about")),
  };
  const extent = extentOf(state, view);
  const { status, category } = view;
  const untouched = extent.floor === Infinity && !extent.loading && !extent.error;
  useEffect(() => {
    if (extentOf(inbox.state(), { status, category }).floor === Infinity) void inbox.load({ status, category });
  }, [inbox, untouched, status, category]);
  useTitle(t("page"));

  const show = (name: "show" | "about", value: string) =>
    setQuery((was) => {
      const next = new URLSearchParams(was);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    });
  return (
    <main className="flex h-full min-w-0 flex-1 flex-col bg-surface">
      <header className="border-b border-line">
        <div className="mx-auto flex max-w-3xl flex-wrap items-center gap-2 px-4 pt-3 pr-1">
          <h1 className="mr-auto text-xl font-semibold">{t("page")}</h1>
          <select
            aria-label={t("about")}
            value={category ?? ""}
            onChange={(e) => show("about", e.target.value)}
            className="min-h-10 rounded-lg border border-line-strong bg-raised px-2"
          >
            <option value="">{t("category.any")}</option>
            {categories.map((c) => (
              <option key={c} value={c}>
                {t(`category.${c}`)}
              </option>
            ))}
          </select>
          <ReadAll view={view} />
        </div>
        <Statuses now={status} onChange={(s) => show("show", s === "all" ? "" : s)} />
      </header>
      <List key={`${status} ${category}`} view={view} />
    </main>
  );
}

function Statuses({ now, onChange }: { now: View["status"]; onChange: (s: View["status"]) => void }) {
  const { t } = useTranslation("inbox");
  return (
    <div role="group" aria-label={t("show")} className="mx-auto flex max-w-3xl flex-wrap px-1 pb-1 max-sm:px-2.5">
      {statuses.map((s) => (
        <button
          key={s}
          type="button"
          aria-pressed={s === now}
          className="min-h-10 rounded-lg px-3 font-medium max-sm:px-1.5 max-sm:text-sm text-soft hover:text-ink aria-pressed:text-accent aria-pressed:underline aria-pressed:decoration-2 aria-pressed:underline-offset-8"
          onClick={() => onChange(s)}
        >
          {t(`status.${s}`)}
        </button>
      ))}
    </div>
  );
}

function ReadAll({ view }: { view: View }) {
  const { t } = useTranslation("inbox");
  const actions = useActions();
  const state = useInboxState();
  const newest = listOf(state, { ...view, status: "all" })[0];
  const some = state.unread > 0 && newest !== undefined;
  const run = () => newest && actions.readAll(newest.seq, view.category);
  useCommands(some ? [{ id: "inbox.read_all", label: t("read_all"), group: "app", run }] : []);
  return (
    <IconButton label={t("read_all")} disabled={!some} onClick={run}>
      <CheckCheck />
    </IconButton>
  );
}
