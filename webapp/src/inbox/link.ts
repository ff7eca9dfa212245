/**
 * The path of this page that a link is, or undefined if it leads elsewhere:
 * browsers take "//host" and "/\host" to another, and leave out tabs and lines.
 */
export function ownPath(link: string): string | undefined {
  const plain =
    link.startsWith("/") && !link.startsWith("//") && ![...link].some((c) => c <= " " || c === "\\" || c === "\x7f");
  if (!plain || !URL.canParse(link, location.origin)) return undefined;
  const url = new URL(link, location.origin);
  return url.origin === location.origin ? url.pathname + url.search + url.hash : undefined;
}
