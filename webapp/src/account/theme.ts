import type { Wishes } from "./wishes";

type Theme = Wishes["theme"];

const storageKey = "trellis.theme";
const dark = () => matchMedia("(prefers-color-scheme: dark)");

/** The theme that this device had last: what the page begins with. */
export function lastTheme(): Theme {
  const last = localStorage.getItem(storageKey);
  return last === "light" || last === "dark" ? last : "system";
}

/** Has the page look as wished, from now on and at the next start. */
export function applyTheme(theme: Theme): void {
  localStorage.setItem(storageKey, theme);
  const shown = theme === "system" ? (dark().matches ? "dark" : "light") : theme;
  if (document.documentElement.dataset.theme === shown) return;
  document.documentElement.dataset.theme = shown;
  // The browser's own bars go with the page, and not with the system.
  const page = getComputedStyle(document.documentElement).getPropertyValue("--page");
  if (page) for (const meta of document.querySelectorAll('meta[name="theme-color"]')) meta.setAttribute("content", page);
}

/** Calls back when the system turns dark, or light. */
export function onSystemTheme(listener: () => void): void {
  dark().addEventListener("change", listener);
}
