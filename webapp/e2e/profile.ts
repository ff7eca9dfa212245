import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { chromium, type Page, test } from "@playwright/test";

/** A browser's folder, which a browser may take up again after the one before was killed. */
export async function profile() {
  const folder = await mkdtemp(join(tmpdir(), "trellis-profile-"));
  const killed: (() => Promise<void>)[] = [];
  return {
    /** Starts a browser on the folder: its first page, and what kills it as a crash would. */
    async open(): Promise<{ page: Page; kill: () => Promise<void> }> {
      const { executablePath = "", args = [] } = test.info().project.use.launchOptions ?? {};
      const own = ["--headless", "--remote-debugging-port=0", `--user-data-dir=${folder}`, "--window-size=1280,800"];
      const child = spawn(executablePath, [...args, ...own, "about:blank"], {
        stdio: ["ignore", "ignore", "pipe"],
        detached: true, // a group of its own, with all of the browser's processes
      });
      const kill = async () => {
        if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
        const gone = once(child, "exit");
        process.kill(-child.pid, "SIGKILL");
        await gone;
      };
      killed.push(kill);
      const browser = await chromium.connectOverCDP(await endpoint(child.stderr));
      const [page] = browser.contexts()[0]?.pages() ?? [];
      if (!page) throw new Error("a browser without a page");
      return { page, kill };
    },
    /** Whether the browser has written a text of its localStorage to the folder, which it does some seconds later. */
    async keeps(text: string): Promise<boolean> {
      const storage = join(folder, "Default", "Local Storage", "leveldb");
      const logs = (await readdir(storage)).filter((name) => name.endsWith(".log"));
      const files = await Promise.all(logs.map((name) => readFile(join(storage, name), "latin1")));
      return files.some((file) => file.includes(text));
    },
    async remove(): Promise<void> {
      for (const kill of killed) await kill();
      await rm(folder, { recursive: true, maxRetries: 5 });
    },
  };
}

/** Where a browser says that it can be reached. */
function endpoint(stderr: Readable): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    stderr.on("data", (chunk) => {
      said += String(chunk);
      const found = /DevTools listening on (\S+)/.exec(said)?.[1];
      if (found) resolve(found);
    });
    stderr.on("end", () => reject(new Error("the browser ended: " + said)));
  });
}
