import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, signUp, test } from "./fixtures";
import { more, note, ready } from "./page";

// WCAG 2.2 AA and axe's own rules, on every page: nothing serious, in either theme.

async function audit(page: Page, what: string) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const bad = violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  expect.soft(bad.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join("\n")}`), what).toEqual([]);
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`nobody is kept out of the pages before the login (${colorScheme})`, { tag: "@phone" }, async ({ browser }) => {
    const context = await browser.newContext({ colorScheme, baseURL: process.env.TRELLIS_E2E_URL ?? "" });
    const page = await context.newPage();
    for (const path of ["/login", "/signup", "/forgot", "/reset", "/verify"]) {
      await page.goto(path);
      await expect(page.getByRole("heading").first()).toBeVisible();
      await audit(page, path);
    }
    await context.close();
  });

  test(`nobody is kept out of the notes (${colorScheme})`, { tag: "@phone" }, async ({ enter, isMobile }) => {
    const ann = await signUp();
    const page = await enter(ann, "/notes", { colorScheme });
    await expect(page.getByRole("heading", { name: "Write your first note" })).toBeVisible();
    await audit(page, "no notes");
    const { id } = await ann.call<{ id: string }>("POST", "/v1/notes", {
      title: "Plan", body: "# Garden\n\n- [ ] dig\n\n`code` and [a link](https://example.org)", tags: ["garden"],
    });
    for (const path of ["/notes/" + id, "/notes?q=garden", "/tags/garden", "/archive", "/trash", "/shared", "/inbox"]) {
      await page.goto(path);
      await expect(page.getByRole("heading").first()).toBeVisible();
      if (path.endsWith(id)) await ready(page);
      await audit(page, path);
    }
    await page.goto("/notes/" + id);
    await ready(page);
    if (isMobile) await more(page, "Preview");
    else await note(page).getByRole("button", { name: /^Preview/ }).click();
    await expect(note(page).getByRole("heading", { name: "Garden" })).toBeVisible();
    await audit(page, "preview");
    await more(page, "Earlier versions");
    await expect(page.getByRole("dialog")).toBeVisible();
    await audit(page, "earlier versions");
    await page.keyboard.press("Escape");
    await page.keyboard.press("ControlOrMeta+k");
    await expect(page.getByRole("dialog")).toBeVisible();
    await audit(page, "palette");
  });

  test(`nobody is kept out of the account (${colorScheme})`, { tag: "@phone" }, async ({ enter }) => {
    const page = await enter(await signUp(), "/account", { colorScheme });
    for (const part of ["profile", "preferences", "notifications", "sessions", "data"]) {
      await page.goto("/account/" + part);
      await expect(page.getByRole("heading", { level: 2 }).first()).toBeVisible();
      await audit(page, part);
    }
  });
}
