import { readFile } from "node:fs/promises";
import { expect, type Page, password, signUp, test } from "./fixtures";

const section = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

test("a profile is changed, and one's other devices hear of it", async ({ enter }) => {
  const ann = await signUp("Ann");
  const [page, other] = [await enter(ann, "/account"), await enter(ann, "/notes")];
  await page.getByLabel("Name", { exact: true }).fill("Anna Nowak");
  await page.getByLabel("A few words about you").fill("Gardener");
  await page.getByLabel("Time zone").selectOption("Europe/Lisbon");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Your profile is saved.")).toBeVisible();
  for (const device of [page, other]) {
    await expect(device.getByRole("button", { name: "Anna Nowak: account menu" })).toBeVisible();
  }
  await page.reload();
  await expect(page.getByLabel("Time zone")).toHaveValue("Europe/Lisbon");
});

test("a picture is chosen, looked at, set and removed", async ({ enter }) => {
  const page = await enter(await signUp("Ann"), "/account/profile");
  const choosing = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose a picture" }).click();
  await (await choosing).setFiles("public/icons/icon-512.png");
  await expect(page.getByRole("img", { name: "The picture you chose" })).toBeVisible();
  await page.getByRole("button", { name: "Use this picture" }).click();
  await expect(page.getByText("Your picture is set.")).toBeVisible();
  const width = () => page.locator('img[src*="/avatar"]').first().evaluate((img: HTMLImageElement) => img.naturalWidth);
  await expect.poll(width).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Remove" }).click();
  await expect(page.getByText(/Your picture is removed/)).toBeVisible();
});

test("theme and language are the account's, on every device and after a reload", { tag: "@phone" }, async ({ enter }) => {
  const ann = await signUp();
  const [page, other] = [await enter(ann, "/account/preferences"), await enter(ann)];
  await section(page, "Appearance").getByText("Dark", { exact: true }).click();
  for (const device of [page, other]) await expect(device.locator("html")).toHaveAttribute("data-theme", "dark");
  await section(page, "Language").getByText("Polski").click();
  for (const device of [page, other]) await expect(device.locator("html")).toHaveAttribute("lang", "pl");
  await expect(page.getByRole("heading", { name: "Konto", level: 1 })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("heading", { name: "Konto", level: 1 })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("what one is told of, and how, is chosen for each kind", { tag: "@phone" }, async ({ enter }) => {
  const ann = await signUp();
  const page = await enter(ann, "/account/notifications");
  const mail = page.getByRole("checkbox", { name: "Sharing: Mail" });
  await expect(mail).not.toBeChecked();
  await mail.click();
  await expect(section(page, "What you hear of, and how").getByText("Saved", { exact: true })).toBeVisible();
  await expect(page.getByRole("checkbox", { name: "Security: Inbox" })).toBeDisabled();
  await page.reload();
  await expect(mail).toBeChecked();
});

test("sessions are listed, and ended one by one or all", async ({ enter }) => {
  const ann = await signUp();
  const [page, other] = [await enter(ann, "/account/sessions"), await enter(ann)];
  const listed = section(page, "Where you are logged in").getByRole("listitem");
  await expect(listed).toHaveCount(3); // signing up was one
  await expect(listed.first()).toContainText("This device");
  await page.getByRole("button", { name: "End all other sessions" }).click();
  await expect(listed).toHaveCount(1);
  await expect(other.getByRole("heading", { name: "Log in" })).toBeVisible();
  await expect(other.getByText("You were logged out on this device.")).toBeVisible();
});

test("a changed password ends the other sessions", async ({ enter }) => {
  const ann = await signUp();
  const [page, other] = [await enter(ann, "/account/security"), await enter(ann)];
  await page.getByLabel("Password you have now").fill("a-wrong-one");
  await page.getByLabel("New password", { exact: true }).fill("lichter-fluss-93");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByLabel("Password you have now")).toHaveAccessibleDescription(/not your password/);
  await page.getByLabel("Password you have now").fill(password);
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByText("Your password is changed.")).toBeVisible();
  await expect(other.getByRole("heading", { name: "Log in" })).toBeVisible();
});

test("all one's data is exported and downloaded", async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "Kept", body: "text" });
  const page = await enter(ann, "/account/data");
  await page.getByRole("button", { name: "Make an export" }).click();
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: /^Download the export/ }).click();
  const zip = await readFile(await (await download).path());
  expect(zip.subarray(0, 2).toString()).toBe("PK");
  expect((await download).suggestedFilename()).toMatch(/^trellis-export-.*\.zip$/);
});

test("an account is to be deleted, and kept after all", async ({ enter }) => {
  const page = await enter(await signUp(), "/account/data");
  await page.getByRole("button", { name: "Delete the account…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Your password", { exact: true }).fill(password);
  await dialog.getByLabel("To confirm, type: delete").fill("no");
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await expect(dialog.getByLabel("To confirm, type: delete")).toHaveAttribute("aria-invalid", "true");
  await dialog.getByLabel("To confirm, type: delete").fill("delete");
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await expect(page.getByRole("heading", { name: "Your account is going to be deleted" })).toBeVisible();
  const receipt = await page.getByLabel("Your receipt", { exact: true }).inputValue();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Keep my account" }).click();
  await expect(page.getByText("Your account stays.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Keep my account" })).toBeHidden();
  await page.goto(receipt);
  await expect(page.getByText("The account was kept")).toBeVisible();
});
