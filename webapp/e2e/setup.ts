import { start } from "./system";

/** One system for all tests; each has users of its own in it. */
export default async function setup() {
  const system = await start();
  process.env.TRELLIS_E2E_URL = system.url;
  process.env.TRELLIS_E2E_MAIL = system.mail;
  return () => system.stop();
}
