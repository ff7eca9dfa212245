import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";

/** The whole system in one process, as `make build` builds it. */
const binary = resolve(process.env.TRELLIS_LOCAL ?? "../bin/local");

const addresses = [
  "WEBAPP_ADDR",
  "NOTIFY_MAIL_ADDR",
  "GATEWAY_ADDR",
  "GATEWAY_ADMIN",
  "AUTH_ADDR",
  "NOTES_ADDR",
  "PROFILE_ADDR",
  "NOTIFY_ADDR",
] as const;

export interface System {
  /** Where the page is, and the API behind it. */
  url: string;
  /** Where the mails are that it sends. */
  mail: string;
  /** Ends it as a crash would. */
  crash(): Promise<void>;
  /** Starts it again on what it kept. */
  restart(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** Starts a system of its own, on free ports and an empty folder. */
export async function start(): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "trellis-e2e-"));
  const ports = await freePorts(addresses.length);
  const env: Record<string, string> = {};
  addresses.forEach((name, i) => (env[name] = `127.0.0.1:${ports[i]}`));
  const [url, mail] = [`http://${env.WEBAPP_ADDR}`, `http://${env.NOTIFY_MAIL_ADDR}`];
  env.NOTIFY_WEB_URL = url;

  let child = await run(folder, env, url);
  return {
    url,
    mail,
    crash: () => end(child),
    async restart() {
      child = await run(folder, env, url);
    },
    async stop() {
      await end(child);
      await rm(folder, { recursive: true, maxRetries: 3 });
    },
  };
}

async function run(folder: string, env: Record<string, string>, url: string): Promise<ChildProcess> {
  const log = createWriteStream(join(folder, "log"), { flags: "a" });
  const child = spawn(binary, { cwd: folder, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  let failed = false;
  child.once("error", () => (failed = true));
  const deadline = Date.now() + 30_000;
  while (!(await routes(url))) {
    if (failed || child.exitCode !== null) throw new Error(`${binary} does not run: see ${join(folder, "log")}; make build`);
    if (Date.now() > deadline) throw new Error(`${binary} does not route: see ${join(folder, "log")}`);
    await setTimeout(100);
  }
  return child;
}

/** Whether every service is behind the page: a call without a token is refused by the service, not unknown. */
async function routes(url: string): Promise<boolean> {
  const paths = ["/v1/auth/me", "/v1/notes", "/v1/profile", "/v1/notifications"];
  const answers = await Promise.all(paths.map((path) => fetch(url + path).catch(() => undefined)));
  return answers.every((answer) => answer?.status === 401);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function freePorts(n: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: n }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      if (typeof address !== "object" || !address) throw new Error("a server without a port");
      server.close();
      await once(server, "close");
      return address.port;
    }),
  );
}
