// The bundles of the runtime library: a light entry as ESM and CommonJS, and the engine that it loads when something is cleaned.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundleOptions } from "./bundleOptions.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** A library for pipelines speaks English, so all that is left of localisation is filling in. */
const english = {
  name: "english",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@vscode\/l10n$/ }, () => ({ path: "english", namespace: "english", sideEffects: false }));
    onLoad({ filter: /.*/, namespace: "english" }, () => ({
      contents: "export const t = (text, ...values) => text.replace(/\\{(\\d+)\\}/g, (whole, i) => String(values[i] ?? whole));",
    }));
  },
};

/** One engine for both formats, so that there is one of it in a process. */
const engineApart = {
  name: "runtime-engine-apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/engine\.ts$/ }, ({ resolveDir, kind }) =>
      kind === "dynamic-import" && resolveDir === path.join(root, "runtime") ? { path: "./runtimeEngine.cjs", external: true } : undefined,
    );
  },
};

/** What a bundler of the pipeline can see, it takes along. */
const yamlInSight = {
  name: "yaml-in-sight",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\/yaml\.cjs$/ }, ({ path: name }) => ({ path: name, external: true }));
    onLoad({ filter: /[\\/]core[\\/]config[\\/]yaml\.ts$/ }, async ({ path: file }) => {
      const { readFile } = await import("node:fs/promises");
      const text = await readFile(file, "utf8");
      const contents = text.replace("createRequire(import.meta.url)(module)", 'require("./yaml.cjs")');
      if (contents === text) throw new Error(`${file} loads the YAML parser in another way now; see scripts/runtimeBuilds.mjs`);
      return { contents, loader: "ts" };
    });
  },
};

/**
 * Everything that a pipeline installs but the command line: the entry in two formats, the engine, the scan's worker thread and the YAML
 * parser. `remoteApart` is a plugin that keeps the vendors' libraries out.
 */
export function runtimeBuilds({ release, outdir, remoteApart }) {
  const { common, commonjs } = bundleOptions({ release, outdir });
  const entry = { entryPoints: { runtime: "runtime/index.ts" }, plugins: [english, engineApart] };
  return [
    { ...commonjs, ...entry },
    { ...common, ...entry, format: "esm", outExtension: { ".js": ".mjs" }, outdir },
    {
      ...commonjs,
      entryPoints: { runtimeEngine: "runtime/engine.ts" },
      plugins: [english, yamlInSight, ...(remoteApart ? [remoteApart] : [])],
    },
    { ...commonjs, entryPoints: { yaml: "yaml" } },
  ];
}
