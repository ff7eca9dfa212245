import { useEffect, useEffectEvent } from "react";
import { useTranslation } from "react-i18next";
import { navigate } from "wouter/use-browser-location";
import { session } from "@/api/session";
import { useLive } from "@/live/react";
import { toast } from "@/ui/toast";
import { useActions } from "./actions";
import { useBadge } from "./badge";
import type { Notice } from "./known";
import { ownPath } from "./link";
import { forgetPush, keepPush } from "./push";
import { useInbox, useInboxState } from "./react";

/** Tells of what comes in: in a toast, in the title and on the app's icon. */
export function Announce() {
  const { t } = useTranslation("inbox");
  const { user } = useLive();
  const inbox = useInbox();
  const actions = useActions();
  const { unread } = useInboxState();
  useBadge(unread);

  const announce = useEffectEvent((n: Notice) => {
    if (document.hidden || location.pathname === "/inbox") return;
    const open = () => {
      actions.open(n);
      navigate(ownPath(n.link) ?? "/inbox");
    };
    toast({ text: n.title, action: { label: t("open"), run: open }, key: n.id });
  });
  useEffect(() => inbox.onArrival((n) => announce(n)), [inbox]);

  useEffect(() => {
    const stop = new AbortController();
    addEventListener("online", () => inbox.retry(), { signal: stop.signal });
    // Absent on pages that are not secure.
    navigator.serviceWorker?.addEventListener("message", follow, { signal: stop.signal });
    keepPush(user).catch(() => undefined); // the next start does
    return () => {
      stop.abort();
      if (session.state.status === "in") return;
      inbox.forget();
      forgetPush(user).catch(() => undefined);
    };
  }, [inbox, user]);
  return null;
}

/** Goes where a pushed notification leads that was clicked. */
function follow({ data }: MessageEvent<{ type?: unknown; link?: unknown } | null>) {
  if (data?.type !== "trellis:open" || typeof data.link !== "string") return;
  const path = ownPath(data.link);
  if (path) navigate(path);
}
