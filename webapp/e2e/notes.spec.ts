import { expect, signUp, test, verify } from "./fixtures";
import { append, body, go, more, newNote, note, ready, row, saved, title, write } from "./page";

test("a note is written, saved by itself and there on another device", { tag: "@phone" }, async ({ enter }) => {
  const ann = await signUp();
  const page = await enter(ann);
  await expect(page.getByRole("heading", { name: "Write your first note" })).toBeVisible();
  await write(page, "Seeds", "peas, beans");
  await saved(page);

  const other = await enter(ann);
  await row(other, "Seeds").getByRole("link").click();
  await expect(title(other)).toHaveValue("Seeds");
  await expect(body(other)).toHaveText("peas, beans");
});

test("Markdown looks like what it means, and tasks are ticked in the preview", async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "Plan", body: "# Garden\n\nSow **early**.\n\n- [ ] dig\n- [ ] sow\n\n| a | b |\n|---|---|\n| 1 | 2 |" });
  const page = await enter(ann);
  await row(page, "Plan").getByRole("link").click();
  await ready(page);
  await note(page).getByRole("button", { name: /^Preview/ }).click();
  await expect(note(page).getByRole("heading", { name: "Garden" })).toBeVisible();
  await expect(note(page).getByRole("table")).toBeVisible();
  await note(page).getByRole("checkbox").first().click();
  await expect(note(page).getByRole("checkbox").first()).toBeChecked();
  await saved(page);
  await note(page).getByRole("button", { name: /^Edit/ }).click();
  await expect(body(page)).toContainText("dig");
  const { data } = await ann.call<{ data: { body: string }[] }>("GET", "/v1/notes");
  expect(data[0]?.body).toContain("- [x] dig\n- [ ] sow");
});

test("tags gather notes in lists of their own", { tag: "@phone" }, async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "Other", body: "" });
  const page = await enter(ann);
  await write(page, "Tomatoes");
  await note(page).getByRole("combobox", { name: "Add a tag" }).click();
  await page.keyboard.type("garden,");
  await expect(note(page).getByRole("link", { name: "garden" })).toBeVisible();
  await saved(page);
  await go(page, "garden");
  await expect(page).toHaveURL(/\/tags\/garden/);
  await expect(row(page, "Tomatoes")).toBeVisible();
  await expect(row(page, "Other")).toHaveCount(0);
  await row(page, "Tomatoes").getByRole("link").click();
  await note(page).getByRole("button", { name: "Remove tag garden" }).click();
  await expect(note(page).getByRole("link", { name: "garden" })).toHaveCount(0);
});

test("pinned notes come first", async ({ enter }) => {
  const ann = await signUp();
  for (const called of ["First", "Second"]) await ann.call("POST", "/v1/notes", { title: called, body: "" });
  const page = await enter(ann);
  await row(page, "First").getByRole("link").click();
  await note(page).getByRole("button", { name: /^Pin/ }).click();
  await expect(page.getByRole("list", { name: "Pinned" }).getByRole("listitem")).toHaveText([/First/]);
  await expect(page.getByRole("list", { name: "Others" }).getByRole("listitem")).toHaveText([/Second/]);
  await saved(page);
});

test("what is archived, trashed or deleted can be had back until it is deleted for ever", { tag: "@phone" }, async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "Bills", body: "" });
  const page = await enter(ann);
  await row(page, "Bills").getByRole("link").click();
  await more(page, "Archive");
  await expect(row(page, "Bills")).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(row(page, "Bills")).toBeVisible();

  await row(page, "Bills").getByRole("link").click();
  await more(page, "Move to the trash");
  await expect(page.getByText("“Bills” is in the trash.")).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(row(page, "Bills")).toBeVisible();

  await row(page, "Bills").getByRole("link").click();
  await more(page, "Move to the trash");
  await go(page, "Trash");
  await row(page, "Bills").getByRole("link").click();
  await note(page).getByRole("button", { name: "Delete for ever" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete for ever" }).click();
  await expect(page.getByRole("heading", { name: "The trash is empty" })).toBeVisible();
  await expect.poll(async () => (await ann.call<{ data: unknown[] }>("GET", "/v1/notes?status=trashed")).data).toEqual([]);
});

test("search finds as one types, without accents, and marks what was found", { tag: "@phone" }, async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "Wycieczka", body: "Pociąg do Gdańska o ósmej" });
  await ann.call("POST", "/v1/notes", { title: "Seeds", body: "peas" });
  const page = await enter(ann);
  await expect(row(page, "Seeds")).toBeVisible();
  await page.getByRole("searchbox").fill("gdans");
  await expect(row(page, "Wycieczka").locator("mark")).toHaveText("Gdańska");
  await expect(row(page, "Seeds")).toHaveCount(0);
  await expect(page).toHaveURL(/\?q=gdans/);
  await page.reload();
  await expect(page.getByRole("searchbox")).toHaveValue("gdans");
  await expect(row(page, "Wycieczka")).toBeVisible();
  await page.getByRole("searchbox").fill("nothing like it");
  await expect(page.getByRole("heading", { name: "Nothing found" })).toBeVisible();
  await page.getByRole("button", { name: "Clear search" }).click();
  await expect(row(page, "Seeds")).toBeVisible();
});

test("a reminder is set, shown and, when it is time, told of", async ({ enter }) => {
  const ann = await signUp();
  const soon = new Date(Date.now() + 4_000).toISOString();
  const page = await enter(ann);
  await write(page, "Call Ola");
  await saved(page);
  await note(page).getByRole("button", { name: /^Remind me/ }).click();
  await page.getByRole("button", { name: /^Tomorrow/ }).click();
  await expect(note(page).getByRole("button", { name: /^Reminder/ })).toBeVisible();
  await saved(page);
  const id = page.url().split("/").pop() ?? "";
  const { version } = await ann.call<{ version: number }>("GET", "/v1/notes/" + id);
  await ann.call("PATCH", "/v1/notes/" + id, { reminder_at: soon }, { "If-Match": `"${version}"` });
  await expect(page.getByRole("status").getByText("Call Ola")).toBeVisible({ timeout: 20_000 });
});

test("an earlier version is compared and restored", async ({ enter }) => {
  const [ann, bob] = await Promise.all([signUp("Ann"), signUp("Bob")]);
  await verify(bob);
  const { id } = await ann.call<{ id: string }>("POST", "/v1/notes", { title: "Soup", body: "carrots\nsalt" });
  await ann.call("POST", `/v1/notes/${id}/shares`, { user: bob.email, role: "editor" });
  await bob.call("PATCH", "/v1/notes/" + id, { body: "carrots\npepper" }, { "If-Match": '"1"' });

  const page = await enter(ann, "/notes/" + id);
  await expect(body(page)).toContainText("pepper");
  await more(page, "Earlier versions");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("list", { name: "Versions" }).getByRole("button")).not.toHaveCount(0);
  await dialog.getByRole("list", { name: "Versions" }).getByRole("button", { name: "You" }).first().click();
  await expect(dialog.locator("del").first()).toContainText("salt");
  await expect(dialog.locator("ins").first()).toContainText("pepper");
  await dialog.getByRole("button", { name: "Restore" }).click();
  await expect(dialog).toBeHidden();
  await expect(body(page)).toHaveText(/carrots\s*salt/);
  await saved(page);
});

test("a note is shared with somebody who edits it, and taken back", async ({ enter }) => {
  const [ann, bob] = await Promise.all([signUp("Ann"), signUp("Bob")]);
  await verify(bob);
  const [annes, bobs] = [await enter(ann), await enter(bob, "/shared")];
  await expect(bobs.getByRole("heading", { name: "Nothing is shared with you" })).toBeVisible();
  await write(annes, "Party", "cake");
  await saved(annes);
  await note(annes).getByRole("button", { name: /^Share/ }).click();
  const dialog = annes.getByRole("dialog");
  await dialog.getByLabel("Email or username").fill("nobody@example.com");
  await dialog.getByRole("button", { name: "Share" }).click();
  await expect(dialog.getByLabel("Email or username")).toHaveAccessibleDescription(/Nobody has this/);
  await dialog.getByLabel("Email or username").fill(bob.email);
  await dialog.getByLabel("Can", { exact: true }).selectOption("Edit");
  await dialog.getByRole("button", { name: "Share" }).click();
  await expect(dialog.getByRole("list", { name: "Shared with" })).toContainText("Bob");

  await expect(bobs.getByRole("status").getByText("Party")).toBeVisible(); // a toast
  await row(bobs, "Party").getByRole("link").click();
  await append(bobs, ", candles");
  await saved(bobs);
  await annes.keyboard.press("Escape");
  await expect(body(annes)).toHaveText("cake, candles");

  await note(annes).getByRole("button", { name: /^Share/ }).click();
  await annes.getByRole("dialog").getByRole("button", { name: "Stop sharing with Bob" }).click();
  await expect(annes.getByRole("dialog").getByText("Only you can read this note.")).toBeVisible();
  await expect(bobs.getByRole("heading", { name: "There is no such note" })).toBeVisible();
});

test("an empty list, a missing note and an unknown page say so", async ({ enter }) => {
  const page = await enter(await signUp(), "/archive");
  await expect(page.getByRole("heading", { name: "The archive is empty" })).toBeVisible();
  await page.goto("/notes/01a20754-d39b-7e61-8125-64dba31be060");
  await expect(page.getByRole("heading", { name: "There is no such note" })).toBeVisible();
  await page.goto("/nowhere");
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
  await page.getByRole("button", { name: "Notes" }).click();
  await expect(newNote(page)).toBeVisible();
});
