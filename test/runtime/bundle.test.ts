import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { AT_ONCE, makeRoot, type Root } from "./world.ts";
import { installRuntime } from "./package.ts";

const CLASSES = ["CleanupPolicy", "CleanupService", "ClipStore", "DirectoryManager", "JobManager", "ManifestTracker"];

describe("the library that pipelines install", function () {
  this.timeout(60_000);
  let root: Root;
  let dist: string;
  before(async () => {
    root = makeRoot();
    dist = await installRuntime(root.root);
  });
  after(() => root[Symbol.dispose]());

  const run = (...args: string[]): string => execFileSync(process.execPath, args, { cwd: root.root, encoding: "utf8" });

  it("is less than 60 KB, minified, in both formats", () => {
    for (const name of ["runtime.mjs", "runtime.cjs"]) {
      const { size } = fs.statSync(join(dist, name));
      assert.ok(size > 10_000 && size < 60_000, `${name} has ${size} bytes`);
    }
  });

  it("needs nothing but Node and its own files", () => {
    for (const name of fs.readdirSync(dist)) {
      const text = fs.readFileSync(join(dist, name), "utf8");
      const needed = [...text.matchAll(/\b(?:require|import)\(\s*"([^"]+)"\s*\)|\bfrom\s*"([^"]+)"/g)].map(
        (match) => match[1] ?? match[2] ?? "",
      );
      // The YAML parser comes from a package whose own modules name what Node has without its prefix.
      const foreign = needed.filter(
        (one) => !one.startsWith("node:") && !/^\.\/\w+\.cjs$/.test(one) && !["process", "buffer"].includes(one),
      );
      assert.deepEqual(foreign, [], name);
    }
  });

  it("loads as ESM and as CommonJS, with the same names, and nothing else is loaded before it is needed", () => {
    const program =
      'console.log(JSON.stringify([Object.keys(offcut).sort(), Object.keys(require.cache).filter((one) => one.includes("Engine"))]))';
    const esm = run(
      "--input-type=module",
      "-e",
      `import * as offcut from "offcut"; import { createRequire } from "node:module"; const require = createRequire(import.meta.url); ${program}`,
    );
    const cjs = run("--input-type=commonjs", "-e", `const offcut = require("offcut"); ${program}`);
    assert.equal(esm, cjs);
    const [names, loaded] = JSON.parse(esm) as [string[], string[]];
    assert.deepEqual(loaded, []);
    assert.deepEqual(
      names.filter((name) => CLASSES.includes(name)),
      CLASSES,
    );
    assert.ok(names.includes("cleanupProjectFiles") && names.includes("deleteLocalFileAfterUpload"));
  });

  it("is shaken: who imports one thing gets little else, who imports nothing gets nothing", async () => {
    const bundled = async (text: string): Promise<number> => {
      const { outputFiles } = await build({
        stdin: { contents: text, resolveDir: root.root },
        bundle: true,
        format: "esm",
        platform: "node",
        minify: true,
        write: false,
        external: ["./runtimeEngine.cjs"],
        logLevel: "error",
      });
      return outputFiles[0]!.contents.length;
    };
    const one = async (name: string): Promise<number> => bundled(`import { ${name} } from "offcut"; console.log(${name});`);
    const whole = await bundled('import * as offcut from "offcut"; console.log(offcut);');
    assert.equal(await bundled('import "offcut";'), 0);
    for (const name of ["cleanupProjectFiles", "deleteLocalFileAfterUpload", "CleanupPolicy", "DirectoryManager", "ClipStore"])
      assert.ok((await one(name)) < whole / 3, `${name}: ${await one(name)} of ${whole}`);
  });

  it("works without the thread of the scan: a large tree is scanned all the same", async () => {
    using large = makeRoot(AT_ONCE);
    assert.ok(!fs.existsSync(join(dist, "walkWorker.cjs")));
    for (let i = 0; i < 60; i++) {
      const directory = large.path(`output/jobs/j${i}/videos`);
      fs.mkdirSync(directory, { recursive: true });
      for (let j = 0; j < 1000; j++) fs.writeFileSync(join(directory, `${j}`), "");
    }
    const program = `
      import { CleanupService } from "offcut";
      const logger = { info() {}, warn: console.log, error: console.log };
      const service = new CleanupService({ root: ${JSON.stringify(large.root)}, logger, policy: { retentionHours: 0 } });
      console.log((await service.manualCleanup("output/jobs/*/videos/*")).files.length);`;
    assert.equal(run("--input-type=module", "-e", program), "60000\n");
  });

  it("S2.7 R88: without the engine, as a deployment may forget it, the work goes on and everything is kept", async () => {
    using broken = makeRoot(AT_ONCE);
    fs.cpSync(join(root.root, "node_modules"), broken.path("node_modules"), { recursive: true });
    fs.rmSync(broken.path("node_modules/offcut/dist/runtimeEngine.cjs"));
    fs.writeFileSync(
      broken.path("main.mjs"),
      `import fs from "node:fs";
      import { CleanupPolicy, CleanupService, cleanupProjectFiles, ClipStore, deleteLocalFileAfterUpload, JobManager } from "offcut";
      const policy = await CleanupPolicy.load("policy.json");
      await using jobs = new JobManager({ root: ".", policy });
      const job = await jobs.startJob("a", "subtitles");
      fs.writeFileSync(job.directory("subtitles") + "/a.srt", "text");
      fs.writeFileSync("upload.srt", "text");
      await job.addFile("output/jobs/a/subtitles/a.srt");
      await using clips = await ClipStore.open({ directory: "clips" });
      fs.writeFileSync("clips/e1.mp4", "clip");
      const service = new CleanupService({ root: "." });
      const results = [await job.complete(), await service.cleanupJob("a"), await service.manualCleanup("**", false), await cleanupProjectFiles("a")];
      process.stdout.write(JSON.stringify([
        results.map((result) => [result.deletedFiles, result.errors.length]),
        await clips.cleanupClip("e1"), await clips.cleanupOldClips(), await service.isCleanupEnabled(), policy.enabled,
        await deleteLocalFileAfterUpload("upload.srt"),
      ]));`,
    );
    const printed = execFileSync(process.execPath, ["main.mjs"], { cwd: broken.root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    const kept = [0, 1];
    assert.deepEqual(JSON.parse(printed.trim().split("\n").at(-1) ?? ""), [[kept, kept, kept, kept], false, 0, false, false, true]);
    assert.ok(fs.existsSync(broken.path("output/jobs/a/subtitles/a.srt")) && fs.existsSync(broken.path("clips/e1.mp4")));
  });

  it("reads a policy in YAML with its own parser", () => {
    root.write("policy.yaml", "cleanup:\n  retention_hours: 7\n");
    const program = 'import { CleanupPolicy } from "offcut"; console.log((await CleanupPolicy.load("policy.yaml")).retentionHours);';
    assert.equal(run("--input-type=module", "-e", program), "7\n");
  });
});
