import { device, expect, mailed, type Page, password, signUp, test, unique } from "./fixtures";
import { onDisk } from "./page";

async function logIn(page: Page, email: string, secret = password) {
  await page.getByLabel("Email or username").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Log in" }).click();
}

const workspace = (page: Page) => page.getByRole("button", { name: "New note" }).first();

test("one signs up, verifies the address, logs out and in again", { tag: "@phone" }, async ({ page, context }) => {
  const email = unique("eva") + "@example.com";
  await page.goto("/");
  await expect(page).toHaveURL(/\/login$/);
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Name (optional)").fill("Eva");
  await page.getByLabel("Email", { exact: true }).fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL(/\/notes$/);
  await expect(workspace(page)).toBeVisible();
  await expect(page.getByText(`we have sent a link to ${email}`)).toBeVisible();

  const other = await context.newPage();
  await other.goto(await mailed(email, "/verify"));
  await expect(other.getByRole("heading", { name: "Your address is verified" })).toBeVisible();
  await expect(other).toHaveURL(/\/verify$/); // the token is gone from the address
  await other.close();
  await page.bringToFront();
  await expect(page.getByText(`we have sent a link to ${email}`)).toBeHidden();

  await logOut(page);
  await expect(page.getByRole("heading", { name: "Log in" })).toBeVisible();
  await logIn(page, email);
  await expect(workspace(page)).toBeVisible();
});

async function logOut(page: Page) {
  const menu = page.getByRole("button", { name: "account menu" });
  if (await menu.isHidden()) await page.getByRole("button", { name: "Menu", exact: true }).click();
  await menu.click();
  await page.getByRole("menuitem", { name: "Log out", exact: true }).click();
}

test("a wrong password is told, and what was typed stays", async ({ page }) => {
  const ann = await signUp();
  await page.goto("/login");
  await logIn(page, ann.email, "not-the-password");
  await expect(page.getByText("The login or the password is wrong.")).toBeVisible();
  await expect(page.getByLabel("Email or username")).toHaveValue(ann.email);
  await expect(page.getByLabel("Password", { exact: true })).toHaveValue("not-the-password");
  await expect(page.getByLabel("Password", { exact: true })).toBeFocused();
  await logIn(page, ann.email);
  await expect(workspace(page)).toBeVisible();
});

test("signing up says what is wrong beside the field", async ({ page }) => {
  const ann = await signUp();
  await page.goto("/signup");
  await page.getByLabel("Email", { exact: true }).fill("ann at example");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByLabel("Email", { exact: true })).toHaveAccessibleDescription(/no email address/);
  await expect(page.getByLabel("Password", { exact: true })).toHaveAccessibleDescription(/fewer than 10/);
  await page.getByLabel("Email", { exact: true }).fill(ann.email);
  await page.getByLabel("Password", { exact: true }).fill("password1234");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByLabel("Password", { exact: true })).toHaveAccessibleDescription(/too easily guessed/);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByLabel("Email", { exact: true })).toHaveAccessibleDescription(/already/);
  await page.getByRole("link", { name: "Log in with this address" }).click();
  await expect(page.getByLabel("Email or username")).toHaveValue(ann.email);
});

test("a forgotten password is set anew by the link in a mail", { tag: "@phone" }, async ({ page, enter }) => {
  const ann = await signUp();
  const elsewhere = await enter(ann);
  await expect(workspace(elsewhere)).toBeVisible();

  await page.goto("/login");
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await page.getByLabel("Email", { exact: true }).fill(ann.email);
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByRole("heading", { name: "Look at your mail" })).toBeVisible();
  const link = await mailed(ann.email, "/reset");
  await page.goto(link);
  await page.getByLabel("New password", { exact: true }).fill("lichter-fluss-93");
  await page.getByRole("button", { name: "Set password" }).click();
  await expect(page.getByRole("heading", { name: "Your password is set" })).toBeVisible();
  await expect(elsewhere.getByRole("heading", { name: "Log in" })).toBeVisible(); // all sessions have ended

  await page.getByRole("link", { name: "Log in" }).click();
  await logIn(page, ann.email);
  await expect(page.getByText("The login or the password is wrong.")).toBeVisible();
  await logIn(page, ann.email, "lichter-fluss-93");
  await expect(workspace(page)).toBeVisible();

  await elsewhere.goto(link);
  await elsewhere.getByLabel("New password", { exact: true }).fill("lichter-fluss-94");
  await elsewhere.getByRole("button", { name: "Set password" }).click();
  await expect(elsewhere.getByRole("heading", { name: "no longer good" })).toBeVisible();
});

test("tabs that open together refresh the session once", async ({ browser }) => {
  const context = await device(browser, await signUp(), { serviceWorkers: "block" });
  const pages = await Promise.all([1, 2, 3].map(() => context.newPage()));
  let refreshes = 0;
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  await context.route("/v1/auth/refresh", async (route) => {
    refreshes++;
    await held;
    await route.continue();
  });
  const served = pages.map((page) => page.waitForResponse("/v1/auth/sessions*"));
  await Promise.all(pages.map((page) => page.goto("/account/sessions")));
  // All three want a token: one asks for it, and the others wait.
  const waiting = async () => (await navigator.locks.query()).pending?.filter((l) => l.name === "trellis.refresh").length;
  await expect.poll(() => pages[0]?.evaluate(waiting)).toBe(2);
  letGo();
  for (const answer of await Promise.all(served)) expect(answer.status()).toBe(200);
  expect(refreshes).toBe(1);
});

test("no storage that a script can read has a token", async ({ page }) => {
  const ann = await signUp();
  const tokens: string[] = [];
  page.on("response", async (response) => {
    if (!/\/auth\/(login|refresh)$/.test(response.url())) return;
    tokens.push(((await response.json()) as { access_token: string }).access_token);
  });
  await page.goto("/login");
  await logIn(page, ann.email);
  await expect(workspace(page)).toBeVisible();
  await expect.poll(() => tokens.length).toBeGreaterThan(0);

  const stored = await page.evaluate(async () => {
    const found: unknown[] = [Object.entries(localStorage), Object.entries(sessionStorage), document.cookie];
    for (const name of await caches.keys()) {
      for (const request of await (await caches.open(name)).keys()) found.push(request.url, [...request.headers]);
    }
    return JSON.stringify(found);
  });
  const kept = stored + (await onDisk(page));
  expect(kept).toContain(ann.email); // the storages were read
  for (const token of tokens) expect(kept).not.toContain(token);
  expect(kept).not.toMatch(/eyJ[\w-]+\.[\w-]+\./);
  const cookies = await page.context().cookies();
  const refresh = cookies.filter((c) => c.path.startsWith("/v1/auth"));
  expect(refresh.length).toBeGreaterThan(0);
  for (const c of refresh) {
    expect(c).toMatchObject({ httpOnly: true, sameSite: "Strict" });
    expect(stored).not.toContain(c.value);
  }
});
