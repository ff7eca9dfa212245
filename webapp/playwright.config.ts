import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { defineConfig } from "@playwright/test";

/** CHROMIUM, or the first that is in PATH. */
function chromium(): string {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not there.
      }
    }
  }
  throw new Error("neither chromium nor google-chrome is in PATH; on Debian: make tools");
}

const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

export default defineConfig({
  testDir: "e2e",
  outputDir: "node_modules/.e2e",
  globalSetup: "./e2e/setup.ts",
  workers: 2,
  fullyParallel: true,
  retries: 0,
  forbidOnly: true,
  // A slow machine is no failure; what never comes is.
  timeout: 90_000,
  expect: { timeout: 15_000 },
  reporter: "list",
  use: {
    locale: "en-GB",
    timezoneId: "Europe/Warsaw",
    actionTimeout: 30_000,
    // A trace costs each page as much again: --trace on where something is to be seen.
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: chromium(),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    // Pictures are taken when they are asked for, and are no test.
    { name: "desktop", use: desktop, testIgnore: process.env.PICTURES ? [] : ["pictures.spec.ts", "budgets.spec.ts"] },
    { name: "phone", use: phone, grep: /@phone/ },
    // Times say something where nothing else runs.
    { name: "budgets", use: desktop, testMatch: "budgets.spec.ts", dependencies: ["desktop", "phone"] },
  ],
});
