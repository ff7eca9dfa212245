import { useMemo } from "react";
import { usePathname } from "wouter/use-browser-location";

/** A list of notes that the workspace shows. */
export type List = { kind: "notes" | "shared" | "archive" | "trash" } | { kind: "tag"; tag: string };

/** Where in the notes one is: a list, and the note of it that is open. */
export interface Place {
  list: List;
  /** The list's path; a note's is this, a slash and its id. */
  path: string;
  id?: string;
}

const kinds = ["notes", "shared", "archive", "trash"] as const;

export function pathOf(list: List): string {
  return list.kind === "tag" ? "/tags/" + encodeURIComponent(list.tag) : "/" + list.kind;
}

/** The place that a path names, which is as it stands in the address: not decoded. */
export function placeOf(pathname: string): Place | undefined {
  const [root, ...rest] = pathname.split("/").slice(1);
  const kind = kinds.find((k) => k === root);
  const tag = root === "tags" ? decoded(rest.shift()) : undefined;
  const [id, more] = rest;
  const list: List | undefined = kind ? { kind } : tag ? { kind: "tag", tag } : undefined;
  if (!list || more) return undefined;
  return { list, path: pathOf(list), ...(id && { id }) };
}

function decoded(part = ""): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** Where one is. wouter's useLocation decodes the path, and so makes "%2F" of "%252F". */
export function usePlace(): Place | undefined {
  const pathname = usePathname();
  return useMemo(() => placeOf(pathname), [pathname]);
}
