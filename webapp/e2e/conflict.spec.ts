import { expect, type Page, signUp, test } from "./fixtures";
import { body, note, ready, saved, says } from "./page";

/** Two devices of one user, with a note open on both and the second one cut off. */
async function apart(enter: (person: Awaited<ReturnType<typeof signUp>>, path: string) => Promise<Page>, text: string) {
  const ann = await signUp();
  const { id } = await ann.call<{ id: string }>("POST", "/v1/notes", { title: "Menu", body: text });
  const [here, there] = [await enter(ann, "/notes/" + id), await enter(ann, "/notes/" + id)];
  await Promise.all([ready(here), ready(there)]);
  await here.context().setOffline(true);
  await expect(here.getByRole("button", { name: "Offline" })).toBeVisible();
  const stored = async () => (await ann.call<{ body: string }>("GET", "/v1/notes/" + id)).body;
  return { here, there, stored };
}

async function at(page: Page, where: "Home" | "End", text: string) {
  await body(page).focus();
  await page.keyboard.press("ControlOrMeta+" + where);
  await page.keyboard.type(text);
}

test("changes in different places become one text, and nobody is asked", async ({ enter }) => {
  const { here, there, stored } = await apart(enter, "soup\nfish\ncake");
  await at(here, "End", " and tea");
  await at(there, "Home", "warm ");
  await saved(there);
  await here.context().setOffline(false);
  await expect(body(here)).toHaveText(/warm soup\s*fish\s*cake and tea/);
  await expect(body(there)).toHaveText(/warm soup\s*fish\s*cake and tea/);
  await saved(here);
  expect(await stored()).toBe("warm soup\nfish\ncake and tea");
});

for (const { button, text } of [
  { button: "Keep mine", text: "soup of beans" },
  { button: "Take theirs", text: "soup of peas" },
  { button: "Use both in one", text: "soup of beans and peas" },
]) {
  test(`changes in one place are shown side by side: ${button}`, async ({ enter }) => {
    const { here, there, stored } = await apart(enter, "soup");
    await at(here, "End", " of beans");
    await at(there, "End", " of peas");
    await saved(there);
    await here.context().setOffline(false);
    await expect(here.getByText("This note was changed in two places at once.")).toBeVisible();
    await says(here, "Conflict");
    await expect(body(here)).toHaveText("soup of beans"); // one can go on writing

    await note(here).getByRole("button", { name: "Compare" }).click();
    const dialog = here.getByRole("dialog");
    await expect(dialog.getByRole("region", { name: "Both texts" })).toContainText("beans");
    await expect(dialog.getByRole("region", { name: "Both texts" })).toContainText("peas");
    if (button === "Use both in one") await dialog.getByLabel("Text of the note").fill(text);
    await dialog.getByRole("button", { name: button }).click();
    await expect(dialog).toBeHidden();
    await saved(here);
    await expect(body(here)).toHaveText(text);
    await expect(body(there)).toHaveText(text);
    expect(await stored()).toBe(text);
  });
}
