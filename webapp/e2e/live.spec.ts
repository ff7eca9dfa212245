import { device, expect, signUp, test, verify } from "./fixtures";
import { append, body, note, row, saved, says, write } from "./page";
import { start } from "./system";

test("what changes in a tab appears in the next one, and on another device", async ({ enter }) => {
  const ann = await signUp();
  const [tab, phone] = [await enter(ann), await enter(ann)];
  const next = await tab.context().newPage();
  await next.goto("/notes");
  await write(tab, "Groceries", "milk");
  for (const page of [next, phone]) {
    await row(page, "Groceries").getByRole("link").click();
    await expect(body(page)).toHaveText("milk");
  }
  await append(phone, ", bread");
  for (const page of [tab, next]) await expect(body(page)).toHaveText("milk, bread");
  await append(next, ", eggs");
  for (const page of [tab, phone]) await expect(body(page)).toHaveText("milk, bread, eggs");
});

test("the bell counts the same in every tab", async ({ enter }) => {
  const [ann, bob] = await Promise.all([signUp("Ann"), signUp("Bob")]);
  await verify(ann);
  const tab = await enter(ann);
  const next = await tab.context().newPage();
  await next.goto("/notes");
  const bell = (page: typeof tab) => page.getByRole("button", { name: /^Notifications, \d+ unread$/ });
  await bell(tab).click();
  await tab.getByRole("dialog").getByRole("button", { name: "Mark all as read" }).click();
  for (const page of [tab, next]) await expect(bell(page)).toHaveAccessibleName("Notifications, 0 unread");
  await tab.keyboard.press("Escape");

  const { id } = await bob.call<{ id: string }>("POST", "/v1/notes", { title: "From Bob", body: "" });
  await bob.call("POST", `/v1/notes/${id}/shares`, { user: ann.email });
  for (const page of [tab, next]) await expect(bell(page)).toHaveAccessibleName("Notifications, 1 unread");
  await bell(next).click();
  await next.getByRole("dialog").getByRole("link", { name: /From Bob/ }).click();
  await expect(note(next)).toContainText("This note is shared with you to read.");
  for (const page of [tab, next]) await expect(bell(page)).toHaveAccessibleName("Notifications, 0 unread");
});

test("where WebSockets are blocked, events do", async ({ browser }) => {
  const ann = await signUp();
  const context = await device(browser, ann, { serviceWorkers: "block" });
  const page = await context.newPage();
  let refused = 0;
  await page.routeWebSocket("**/v1/realtime/ws*", (ws) => {
    refused++;
    return ws.close();
  });
  const events = page.waitForResponse((r) => r.url().includes("/v1/realtime/events"));
  await page.goto("/notes");
  expect((await events).headers()["content-type"]).toContain("text/event-stream");
  expect(refused).toBeGreaterThan(0);
  await ann.call("POST", "/v1/notes", { title: "By events", body: "" });
  await expect(row(page, "By events")).toBeVisible();
});

test("after a restart of the system all goes on where it was", async ({ browser }) => {
  const system = await start();
  try {
    const ann = await signUp("Ann", system.url);
    const context = await device(browser, ann, {}, system.url);
    const page = await context.newPage();
    await page.goto("/notes");
    await write(page, "Diary", "Monday");
    await saved(page);
    await system.crash();
    await page.keyboard.type(", rain");
    await says(page, "Kept on this device");
    await system.restart();
    await saved(page);
    await ann.call("POST", "/v1/notes", { title: "Made after it", body: "" });
    await expect(row(page, "Made after it")).toBeVisible();
    await expect(body(page)).toHaveText("Monday, rain");
    await context.close();
  } finally {
    await system.stop();
  }
});
