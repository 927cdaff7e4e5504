// Bundles the rooms into dist/. `--watch` rebuilds on change; `--release` minifies and leaves source maps out.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const watch = process.argv.includes("--watch");
const release = process.argv.includes("--release");
const { version } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));

/** In CommonJS there is no `import.meta.url`; workers are found beside the bundle by it. */
const metaUrl = {
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { "import.meta.url": "importMetaUrl", OFFCUT_VERSION: JSON.stringify(version) },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node22",
  minify: release,
  sourcemap: release ? false : "linked",
  legalComments: "none",
  // jsonc-parser's "main" is UMD, whose inner requires no bundler can follow.
  mainFields: ["module", "main"],
  logLevel: "warning",
};

const commonjs = { ...common, format: "cjs", ...metaUrl, outExtension: { ".js": ".cjs" }, outdir: "dist" };

const builds = [
  { ...commonjs, entryPoints: { client: "client/extension.ts" }, external: ["vscode"] },
  { ...commonjs, entryPoints: { server: "server/main.ts", walkWorker: "core/scan/walkWorker.ts" } },
  // Its own bundle, because it holds a TypeScript compiler that nothing else should load.
  { ...commonjs, entryPoints: { analysis: "server/analysis/worker.ts" } },
  { ...commonjs, entryPoints: { cli: "cli/main.ts" }, banner: { js: `#!/usr/bin/env node\n${metaUrl.banner.js}` } },
  { ...commonjs, entryPoints: { runtime: "runtime/index.ts" } },
  {
    ...common,
    entryPoints: { runtime: "runtime/index.ts" },
    format: "esm",
    outExtension: { ".js": ".mjs" },
    outdir: "dist",
    define: { OFFCUT_VERSION: JSON.stringify(version) },
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  },
].filter((one) => fs.existsSync(path.join(root, Object.values(one.entryPoints)[0])));

if (watch) {
  const contexts = await Promise.all(builds.map((options) => context({ ...options, logLevel: "info" })));
  await Promise.all(contexts.map((one) => one.watch()));
  console.log("watching for changes");
} else {
  fs.rmSync(path.join(root, "dist"), { recursive: true, force: true });
  await Promise.all(builds.map((options) => build(options)));
  fs.chmodSync(path.join(root, "dist/cli.cjs"), 0o755);
  const tsc = path.join(root, "node_modules/.bin/tsc");
  execFileSync(tsc, ["-p", path.join(root, "tsconfig.runtime.json")], { stdio: "inherit", shell: process.platform === "win32" });
}
