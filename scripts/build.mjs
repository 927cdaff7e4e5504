// Bundles the rooms into dist/. `--watch` rebuilds on change; `--release` minifies and leaves source maps out.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";
import { bundleOptions, metaUrl } from "./bundleOptions.mjs";
import { writeDeclarations } from "./declarations.mjs";
import { runtimeBuilds } from "./runtimeBuilds.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const watch = process.argv.includes("--watch");
const release = process.argv.includes("--release");
const { commonjs } = bundleOptions({ release, outdir: "dist" });

/** What needs the TypeScript compiler: one bundle of its own, loaded by whoever analyses and by nobody else. */
const ENGINE = ["core/analysis/analysis.ts", "core/analysis/typescript/commentAbove.ts"];
const engineApart = {
  name: "engine-apart",
  setup({ onResolve }) {
    onResolve({ filter: /\/(?:analysis|commentAbove)\.ts$/ }, ({ path: name, resolveDir }) => {
      const file = path.relative(root, path.resolve(resolveDir, name)).split(path.sep).join("/");
      return ENGINE.includes(file) ? { path: "./engine.cjs", external: true } : undefined;
    });
  },
};
/** The language of the texts is set once for a process, so bundles that share one share this, too. */
const wordsApart = {
  name: "words-apart",
  setup: ({ onResolve }) => onResolve({ filter: /^@vscode\/l10n$/ }, () => ({ path: "./words.cjs", external: true })),
};
/** What talks to remote storages: a bundle for each vendor's libraries, loaded when the first of its addresses turns up. */
const REMOTE = {
  "core/remote/s3.ts": "remoteS3",
  "core/remote/azure.ts": "remoteAzure",
  "core/remote/azureIdentity.ts": "remoteAzureIdentity",
  "core/remote/google.ts": "remoteGoogle",
};
const remoteApart = {
  name: "remote-apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/\w+\.ts$/ }, ({ path: name, resolveDir, kind }) => {
      const bundled = REMOTE[path.relative(root, path.resolve(resolveDir, name)).split(path.sep).join("/")];
      return kind === "dynamic-import" && bundled ? { path: `./${bundled}.cjs`, external: true } : undefined;
    });
  },
};
/** Azure's library carries a program of 80 KB that computes checksums of what is uploaded; here nothing is. */
const uploadsOmitted = {
  name: "uploads-omitted",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]storage-common[\\/].*[\\/]crc64\.js$/ }, () => ({
      contents: 'export default () => Promise.reject(new Error("nothing is uploaded"));',
    }));
  },
};
const bundle = (name, modules) => ({
  ...commonjs,
  outdir: undefined,
  outfile: `dist/${name}.cjs`,
  stdin: { contents: modules.map((module) => `export * from ${JSON.stringify(module)};`).join("\n"), resolveDir: root, sourcefile: "" },
});

const builds = [
  { ...commonjs, entryPoints: { client: "client/extension.ts" }, external: ["vscode"] },
  { ...commonjs, entryPoints: { server: "server/main.ts", walkWorker: "core/scan/walkWorker.ts" }, plugins: [remoteApart] },
  { ...commonjs, entryPoints: { analysis: "server/analysis/worker.ts" }, plugins: [engineApart, wordsApart] },
  {
    ...bundle(
      "engine",
      ENGINE.map((file) => `./${file}`),
    ),
    plugins: [wordsApart],
  },
  bundle("words", ["@vscode/l10n"]),
  {
    ...commonjs,
    entryPoints: { cli: "cli/main.ts" },
    plugins: [engineApart, wordsApart, remoteApart],
    banner: { js: `#!/usr/bin/env node\n${metaUrl.banner.js}` },
  },
  {
    ...commonjs,
    entryPoints: Object.fromEntries(Object.entries(REMOTE).map(([file, name]) => [name, file])),
    plugins: [remoteApart, uploadsOmitted],
    // Loaded only where there are no web streams, which Node has had since 18.
    external: ["web-streams-polyfill"],
  },
  ...runtimeBuilds({ release, outdir: "dist", remoteApart }),
];

if (watch) {
  const contexts = await Promise.all(builds.map((options) => context({ ...options, logLevel: "info" })));
  await Promise.all(contexts.map((one) => one.watch()));
  console.log("watching for changes");
} else {
  fs.rmSync(path.join(root, "dist"), { recursive: true, force: true });
  for (const { metafile } of await Promise.all(builds.map((options) => build({ ...options, metafile: true })))) checkRemoteApart(metafile);
  fs.chmodSync(path.join(root, "dist/cli.cjs"), 0o755);
  writeDeclarations(path.join(root, "dist/types"));
}

/** Invariant: the libraries of the vendors are in their own bundles only, whatever imports what. */
function checkRemoteApart({ outputs }) {
  for (const [name, { inputs }] of Object.entries(outputs)) {
    const library = Object.keys(inputs).find((file) => /node_modules\/(?:@aws-sdk|@smithy|@azure|google-auth-library)\//.test(file));
    if (library && !/^dist\/remote\w+\.cjs/.test(name))
      throw new Error(`${name} contains ${library}: load it by a dynamic import of core/remote.`);
  }
}
