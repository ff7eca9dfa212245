import type { State } from "./api/session";
import { type Lazy, lazily } from "./ui/lazily";

/** Who is logged in has all other pages in here. */
export const Workspace = lazily(async () => {
  const module = await import("./workspace/workspace");
  // A pane that can't be had is missed where it belongs, not with all that is around it.
  await module.prepare(location.pathname).catch(() => undefined);
  return module;
}, "notes", "palette", "inbox");

/** The pages of links in mails, which need no login. */
export const linked = {
  "/verify": lazily(() => import("./auth/verify"), "auth"),
  "/reset": lazily(() => import("./auth/reset"), "auth"),
  "/receipt": lazily(() => import("./auth/receipt"), "auth"),
};

/** The pages of who is not logged in. */
export const outside = {
  "/login": lazily(() => import("./auth/login"), "auth"),
  "/signup": lazily(() => import("./auth/signup"), "auth"),
  "/forgot": lazily(() => import("./auth/forgot"), "auth"),
};

/** Has what a path shows at hand. */
export async function prepare(path: string, status: State["status"]): Promise<void> {
  const pages: Record<string, Lazy<object>> = { ...linked, ...(status === "out" && outside) };
  const otherwise = status === "in" ? Workspace : outside["/login"];
  await (pages[path] ?? otherwise).preload();
}
