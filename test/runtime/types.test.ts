import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Project, ts } from "ts-morph";
import { writeDeclarations } from "../../scripts/declarations.mjs";
import { makeRoot, type Root } from "./world.ts";

const PROGRAM = `
  import { CleanupService, cleanupProjectFiles, ClipStore, type CleanupResult, JobManager, ManifestTracker } from "offcut";
  import type { JobContext, Logger, Manifest } from "offcut";
  const logger: Logger = { info() {}, warn() {}, error() {} };
  export const clips = new ClipStore({ directory: "clips", maxBytes: "1GB", logger });
  export const made: Promise<CleanupResult> = cleanupProjectFiles("p1", { root: "." });
  export const job: Promise<JobContext> = new JobManager({ root: "." }).startJob("a", "subtitles");
  export const manifest: Promise<Manifest | undefined> = new ManifestTracker({ root: "." }).getManifest("a");
  export const count: Promise<number> = clips.cleanupOldClips();
  export const service = new CleanupService({ root: "." });
  // @ts-expect-error -- a limit is bytes or text
  new ClipStore({ directory: "clips", maxBytes: true });
`;

const HOST: ts.FormatDiagnosticsHost = { getCurrentDirectory: () => "/", getCanonicalFileName: (name) => name, getNewLine: () => "\n" };

describe("the types that pipelines install", function () {
  this.timeout(60_000);
  let root: Root;
  before(() => {
    root = makeRoot();
    const manifest = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { exports: unknown };
    const { exports } = manifest;
    const old = { main: "./dist/runtime.cjs", types: "./dist/types/runtime/index.d.cts" };
    root.write("node_modules/offcut/package.json", JSON.stringify({ name: "offcut", version: "0.0.0", type: "module", ...old, exports }));
    writeDeclarations(root.path("node_modules/offcut/dist/types"));
    for (const name of ["main.cts", "main.mts", "main.ts"]) root.write(name, PROGRAM);
  });
  after(() => root[Symbol.dispose]());

  const { ModuleKind, ModuleResolutionKind } = ts;
  const compilers: Readonly<Record<string, readonly [ts.CompilerOptions, string]>> = {
    "a CommonJS module, node16": [{ module: ModuleKind.Node16 }, "main.cts"],
    "a CommonJS module, node18": [{ module: ModuleKind.Node18 }, "main.cts"],
    "a CommonJS module, nodenext": [{ module: ModuleKind.NodeNext }, "main.cts"],
    "a package without a type, node16": [{ module: ModuleKind.Node16 }, "main.ts"],
    "an ES module, node16": [{ module: ModuleKind.Node16 }, "main.mts"],
    "an ES module, nodenext": [{ module: ModuleKind.NodeNext }, "main.mts"],
    "a bundler": [{ module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler }, "main.ts"],
    "CommonJS without exports, node10": [
      { module: ModuleKind.CommonJS, moduleResolution: ModuleResolutionKind.Node10, ignoreDeprecations: "6.0" },
      "main.ts",
    ],
  };
  for (const [name, [options, file]] of Object.entries(compilers))
    it(`are found and hold for ${name}`, () => {
      const typeRoots = [path.resolve(import.meta.dirname, "../../node_modules/@types")];
      const strict = { strict: true, noEmit: true, target: ts.ScriptTarget.ES2022, types: ["node"], typeRoots, ...options };
      const project = new Project({ compilerOptions: strict });
      project.addSourceFileAtPath(root.path(file));
      const program = project.getProgram().compilerObject;
      // Not those of Node, which take seconds and are nobody's mistake here.
      const own = program.getSourceFiles().filter((one) => one.fileName.startsWith(root.root));
      assert.ok(own.length > 10, "the types are found");
      const told = own.flatMap((one) => [...program.getSyntacticDiagnostics(one), ...program.getSemanticDiagnostics(one)]);
      assert.equal(ts.formatDiagnostics([...program.getOptionsDiagnostics(), ...told], HOST), "");
    });

  it("are no more than the entry reaches, and as many for CommonJS", () => {
    const files = fs.readdirSync(root.path("node_modules/offcut/dist/types"), { recursive: true }).map(String);
    const [esm, cjs] = [".d.ts", ".d.cts"].map((end) =>
      files.filter((file) => file.endsWith(end)).map((file) => file.slice(0, -end.length)),
    );
    assert.deepEqual(esm, cjs);
    assert.ok(esm!.length > 10 && esm!.length < 40, esm!.join());
  });
});
