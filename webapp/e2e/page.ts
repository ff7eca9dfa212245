import { expect, type Page } from "@playwright/test";

// What tests do on a page, as people do it.

export const note = (page: Page) => page.getByRole("article");
export const title = (page: Page) => note(page).getByRole("textbox", { name: "Title" });
export const body = (page: Page) => note(page).getByRole("textbox", { name: "Text of the note" });
/** A note's row in the list. */
export const row = (page: Page, name: string) => page.getByRole("listitem").filter({ has: page.locator("[data-id]") }).filter({ hasText: name });
export const newNote = (page: Page) => page.getByRole("button", { name: "New note" }).filter({ visible: true }).first();

/** Waits for the editor that takes the place of the plain field. */
export async function ready(page: Page): Promise<void> {
  await expect(note(page).locator(".cm-content")).toBeVisible();
}

/** Makes a note and types it. */
export async function write(page: Page, called: string, text = ""): Promise<void> {
  await newNote(page).click();
  await expect(title(page)).toBeFocused();
  await page.keyboard.type(called);
  if (!text) return;
  await page.keyboard.press("Enter");
  await expect(body(page)).toBeFocused();
  await page.keyboard.type(text);
}

/** Puts the cursor at the end of the note's text and types. */
export async function append(page: Page, text: string): Promise<void> {
  await ready(page);
  await body(page).focus();
  await page.keyboard.press("ControlOrMeta+End");
  await page.keyboard.type(text);
}

/** Waits until the note says so of itself; it is there twice when it is read out. */
export async function says(page: Page, state: "Saved" | "Kept on this device" | "Conflict"): Promise<void> {
  await expect(note(page).getByText(state, { exact: true }).first()).toBeVisible();
}

export const saved = (page: Page) => says(page, "Saved");

/** Leaves the note for its list, where they are not beside each other. */
export async function back(page: Page): Promise<void> {
  const button = note(page).getByRole("button", { name: "Back" });
  if (await button.isVisible()) await button.click();
}

/** Chooses in the note's menu. */
export async function more(page: Page, item: string): Promise<void> {
  await note(page).getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

/** Goes to one of the lists, by the sidebar or, on a phone, the drawer. */
export async function go(page: Page, to: string): Promise<void> {
  const lists = page.getByRole("navigation", { name: "Lists" });
  if (await lists.isHidden()) {
    await back(page);
    await page.getByRole("button", { name: "Menu", exact: true }).click();
  }
  await lists.getByRole("link", { name: to }).click();
}

/** Whether something the pages do has been sent, and answered, by the server. */
export const sent = (page: Page, method: string) =>
  page.waitForResponse((r) => r.request().method() === method && r.url().includes("/v1/notes") && r.ok());

/** All that the page has in its databases. */
export const onDisk = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    const found: unknown[] = [];
    for (const { name = "" } of await indexedDB.databases()) {
      const db = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      for (const store of db.objectStoreNames) {
        const all = db.transaction(store).objectStore(store).getAll();
        found.push(await new Promise((resolve) => (all.onsuccess = () => resolve(all.result))));
      }
      db.close();
    }
    return JSON.stringify(found);
  });
