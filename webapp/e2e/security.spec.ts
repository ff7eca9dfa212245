import { expect, signUp, test } from "./fixtures";
import { note, ready } from "./page";

test("the policy lets in the page's own scripts and no inline ones", async ({ request }) => {
  for (const path of ["/login", "/notes", "/sw.js"]) {
    const policy = (await request.get(path, { headers: { Accept: "text/html" } })).headers()["content-security-policy"] ?? "";
    expect(policy, path).toContain("default-src 'none'");
    expect(policy, path).toMatch(/script-src 'self'(;|$)/);
    expect(policy, path).not.toMatch(/unsafe-|\*/);
  }
});

// The fixtures fail a test whose page violates the policy or has an error.
test("Markdown runs nothing and fetches nothing", async ({ enter }) => {
  const ann = await signUp();
  const attack = [
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 2'>",
    "<iframe srcdoc='<script>parent.hurt = 3</script>'></iframe>",
    "<svg onload='window.hurt = 4'></svg>",
    "[click me](javascript:window.hurt=5)",
    "[me too](data:text/html,<script>window.hurt=6</script>)",
    "![picture](https://tracker.example/p.png)",
    "<style>body { display: none }</style>",
  ].join("\n\n");
  const { id } = await ann.call<{ id: string }>("POST", "/v1/notes", { title: "Attack", body: attack });
  const page = await enter(ann, "/notes/" + id);
  const elsewhere: string[] = [];
  page.on("request", (r) => {
    if (!r.url().startsWith(process.env.TRELLIS_E2E_URL ?? "")) elsewhere.push(r.url());
  });
  await ready(page);
  await note(page).getByRole("button", { name: /^Preview/ }).click();
  await expect(note(page).getByText("click me")).toBeVisible();
  for (const text of ["click me", "me too"]) await note(page).getByText(text).click();
  expect(await page.evaluate(() => (window as { hurt?: number }).hurt)).toBeUndefined();
  expect(await note(page).locator("script, iframe, style, svg[onload], [onerror], [href^='javascript'], [href^='data']").count()).toBe(0);
  expect(elsewhere).toEqual([]);
});
