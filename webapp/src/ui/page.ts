import { useEffect, useSyncExternalStore } from "react";

/** Whether a media query holds, now and when that changes. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => matchMedia(query).matches,
  );
}

/** The media query of who sees the sidebar beside the panes. */
export const wide = "(width >= 64rem)";

/** Titles the page while the component is there. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title + " · Trellis";
  }, [title]);
}
