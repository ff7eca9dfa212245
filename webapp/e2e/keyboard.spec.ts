import { device, expect, type Page, password, signUp, test } from "./fixtures";
import { body, note, ready, row, saved, title } from "./page";

/** Presses Tab until something has the focus, and looks that each stop on the way shows it. */
async function tabTo(page: Page, name: string | RegExp, role: "button" | "link" | "textbox") {
  const wanted = page.getByRole(role, { name }).filter({ visible: true }).first();
  await expect(wanted).toBeVisible();
  for (let stops = 0; stops < 40; stops++) {
    if (await wanted.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press("Tab");
    const shown = await page.evaluate(() => {
      const { activeElement: at } = document;
      if (!at || at === document.body) return true;
      const { outlineStyle, outlineWidth } = getComputedStyle(at);
      return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || at.outerHTML.slice(0, 300);
    });
    expect(shown).toBe(true);
  }
  throw new Error(`Tab does not come to ${String(name)}`);
}

test("all is done without a mouse, from the login to the trash", async ({ page }) => {
  const ann = await signUp();
  await page.goto("/login");
  await expect(page.getByLabel("Email or username")).toBeFocused();
  await page.keyboard.type(ann.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Write your first note" })).toBeVisible();

  for (const called of ["Apples", "Pears"]) {
    await expect(page.getByRole("heading", { name: "Notes", level: 1 })).toBeVisible();
    await page.keyboard.press("c");
    await expect(title(page)).toBeFocused();
    await page.keyboard.type(called);
    await page.keyboard.press("Enter");
    await expect(body(page)).toBeFocused();
    await page.keyboard.type("are crisp");
    await saved(page);
    await ready(page);
    await page.keyboard.press("Escape"); // back to the list, with its keys
    await expect(row(page, called).getByRole("link")).toBeFocused();
  }
  await page.keyboard.press("ArrowDown");
  await expect(row(page, "Apples").getByRole("link")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(title(page)).toHaveValue("Apples");
  await page.keyboard.press("p");
  await expect(page.getByRole("list", { name: "Pinned" })).toContainText("Apples");
  await page.keyboard.press("t");
  await expect(note(page).getByRole("combobox", { name: "Add a tag" })).toBeFocused();
  await page.keyboard.type("fruit");
  await page.keyboard.press("Enter");
  await expect(note(page).getByRole("link", { name: "fruit" })).toBeVisible();
  await page.keyboard.press("Control+e");
  await expect(note(page).getByText("are crisp").first()).toBeVisible();
  await page.keyboard.press("Control+e");
  await expect(body(page)).toBeFocused();
  await page.keyboard.press("Escape");

  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("pea");
  await expect(row(page, "Apples")).toHaveCount(0);
  await page.keyboard.press("ArrowDown");
  await expect(row(page, "Pears").getByRole("link")).toBeFocused();
  await page.keyboard.press("Delete");
  await expect(page.getByText("“Pears” is in the trash.")).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("t");
  await expect(page).toHaveURL(/\/trash/);
  await expect(row(page, "Pears")).toBeVisible();
  await tabTo(page, "Undo", "button");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "The trash is empty" })).toBeVisible();
});

/** Opens the palette, as a person does who sees it before they type. */
test("what is typed right after the key for a new note is its title, though that is still on its way", async ({ browser }) => {
  const context = await device(browser, await signUp());
  const page = await context.newPage();
  let release = () => {};
  const typed = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/assets/pane-*.js", (route) => typed.then(() => route.continue()));
  await page.goto("/notes");
  await expect(page.getByRole("heading", { name: "Write your first note" })).toBeVisible();
  await page.keyboard.press("c");
  await page.keyboard.type("Quick cat");
  await page.keyboard.press("Enter");
  await page.keyboard.type("by ?");
  release();
  await expect(title(page)).toHaveValue("Quick cat");
  await expect(body(page)).toHaveText("by ?");
  await saved(page);
  await context.close();
});

async function openPalette(page: Page) {
  await page.keyboard.press("ControlOrMeta+k");
  await expect(page.getByRole("dialog", { name: "Commands and notes" }).getByRole("combobox")).toBeFocused();
}

test("the palette does what is typed, finds notes and gives the focus back", async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "Ångström and łąka", body: "" });
  const page = await enter(ann);
  await expect(row(page, "Ångström")).toBeVisible();
  const palette = page.getByRole("dialog", { name: "Commands and notes" });
  await page.getByRole("searchbox").focus();
  await openPalette(page);
  await page.keyboard.press("ControlOrMeta+k");
  await expect(palette).toBeHidden();
  await expect(page.getByRole("searchbox")).toBeFocused();

  await openPalette(page);
  await palette.getByRole("combobox").fill("laka");
  await expect(palette.getByRole("option", { selected: true })).toHaveText(/Ångström/);
  await page.keyboard.press("Enter");
  await expect(title(page)).toHaveValue("Ångström and łąka");

  await openPalette(page);
  await page.keyboard.type("trash");
  await expect(palette.getByRole("option", { selected: true })).toHaveText(/trash/i);
  await palette.getByRole("option", { name: /Move to the trash/ }).click();
  await expect(palette).toBeHidden();
  await expect(page.getByText("is in the trash.")).toBeVisible();

  await openPalette(page);
  await page.keyboard.type("Bread recipe");
  await palette.getByRole("option", { name: "New note titled “Bread recipe”" }).click();
  await expect(title(page)).toHaveValue("Bread recipe");
  await saved(page);

  await openPalette(page);
  await page.keyboard.type("dark");
  await page.keyboard.press("Enter");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("the sheet of shortcuts lists what there is, and turns single keys off", async ({ enter }) => {
  const page = await enter(await signUp());
  await expect(page.getByRole("heading", { name: "Write your first note" })).toBeVisible();
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await page.keyboard.press("?");
  await expect(sheet.getByRole("term").filter({ hasText: "New note" })).toBeVisible();
  await sheet.getByRole("switch").click();
  await page.keyboard.press("Escape");
  await expect(sheet).toBeHidden();
  await page.keyboard.press("c");
  await page.keyboard.press("?");
  await page.keyboard.press("ControlOrMeta+k"); // which still works, and comes after what the others would have done
  await expect(page.getByRole("dialog", { name: "Commands and notes" })).toBeVisible();
  await expect(page).toHaveURL(/\/notes$/);
  await page.keyboard.type("shortcuts");
  await page.keyboard.press("Enter");
  await sheet.getByRole("switch").click();
  await page.keyboard.press("Escape");
  await expect(sheet).toBeHidden();
  await page.keyboard.press("c");
  await expect(title(page)).toBeFocused();
});

test("dialogs and menus give the focus back to what opened them", async ({ enter }) => {
  const ann = await signUp();
  const { id } = await ann.call<{ id: string }>("POST", "/v1/notes", { title: "Plan", body: "" });
  const page = await enter(ann, "/notes/" + id);
  await ready(page);
  const dialog = page.getByRole("dialog");
  const share = note(page).getByRole("button", { name: /^Share/ });
  await share.focus();
  await page.keyboard.press("Enter");
  await expect(dialog.getByLabel("Email or username")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(share).toBeFocused();

  const more = note(page).getByRole("button", { name: "More", exact: true });
  await more.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Earlier versions" }).focus();
  await page.keyboard.press("Enter");
  await expect(dialog).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(more).toBeFocused();
});
