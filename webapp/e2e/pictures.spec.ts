import { join } from "node:path";
import { expect, signUp, test, verify } from "./fixtures";
import { ready } from "./page";

// The README's pictures: npm run pictures. They are taken of the real system, with notes as people have them.

const folder = process.env.PICTURES ?? "";

const weekend = `# Weekend in Gdańsk

Two days, *not too much* planned. Ola has the [timetable](https://example.org/trains).

- [x] Book the train
- [x] Find somewhere to stay near the river
- [ ] Pack: the long coat, good shoes
- [ ] Ask Marek about **the boat**

## Where to eat

> The place behind the old mill, they bake their own bread.

1. Breakfast by the market
2. Pierogi, if it rains
`;

const notes = [
  { title: "Bread, second try", body: "72 % hydration, 20 g of salt. *Longer* in the fridge this time.", tags: ["kitchen"] },
  { title: "Books to give back", body: "- The Left Hand of Darkness\n- A Pattern Language", tags: ["home"] },
  { title: "What the doctor said", body: "Walk more, sit less. Come back in **March**.", tags: ["health"] },
  { title: "Talk on event sourcing", body: "Begin with the ledger. People know ledgers.", tags: ["work", "ideas"] },
  { title: "Seeds for spring", body: "Peas, broad beans, the yellow tomatoes from Ewa.", tags: ["garden"], pinned: true },
  { title: "Flat: what is broken", body: "1. Kitchen tap\n2. The window that sticks\n3. Bell", tags: ["home"] },
  { title: "Birthday ideas for Zosia", body: "A lamp? The watercolours she looked at.", tags: ["ideas"] },
];

test.describe("pictures", () => {
  test.describe.configure({ mode: "serial" });

  for (const theme of ["light", "dark"] as const) {
    for (const [name, viewport] of [["desktop", { width: 1280, height: 800 }], ["phone", { width: 390, height: 844 }]] as const) {
      test(`${theme}, ${name}`, async ({ enter, browser }) => {
        const ann = await signUp("Anna Nowak");
        await verify(ann);
        for (const note of notes) await ann.call("POST", "/v1/notes", note);
        const { id } = await ann.call<{ id: string }>("POST", "/v1/notes", {
          title: "Weekend", body: weekend, tags: ["travel", "ideas"], pinned: true,
        });
        const phone = name === "phone";
        const page = await enter(ann, "/notes", { viewport, colorScheme: theme, deviceScaleFactor: 1, hasTouch: phone, isMobile: phone });
        const shot = (called: string) =>
          page.screenshot({ path: join(folder, `${called}-${theme}-${name}.png`), animations: "disabled", caret: "hide" });

        await expect(page.getByText("Seeds for spring")).toBeVisible();
        if (!phone) {
          await page.goto("/notes/" + id);
          await ready(page);
        }
        await shot("notes");
        await page.goto("/notes/" + id);
        await ready(page);
        await shot("note");
        await page.goto("/notes?q=the");
        await expect(page.locator("mark").first()).toBeVisible();
        await shot("search");
        await page.goto("/inbox");
        await expect(page.getByRole("heading", { name: "Inbox" })).toBeVisible();
        await page.waitForLoadState("networkidle");
        await shot("inbox");
        await page.goto("/account/preferences");
        await expect(page.getByRole("heading", { name: "Preferences" }).first()).toBeVisible();
        await page.waitForLoadState("networkidle");
        await shot("preferences");

        const out = await browser.newContext({ viewport, colorScheme: theme });
        const login = await out.newPage();
        await login.goto("/login");
        await expect(login.getByRole("button", { name: /log in/i })).toBeVisible();
        await login.screenshot({ path: join(folder, `login-${theme}-${name}.png`), animations: "disabled", caret: "hide" });
      });
    }
  }
});
