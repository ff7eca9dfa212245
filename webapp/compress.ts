import { readdir, readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import type { Plugin } from "vite";

const compressible = /\.(css|js|json|svg|txt|webmanifest)$/;

/** Writes a .br and a .gz beside each file that they make smaller, and the file by which git keeps the folder. */
export function compress(): Plugin {
  let folder = "";
  return {
    name: "compress",
    apply: "build",
    enforce: "post",
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
    },
    closeBundle: {
      order: "post",
      sequential: true, // behind the service worker's, which is written then too
      async handler() {
        const files = await readdir(folder, { recursive: true });
        await Promise.all(files.filter((name) => compressible.test(name)).map((name) => shrink(resolve(folder, name))));
        await writeFile(resolve(folder, ".gitkeep"), "");
      },
    },
  };
}

async function shrink(file: string) {
  const text = await readFile(file);
  const smaller = async (ending: string, packed: Promise<Buffer>) => {
    const bytes = await packed;
    if (bytes.length < text.length) await writeFile(file + ending, bytes);
  };
  await smaller(".br", promisify(brotliCompress)(text));
  await smaller(".gz", promisify(gzip)(text, { level: 9 }));
}
