import type { State } from "./api/session";
import { lazily } from "./ui/lazily";

/** Who is logged in has all other pages in here. */
export const Workspace = lazily(async () => {
  const module = await import("./workspace/workspace");
  await module.prepare(location.pathname);
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
  const pages = { ...(status === "out" && outside), ...linked };
  const page = path in pages ? pages[path as keyof typeof linked] : status === "in" ? Workspace : outside["/login"];
  await page.preload();
}
