import { useEffect } from "react";

/** Tells in the page's title, and on the app's icon, how many notifications are unread. */
export function useBadge(unread: number): void {
  useEffect(() => {
    const keep = () => mark(unread);
    keep();
    // Others change the title, too, and know of no number.
    const observer = new MutationObserver(keep);
    observer.observe(document.head, { subtree: true, childList: true, characterData: true });
    // Not every browser has it, and one may refuse.
    if ("setAppBadge" in navigator) navigator.setAppBadge(unread).catch(() => undefined);
    return () => observer.disconnect();
  }, [unread]);
  useEffect(
    () => () => {
      mark(0);
      if ("clearAppBadge" in navigator) navigator.clearAppBadge().catch(() => undefined);
    },
    [],
  );
}

function mark(unread: number): void {
  const title = document.title.replace(/^\(\d+\+?\) /, "");
  const marked = unread > 0 ? `(${unread > 99 ? "99+" : unread}) ${title}` : title;
  if (document.title !== marked) document.title = marked;
}
