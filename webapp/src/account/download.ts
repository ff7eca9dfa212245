import { problemOf, Unreachable } from "@/api/problem";
import { authorized } from "@/api/session";

/** Downloads what needs a token, which a link cannot have, and tells how much is there, from 0 to 1. */
export async function download(path: string, name: string, onProgress: (share: number) => void): Promise<void> {
  const response = await authorized(new Request(path));
  if (!response.ok || !response.body) throw await problemOf(response);
  const whole = Number(response.headers.get("Content-Length"));
  let there = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        there += chunk.byteLength;
        if (whole > 0) onProgress(there / whole);
        controller.enqueue(chunk);
      },
    }),
  );
  const blob = await new Response(counted, { headers: { "Content-Type": "application/zip" } }).blob().catch((err: unknown) => {
    throw new Unreachable(String(err));
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads it after this returns.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
