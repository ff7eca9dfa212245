import { BellOff } from "lucide-react";
import { type FocusEvent, type KeyboardEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Unreachable } from "@/api/problem";
import { Button } from "@/ui/button";
import { explain } from "@/ui/explain";
import { Banner, Empty, Skeleton } from "@/ui/state";
import { useNow } from "@/ui/time";
import { dayName, days } from "./days";
import { Item } from "./item";
import type { View } from "./known";
import { useInbox, useInboxState } from "./react";
import { type Extent, extentOf, listOf } from "./store";

/** The notifications of a view, by their days, and older ones as one scrolls to them. */
export function List({ view }: { view: View }) {
  const { i18n } = useTranslation("inbox");
  const state = useInboxState();
  const now = useNow();
  const list = listOf(state, view);
  const extent = extentOf(state, view);
  const { ref, onFocus } = useFocusKept(list.length);
  if (list.length === 0) return <Nothing view={view} extent={extent} />;
  return (
    <>
      {extent.error !== undefined && <Failed view={view} error={extent.error} />}
      {/* eslint-disable-next-line jsx-a11y/no-static-element-interactions -- the keys go from one link within to the next */}
      <div ref={ref} data-scroller className="min-h-0 flex-1 overflow-y-auto" onKeyDown={walk} onFocus={onFocus}>
        <div className="mx-auto max-w-3xl pb-8">
          {days(list).map(({ at, notices }) => (
            <section key={at.getTime()} aria-label={dayName(at, new Date(now), i18n.language)}>
              <h2 aria-hidden className="sticky top-0 z-20 bg-surface px-4 pt-4 pb-1 text-sm font-semibold text-soft">
                {dayName(at, new Date(now), i18n.language)}
              </h2>
              <ul className="divide-y divide-line">
                {notices.map((n) => (
                  <Item key={n.id} notice={n} now={now} />
                ))}
              </ul>
            </section>
          ))}
          <More view={view} extent={extent} />
        </div>
      </div>
    </>
  );
}

/** What opens the rows, and which of them an element is in. */
function rowsOf(list: HTMLElement, at: Element) {
  const rows = [...list.querySelectorAll<HTMLElement>("[data-open]")];
  const here = at.closest("li");
  return { rows, here: rows.findIndex((row) => here?.contains(row)) };
}

/** Up and down go from one notification to the next. */
function walk(e: KeyboardEvent<HTMLElement>) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  if (!step || !e.currentTarget.contains(e.target as Element)) return; // menus are elsewhere
  const { rows, here } = rowsOf(e.currentTarget, e.target as Element);
  if (here < 0) return;
  rows[here + step]?.focus();
  e.preventDefault();
}

/** Where the row with the focus goes, the one in its place gets it. */
function useFocusKept(length: number) {
  const ref = useRef<HTMLDivElement>(null);
  const last = useRef({ row: -1, length });
  const onFocus = (e: FocusEvent<HTMLElement>) => {
    const row = ref.current ? rowsOf(ref.current, e.target).here : -1;
    if (row >= 0) last.current.row = row; // a menu's focus comes by here, too
  };
  useEffect(() => {
    const less = length < last.current.length;
    last.current.length = length;
    if (!less || !ref.current || document.activeElement !== document.body) return;
    const { rows } = rowsOf(ref.current, ref.current);
    rows[Math.min(last.current.row, rows.length - 1)]?.focus();
  }, [length]);
  return { ref, onFocus };
}

/** Reads older ones when it comes into sight. */
function More({ view, extent }: { view: View; extent: Extent }) {
  const { t } = useTranslation("inbox");
  const inbox = useInbox();
  const ref = useRef<HTMLButtonElement>(null);
  const { status, category } = view;
  const more = extent.cursor !== null;
  useEffect(() => {
    if (!ref.current || !more) return;
    const observer = new IntersectionObserver(
      (seen) => {
        if (seen.some((s) => s.isIntersecting)) void inbox.load({ status, category });
      },
      { root: ref.current.closest("[data-scroller]"), rootMargin: "400px" },
    );
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [inbox, status, category, more, extent.floor]);
  if (!more) return null;
  return (
    <Button
      ref={ref}
      look="quiet"
      busy={extent.loading}
      className="mx-auto mt-4 flex"
      onClick={() => void inbox.load(view)}
    >
      {t("older")}
    </Button>
  );
}

function Failed({ view, error }: { view: View; error: unknown }) {
  const { t } = useTranslation("inbox");
  const inbox = useInbox();
  const again = (
    <Button look="quiet" onClick={() => void inbox.load(view)}>
      {t("common:retry")}
    </Button>
  );
  return (
    <Banner tone={error instanceof Unreachable ? "warn" : "danger"} action={again}>
      {error instanceof Unreachable ? t("offline") : explain(error, t)}
    </Banner>
  );
}

function Nothing({ view, extent }: { view: View; extent: Extent }) {
  const { t } = useTranslation("inbox");
  const inbox = useInbox();
  if (extent.error !== undefined) {
    return (
      <Empty
        icon={<BellOff />}
        title={t("unread_error")}
        action={<Button onClick={() => void inbox.load(view)}>{t("common:retry")}</Button>}
      >
        {explain(extent.error, t)}
      </Empty>
    );
  }
  if (extent.floor === Infinity) return <Waiting />;
  if (extent.cursor !== null) return <More view={view} extent={extent} />;
  const what = view.category ? "category" : view.status;
  return (
    <Empty icon={<BellOff />} title={t(`empty.${what}.title`)}>
      {t(`empty.${what}.text`)}
    </Empty>
  );
}

function Waiting() {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("loading")} className="mx-auto w-full max-w-3xl p-4">
      {[1, 2, 3, 4].map((n) => (
        <div key={n} className="flex gap-3 py-3">
          <Skeleton className="size-5" />
          <div className="flex flex-1 flex-col gap-2">
            <Skeleton className="h-4 w-1/2" />
            <Skeleton className="h-4 w-3/4" />
          </div>
        </div>
      ))}
    </div>
  );
}
