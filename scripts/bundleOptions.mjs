// What all bundles share.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const { version } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));

/** In CommonJS there is no `import.meta.url`; workers are found beside the bundle by it. */
export const metaUrl = {
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { "import.meta.url": "importMetaUrl", OFFCUT_VERSION: JSON.stringify(version) },
};

/** `release` minifies and leaves source maps out. */
export function bundleOptions({ release, outdir }) {
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
    define: { OFFCUT_VERSION: JSON.stringify(version) },
  };
  return { common, commonjs: { ...common, format: "cjs", ...metaUrl, outExtension: { ".js": ".cjs" }, outdir } };
}
