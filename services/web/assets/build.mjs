// Bundles the style sheets and scripts of the pages into assets/dist: hashed names, compressed twins, a manifest.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  outdir: dist,
  target: ["chrome111", "firefox115", "safari16.4"],
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });

const hashed = await build({
  ...shared,
  entryPoints: { app: "src/app.css", script: "src/app.ts", icon: "src/icon.svg" },
  entryNames: "[name]-[hash]",
  format: "iife",
  loader: { ".svg": "copy" },
  metafile: true,
});

// Error pages of every service name this sheet, and they do not know the manifest.
await build({ ...shared, entryPoints: { error: "src/error.css" } });

const manifest = {};
for (const [path, output] of Object.entries(hashed.metafile.outputs)) {
  const logical = { "src/app.css": "app.css", "src/app.ts": "app.js", "src/icon.svg": "icon.svg" }[output.entryPoint];
  if (logical) manifest[logical] = path.replace(/^dist\//, "");
}

for (const name of await readdir(dist)) {
  const bytes = await readFile(join(dist, name));
  await writeFile(join(dist, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  await writeFile(
    join(dist, `${name}.br`),
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }),
  );
}

// Last: its presence says that the build is whole.
await writeFile(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
