import type { Browser } from "@playwright/test";
import { device, expect, type Page, type Person, signUp, test } from "./fixtures";
import { row } from "./page";

// What a visit costs. Bytes are checked; times are told, for they are the machine's as much as the page's.

test.describe.configure({ mode: "serial" });

interface Visit {
  /** From the start of navigation to the first keystroke that the page took, in milliseconds: on the first visit, and on the next. */
  took: number;
  again: number;
  /** Bytes of JavaScript, as they come over the wire, that the field needed to be there, and with what the page asked for then. */
  until: number;
  all: number;
}

/** Visits a path on a device that has nothing of the page, and types; and once more on the same device. */
async function visit(browser: Browser, person: Person | undefined, path: string, field: string): Promise<Visit> {
  const context = person ? await device(browser, person) : await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript((field) => {
    addEventListener("input", () => (window.typed ??= performance.now()));
    const look = new MutationObserver(() => {
      const found = document.querySelector<HTMLElement>(field);
      if (!found) return;
      window.shown = performance.now();
      look.disconnect();
      found.focus();
    });
    look.observe(document, { childList: true, subtree: true });
  }, field);
  const took = await type(page, path, field);
  await page.waitForLoadState("networkidle");
  const bytes = await page.evaluate(() => {
    const scripts = (performance.getEntriesByType("resource") as PerformanceResourceTiming[]).filter((r) =>
      new URL(r.name).pathname.endsWith(".js"),
    );
    const sum = (list: PerformanceResourceTiming[]) => list.reduce((n, r) => n + r.encodedBodySize, 0);
    const shown = window.shown ?? 0;
    return { until: sum(scripts.filter((r) => r.startTime < shown)), all: sum(scripts) };
  });
  if (person) await page.waitForFunction(() => navigator.serviceWorker.ready.then(() => true));
  await page.goto("about:blank");
  const again = await type(page, path, field);
  await context.close();
  return { took, again, ...bytes };
}

/** Goes to a path and types into its field as soon as that has the focus; how long after the start that was taken, in ms. */
async function type(page: Page, path: string, field: string): Promise<number> {
  await page.goto(new URL(path, process.env.TRELLIS_E2E_URL).href, { waitUntil: "commit" });
  await page.waitForFunction((field) => document.activeElement?.matches(field), field, { polling: "raf" });
  await page.keyboard.press("x");
  await page.waitForFunction(() => window.typed !== undefined);
  return page.evaluate(() => window.typed ?? 0);
}

declare global {
  interface Window {
    /** When the field was there. */
    shown?: number;
    /** When the page first took a keystroke. */
    typed?: number;
  }
}

// A note takes keystrokes in a plain field while its editor is on its way, which is as much again: that is told, too.
for (const { name, path, field, signedIn, most } of [
  { name: "the login page", path: "/login", field: "form input", signedIn: false, most: 150_000 },
  { name: "the list of notes", path: "/notes", field: "input[type=search]", signedIn: true, most: 150_000 },
  { name: "a note", path: "/notes/ID", field: "article [aria-label='Text of the note']", signedIn: true, most: 300_000 },
]) {
  test(`JavaScript until one can type: ${name}`, async ({ browser }) => {
    const ann = signedIn ? await signUp() : undefined;
    const made = await ann?.call<{ id: string }>("POST", "/v1/notes", { title: "Seeds", body: "peas, beans" });
    const visits: Visit[] = [];
    for (let i = 0; i < 5; i++) visits.push(await visit(browser, ann, path.replace("ID", made?.id ?? ""), field));
    const middle = (of: (v: Visit) => number) => visits.map(of).sort((a, b) => a - b)[2] ?? 0;
    const times = (of: (v: Visit) => number) => visits.map((v) => Math.round(of(v))).join(", ");
    console.log(
      `${name}: ${kb(middle((v) => v.until))} of JavaScript to be typed in, ${kb(middle((v) => v.all))} with what follows;` +
        ` first keystroke after ${Math.round(middle((v) => v.took))} ms (${times((v) => v.took)}; budget 500),` +
        ` on the next visit after ${Math.round(middle((v) => v.again))} ms (${times((v) => v.again)})`,
    );
    for (const { until } of visits) expect(until).toBeLessThan(most);
  });
}

const kb = (bytes: number) => (bytes / 1000).toFixed(1) + " KB";

test("a list of 5,000 notes has few rows in the page, and scrolls", async ({ enter }) => {
  const ann = await signUp();
  await ann.call("POST", "/v1/notes", { title: "The first", body: "" });
  const page = await enter(ann);
  await expect(row(page, "The first")).toBeVisible();
  await expect(page.getByRole("button", { name: "All saved" })).toBeVisible();
  const many = 5_000;
  // On the device, as if they had come from the server: making them there would take minutes.
  await page.evaluate(async (many) => {
    const { id: user } = JSON.parse(localStorage.getItem("trellis.user") ?? "{}") as { id: string };
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const asked = indexedDB.open("trellis-" + user);
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
    const tx = db.transaction("notes", "readwrite");
    const first = await new Promise<{ base: object }>((resolve) => {
      const asked = tx.objectStore("notes").getAll();
      asked.onsuccess = () => resolve(asked.result[0]);
    });
    for (let i = 0; i < many; i++) {
      const id = `01900000-0000-7000-8000-${String(i).padStart(12, "0")}`;
      const at = new Date(Date.UTC(2025, 0, 1) + i * 60_000).toISOString();
      const body = "Some words of a note, **as people write them**, to have a line or two in the list. ".repeat(4);
      const note = { ...first.base, id, title: `Note ${i}`, body, tags: ["garden", "home"], created_at: at, updated_at: at };
      tx.objectStore("notes").put({ ...first, id, base: note });
    }
    await new Promise((resolve) => (tx.oncomplete = resolve));
    db.close();
  }, many);
  await page.reload();
  await expect(row(page, `Note ${many - 1}`)).toBeVisible();

  await page.mouse.move(400, 500);
  await page.evaluate(() => {
    window.frames_ = [];
    const frame = (at: number) => {
      window.frames_.push(at);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  for (let i = 0; i < 60; i++) await page.mouse.wheel(0, 1200);
  await expect(row(page, `Note ${many - 1}`)).toHaveCount(0);
  const gaps = await page.evaluate(() => window.frames_.slice(1).map((at, i) => at - (window.frames_[i] ?? at)).sort((a, b) => a - b));
  await expect(page.locator("[data-id]").first()).toBeVisible();
  const rows = await page.locator("[data-id]").count();
  const part = (share: number) => (gaps[Math.floor(gaps.length * share)] ?? 0).toFixed(1);
  console.log(`5,000 notes: ${rows} rows in the page; ${gaps.length} frames while scrolling, median ${part(0.5)} ms, 95 % within ${part(0.95)} ms, longest ${part(0.999)} ms`);
  expect(rows).toBeGreaterThan(5);
  expect(rows).toBeLessThan(100);
});

declare global {
  interface Window {
    frames_: number[];
  }
}
