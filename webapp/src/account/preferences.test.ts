import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { session } from "@/api/session";
import i18n, { start } from "@/i18n";
import { applied, picked, type Tree } from "./merge";
import { defaults, refreshWishes, setWish, startTheme } from "./preferences";

const user = { id: "01a20000-0000-7000-8000-000000000001", email: "ada@example.com", name: "Ada" };

/** The profile service, as far as it matters here. */
class Server {
  account: Tree = {};
  device: Tree = {};
  version = 1;
  timezone = "Europe/Warsaw";
  down = false;
  refuses = false;
  patches: { scope: string | null; body: unknown; match: string | null }[] = [];

  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = input instanceof Request ? input : new Request(new URL(input, location.href), init);
    if (this.down) throw new TypeError("Failed to fetch");
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/v1/auth/login") return Response.json({ access_token: "t", expires_in: 600, user });
    if (pathname === "/v1/profile") {
      return Response.json({ display_name: "Ada L.", avatar_url: "/a", timezone: this.timezone, version: 1 });
    }
    const scope = searchParams.get("scope");
    if (request.method === "PATCH") {
      const body = (await request.json()) as Tree;
      this.patches.push({ scope, body, match: request.headers.get("If-Match") });
      if (this.refuses) return Response.json({ code: "invalid" }, { status: 422 });
      if (scope === "device") this.device = applied(body, this.device);
      else this.account = applied(body, this.account);
      this.version++;
    }
    return Response.json(this.seen(scope));
  };

  seen(scope: string | null) {
    const base = defaults as unknown as Tree;
    const device = scope === "device" ? this.device : {};
    const sources: Record<string, string> = { "/language": "default", "/theme": "default", "/density": "default" };
    picked(this.account, (pointer) => Boolean((sources[pointer] = "account")));
    picked(device, (pointer) => Boolean((sources[pointer] = "device")));
    return { scope, values: applied(device, applied(this.account, base)), sources, version: this.version };
  }
}

let server: Server;
const theme = () => document.documentElement.dataset.theme;

// What the page starts is started once.
vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined }));
await start();
startTheme();

beforeEach(async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 50 });
  server = new Server();
  vi.stubGlobal("fetch", server.fetch);
  localStorage.clear();
  await session.login("ada", "secret");
  await vi.waitFor(() => expect(server.account).toMatchObject({ language: "en" }));
  await refreshWishes();
  server.patches = [];
});

afterEach(() => {
  session.out();
  vi.useRealTimers();
});

describe("a wish", () => {
  test("holds at once, and is saved in one request with those that follow it", async () => {
    const one = setWish({ theme: "dark" });
    expect(theme()).toBe("dark");
    const two = setWish({ editor: { font_size: 18 } });
    expect(await Promise.all([one, two])).toEqual(["saved", "saved"]);
    expect(server.patches).toEqual([{ scope: "account", body: { theme: "dark", editor: { font_size: 18 } }, match: "*" }]);
  });

  test("for this device is over the account's", async () => {
    await setWish({ theme: "light" });
    await setWish({ theme: "dark" }, "device");
    expect([theme(), server.account.theme, server.device.theme]).toEqual(["dark", "light", "dark"]);
    await setWish({ theme: null }, "device");
    expect([theme(), server.device]).toEqual(["light", {}]);
  });

  test("waits where the server can't be reached, and goes out when it can", async () => {
    server.down = true;
    expect(await setWish({ theme: "dark" })).toBe("kept");
    expect(theme()).toBe("dark");
    server.down = false;
    dispatchEvent(new Event("online"));
    await vi.waitFor(() => expect(server.account.theme).toBe("dark"));
  });

  test("goes out some time later even if nothing tells that the server is back", async () => {
    server.down = true;
    await setWish({ theme: "dark" });
    server.down = false;
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => expect(server.account.theme).toBe("dark"));
  });

  test("is undone where the server refuses it", async () => {
    server.refuses = true;
    const refused = setWish({ theme: "dark" });
    expect(theme()).toBe("dark");
    await expect(refused).rejects.toMatchObject({ status: 422 });
    expect(theme()).toBe("light");
  });
});

describe("the device", () => {
  test("follows what was wished elsewhere", async () => {
    server.account = { ...server.account, theme: "dark", language: "pl" };
    server.version++;
    dispatchEvent(new CustomEvent("trellis:profile"));
    await vi.waitFor(() => expect([theme(), i18n.language]).toEqual(["dark", "pl"]));
    await setWish({ language: "en" });
    await vi.waitFor(() => expect(i18n.language).toBe("en"));
  });

  test("follows what another tab wished", () => {
    const key = "trellis.wishes." + user.id;
    const kept = JSON.parse(localStorage.getItem(key) ?? "") as { pending: unknown };
    localStorage.setItem(key, JSON.stringify({ ...kept, pending: { account: { theme: "dark" }, device: {} } }));
    dispatchEvent(new StorageEvent("storage", { key }));
    expect(theme()).toBe("dark");
  });

  test("keeps looking as it did when nobody is logged in", async () => {
    await setWish({ theme: "dark" });
    session.out();
    expect(theme()).toBe("dark");
  });

  test("keeps one user's wishes from another", async () => {
    server.down = true;
    await setWish({ theme: "dark" });
    session.out();
    server.down = false;
    const other = new Server();
    vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
      if (String(input) !== "/v1/auth/login") return other.fetch(input, init);
      return Response.json({ access_token: "u", expires_in: 600, user: { ...user, id: "01a20000-0000-7000-8000-000000000002" } });
    });
    await session.login("eve", "secret");
    await vi.waitFor(() => expect(other.account).toMatchObject({ language: "en" }));
    expect(other.account.theme).toBeUndefined();
    expect(server.account.theme).toBeUndefined();
  });
});
