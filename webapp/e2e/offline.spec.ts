import { expect, type Page, password, signUp, test } from "./fixtures";
import { append, back, body, onDisk, row, saved, says, title, write } from "./page";
import { profile } from "./profile";

/** Waits until the page can be opened without the network. */
const installed = (page: Page) => page.evaluate(async () => void (await navigator.serviceWorker.ready));

test("cold and offline the page opens, shows the notes and takes new ones, which go out in order", { tag: "@phone" }, async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "Packing list", body: "tent, stove" });
  const first = await enter(ann);
  await expect(row(first, "Packing list")).toBeVisible();
  await installed(first);
  const context = first.context();
  await first.close();
  await context.setOffline(true);

  const page = await context.newPage();
  await page.goto("/notes");
  await row(page, "Packing list").getByRole("link").click();
  await expect(body(page)).toHaveText("tent, stove");
  await append(page, ", matches");
  await says(page, "Kept on this device");
  await back(page);
  for (const called of ["One", "Two", "Three"]) {
    await write(page, called);
    await says(page, "Kept on this device");
    await back(page);
  }
  await expect(page.getByRole("status").getByText("Offline · 4 changes kept on this device")).toBeAttached();

  await context.setOffline(false);
  // The feed has the notes in the order in which the server took them.
  const taken = async () => {
    const { changes } = await ann.call<{ changes: { note: { title: string } }[] }>("GET", "/v1/notes/changes?since=0");
    return changes.map((change) => change.note.title);
  };
  await expect.poll(taken).toEqual(["Packing list", "One", "Two", "Three"]);
  const [list] = (await ann.call<{ data: { body: string }[] }>("GET", "/v1/notes?sort=created_at")).data;
  expect(list?.body).toBe("tent, stove, matches");
  await expect(page.getByRole("status").getByText(/Offline/)).toHaveCount(0);
});

test("closing the tab right after typing loses nothing", async ({ enter }) => {
  const ann = await signUp();
  const page = await enter(ann);
  await write(page, "Draft", "once upon");
  await saved(page);
  const context = page.context();
  await installed(page);
  await context.setOffline(true);
  await ready(page);
  await page.keyboard.type(" a time");
  await page.close();

  const again = await context.newPage();
  await again.goto("/notes");
  await row(again, "Draft").getByRole("link").click();
  await expect(body(again)).toHaveText("once upon a time");
  await context.setOffline(false);
  await saved(again);
});

/** Waits until the server is known to be away. */
const ready = (page: Page) => expect(page.getByRole("button", { name: "Offline" })).toBeVisible();

test("killing the browser loses nothing that was typed", async ({ baseURL }) => {
  const ann = await signUp();
  const folder = await profile();
  try {
    const { page, kill } = await folder.open();
    await page.goto(`${baseURL}/login`);
    await page.getByLabel("Email or username").fill(ann.email);
    await logIn(page);
    await write(page, "Thesis", "chapter one");
    await saved(page);
    await page.route("**/v1/**", (route) => route.abort());
    await page.keyboard.type(", chapter two");
    await expect.poll(() => onDisk(page)).toContain("chapter two");
    await expect.poll(() => folder.keeps("trellis.user"), { timeout: 60_000 }).toBe(true);
    await page.context().clearCookies(); // which a browser keeps half a minute later, or never
    await kill();

    const next = await folder.open();
    await next.page.route("**/v1/**", (route) => route.abort());
    await next.page.goto(`${baseURL}/notes`);
    await row(next.page, "Thesis").getByRole("link").click();
    await expect(body(next.page)).toHaveText("chapter one, chapter two");
    await next.page.unroute("**/v1/**");
    await logIn(next.page);
    await saved(next.page);
    await expect(body(next.page)).toHaveText("chapter one, chapter two");
    const { data } = await ann.call<{ data: { body: string }[] }>("GET", "/v1/notes");
    expect(data[0]?.body).toBe("chapter one, chapter two");
  } finally {
    await folder.remove();
  }
});

async function logIn(page: Page) {
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

test("a session that ended elsewhere leads to the login, and what was typed is there after it", async ({ enter }) => {
  const ann = await signUp();
  const [page, elsewhere] = [await enter(ann), await enter(ann, "/account/sessions")];
  await write(page, "Speech", "dear friends");
  await saved(page);
  await page.context().setOffline(true);
  await expect(page.getByRole("button", { name: "Offline" })).toBeVisible();
  await page.keyboard.type(", welcome");
  await says(page, "Kept on this device");

  await elsewhere.getByRole("button", { name: "Log out everywhere" }).click();
  await elsewhere.getByRole("dialog").getByRole("button", { name: "Log out on all devices" }).click();
  await expect(elsewhere.getByRole("heading", { name: "Log in" })).toBeVisible();

  await page.context().setOffline(false);
  await expect(page.getByText("You were logged out on this device.")).toBeVisible();
  await expect(page.getByLabel("Email or username")).toHaveValue(ann.email);
  await logIn(page);
  await expect(title(page)).toHaveValue("Speech"); // where one was
  await expect(body(page)).toHaveText("dear friends, welcome");
  await saved(page);
});
