import { test as base, type Browser, type BrowserContext, type BrowserContextOptions, expect, type Page } from "@playwright/test";

export { expect };
export type { BrowserContext, Page };

export const password = "kupfer-dach-77";

const origin = () => process.env.TRELLIS_E2E_URL ?? "";

let count = 0;
/** A word that no other test has. */
export const unique = (word: string) => `${word}-${process.pid.toString(36)}-${(++count).toString(36)}`;

/** A user, and what they may do without a page. */
export interface Person {
  email: string;
  name: string;
  /** Calls the API as they; rejects where it answers other than 2xx. */
  call<T = unknown>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T>;
}

async function ask(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}

/** Signs somebody up, without a page. */
export async function signUp(name = "Ann", at = origin()): Promise<Person> {
  const email = unique(name.toLowerCase().replace(/\W+/g, ".")) + "@example.com";
  const response = await ask(at + "/v1/auth/signup", "POST", { email, password, name }, {});
  const { access_token } = (await response.json()) as { access_token: string };
  return {
    email,
    name,
    async call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const all = { Authorization: "Bearer " + access_token, ...headers };
      const answer = await ask(at + path, method, body, all);
      return (answer.status === 204 ? undefined : await answer.json()) as T;
    },
  };
}

interface Mail {
  to: string;
  subject: string;
  text: string;
}

/** The link of the newest mail to somebody that leads to a path, once it has come. */
export async function mailed(email: string, path: string, after = 0): Promise<string> {
  let found = "";
  await expect
    .poll(async () => {
      const response = await fetch(`${process.env.TRELLIS_E2E_MAIL}/messages?to=${encodeURIComponent(email)}`);
      const { messages } = (await response.json()) as { messages: Mail[] };
      const links = messages.flatMap((m) => m.text.match(new RegExp(`${origin()}${path}#token=\\S+`)) ?? []);
      found = links.length > after ? (links[0] ?? "") : "";
      return found;
    })
    .not.toBe("");
  return found;
}

/** Has somebody's address verified, without a page. */
export async function verify(person: Person): Promise<void> {
  const link = await mailed(person.email, "/verify");
  const token = decodeURIComponent(link.split("#token=")[1] ?? "");
  await ask(origin() + "/v1/auth/email/verify", "POST", { token }, {});
}

/** A browser of somebody's: a context that has their session. */
export async function device(browser: Browser, person: Person, options: BrowserContextOptions = {}, at = origin()) {
  const response = await ask(at + "/v1/auth/login", "POST", { login: person.email, password, session: "cookie" }, {});
  const { user } = (await response.json()) as { user: unknown };
  const cookies = response.headers.getSetCookie().map((line) => cookie(line, new URL(at).hostname));
  return browser.newContext({
    baseURL: at,
    storageState: {
      cookies,
      origins: [{ origin: at, localStorage: [{ name: "trellis.user", value: JSON.stringify(user) }] }],
    },
    ...options,
  });
}

function cookie(line: string, domain: string) {
  const [pair = "", ...rest] = line.split(/;\s*/);
  const attributes = new Map(rest.map((a) => [a.split("=")[0]?.toLowerCase() ?? "", a.split("=")[1] ?? ""]));
  const [name = "", value = ""] = pair.split(/=(.*)/);
  return {
    name,
    value,
    domain,
    path: attributes.get("path") ?? "/",
    expires: Date.now() / 1000 + Number(attributes.get("max-age") ?? 3600),
    httpOnly: attributes.has("httponly"),
    secure: attributes.has("secure"),
    sameSite: "Strict" as const,
  };
}

interface Fixtures {
  /** Opens a path on a new device of somebody's. */
  enter: (person: Person, path?: string, options?: BrowserContextOptions) => Promise<Page>;
}

/**
 * Tests against the one system. What goes wrong in a page without being seen,
 * an error that nobody caught or a violation of the policy, fails its test.
 */
export const test = base.extend<Fixtures & { watched: undefined }>({
  baseURL: async ({}, lend) => lend(origin()),
  watched: [
    async ({ browser }, lend) => {
      const wrong: string[] = [];
      const watch = (page: Page) => {
        page.on("pageerror", (err) => wrong.push(String(err.stack ?? err)));
        page.on("console", (message) => {
          if (/Content.Security.Policy|violates the following/i.test(message.text())) wrong.push(message.text());
        });
      };
      const watchAll = (context: BrowserContext) => {
        context.pages().forEach(watch);
        context.on("page", watch);
      };
      browser.contexts().forEach(watchAll);
      browser.on("context", watchAll);
      await lend(undefined);
      browser.off("context", watchAll);
      expect(wrong, "went wrong in a page").toEqual([]);
    },
    { auto: true },
  ],
  enter: async ({ browser }, lend) => {
    const contexts: BrowserContext[] = [];
    await lend(async (person, path = "/notes", options = {}) => {
      const context = await device(browser, person, options);
      contexts.push(context);
      const page = await context.newPage();
      await page.goto(path);
      return page;
    });
    for (const context of contexts) await context.close();
  },
});
