import { act, renderHook, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { session } from "@/api/session";
import { TestServer, testUser } from "@/live/testserver";
import { forgetPush, keepPush, usePush } from "./push";

let server: TestServer;
/** What the server was told. */
let told: unknown[];
/** The browser's subscription, and what the user says when asked for it. */
let subscribed: { endpoint: string } | undefined;
let permission: NotificationPermission;

beforeEach(async () => {
  localStorage.clear();
  [told, subscribed, permission] = [[], undefined, "default"];
  server = new TestServer();
  await server.start();
  server.answer = (method, url, body) => {
    if (url.pathname === "/v1/push/config") return { status: 200, body: { public_key: "key" } };
    told.push([method, url.pathname.split("/").at(-1), body]);
    return { status: 204 };
  };
  const subscription = () =>
    subscribed && {
      endpoint: subscribed.endpoint,
      toJSON: () => ({ ...subscribed, keys: { p256dh: "p", auth: "a" } }),
      unsubscribe: async () => (subscribed = undefined),
    };
  const pushManager = {
    getSubscription: async () => subscription(),
    subscribe: async () => {
      subscribed = { endpoint: "https://push.example/1" };
      return subscription();
    },
  };
  Object.assign(navigator, { serviceWorker: { getRegistration: async () => ({ pushManager }) } });
  vi.stubGlobal("PushManager", {});
  vi.stubGlobal("Notification", {
    get permission() {
      return permission;
    },
    requestPermission: async () => (permission = permission === "default" ? "granted" : permission),
  });
  await session.login("ada", "a long password");
});

afterEach(() => server.stop());

const keys = { p256dh: "p", auth: "a" };

/** usePush, once it knows. */
async function open() {
  const { result } = renderHook(() => usePush(testUser.id));
  await waitFor(() => expect(result.current.state).toBeDefined());
  return result;
}

test("is turned on and off", async () => {
  const push = await open();
  expect(push.current.state).toBe("off");
  await act(() => push.current.turnOn());
  expect(push.current.state).toBe("on");
  expect(told).toEqual([["PUT", expect.any(String), { endpoint: "https://push.example/1", keys }]]);
  await act(() => push.current.turnOff());
  expect([push.current.state, subscribed]).toEqual(["off", undefined]);
  const [[, id] = []] = told as [string, string][];
  expect(told[1]).toEqual(["DELETE", id, ""]);
});

test("is forbidden where the user says so", async () => {
  permission = "denied";
  const push = await open();
  await act(() => push.current.turnOn());
  expect([push.current.state, told]).toEqual(["denied", []]);
});

test("is not there without a service worker", async () => {
  Object.assign(navigator, { serviceWorker: { getRegistration: async () => undefined } });
  expect((await open()).current.state).toBe("unsupported");
});

test("stays off when the server does not take it", async () => {
  server.answer = () => ({ status: 503, body: { code: "unavailable" } });
  const push = await open();
  await act(() => expect(push.current.turnOn()).rejects.toMatchObject({ status: 503 }));
  expect(push.current.state).toBe("off");
});

test("is renewed under its id when the endpoint has changed, and not else", async () => {
  const push = await open();
  await act(() => push.current.turnOn());
  await keepPush(testUser.id);
  expect(told).toHaveLength(1);
  subscribed = { endpoint: "https://push.example/2" };
  await keepPush(testUser.id);
  const [[, id] = []] = told as [string, string][];
  expect(told[1]).toEqual(["PUT", id, { endpoint: "https://push.example/2", keys }]);
});

test("ends with the session, and only what is the user's", async () => {
  subscribed = { endpoint: "https://push.example/other" };
  await forgetPush(testUser.id);
  expect(subscribed).toBeDefined();
  const push = await open();
  await act(() => push.current.turnOn());
  await forgetPush(testUser.id);
  expect(subscribed).toBeUndefined();
  expect((await open()).current.state).toBe("off");
});
