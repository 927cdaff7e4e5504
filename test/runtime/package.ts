/** The runtime library as a pipeline installs it: bundled for release, in a `node_modules` of its own. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { runtimeBuilds } from "../../scripts/runtimeBuilds.mjs";

/** Writes `node_modules/offcut` into `directory` and returns where its bundles are. */
export async function installRuntime(directory: string): Promise<string> {
  const home = join(directory, "node_modules/offcut");
  const outdir = join(home, "dist");
  mkdirSync(outdir, { recursive: true });
  const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { exports: unknown };
  writeFileSync(
    join(home, "package.json"),
    JSON.stringify({ name: "offcut", version: "0.0.0", type: "module", sideEffects: false, exports }),
  );
  await Promise.all(runtimeBuilds({ release: true, outdir }).map((options) => build(options)));
  return outdir;
}
