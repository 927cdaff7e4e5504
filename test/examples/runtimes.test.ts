import assert from "node:assert/strict";
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { install, isInstalled, nextModules } from "../../tools/next/install.mjs";
import { installRuntime } from "../runtime/package.ts";
import { filesBelow } from "./example.ts";

const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const run = promisify(execFile);
const environment = { ...process.env, AUTO_CLEANUP_ENABLED: "true", DEBUG: "", NEXT_TELEMETRY_DISABLED: "1" };

describe("the runtime library in other programs", function () {
  this.timeout(300_000);
  let home: string;
  let root: string;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "offcut-runtimes-"));
    await installRuntime(home);
    for (const name of ["script", "worker"]) cpSync(join(examples, name), join(home, name), { recursive: true });
  });
  after(() => rmSync(home, { recursive: true, force: true }));
  beforeEach(() => {
    root = mkdtempSync(join(home, "root-"));
  });

  it("a plain script: a job, a clip and a cleanup by hand", async () => {
    const { stdout, stderr } = await run(process.execPath, [join(home, "script/main.mjs"), root], { env: environment });
    assert.match(stdout, /job: succeeded, 2 files gone, [1-9]\d* bytes held for undo/, stdout + stderr);
    assert.match(stdout, /clip: true, then false/);
    assert.match(stdout, /left by hand: 0/);
    assert.deepEqual(filesBelow(root, "output"), ["output/jobs/episode-1_completed"]);
    assert.deepEqual(filesBelow(root, "data"), []);
  });

  it("two worker threads over one root", async () => {
    const { stdout, stderr } = await run(process.execPath, [join(home, "worker/main.mjs"), root], { env: environment });
    for (const id of ["first", "second"]) assert.ok(stdout.includes(`${id}: succeeded, 3 files gone, 0 errors\n`), stdout + stderr);
    assert.deepEqual(filesBelow(root, "output"), ["output/jobs/first_completed", "output/jobs/second_completed"]);
  });

  describe("a route of Next.js", () => {
    let app: string;
    before(() => {
      if (!isInstalled()) install();
      app = join(home, "app");
      cpSync(join(examples, "nextjs-route"), app, { recursive: true });
      copyModules(nextModules, join(app, "node_modules"));
      cpSync(join(home, "node_modules/offcut"), join(app, "node_modules/offcut"), { recursive: true });
    });

    const next = (...args: string[]): string[] => [join(app, "node_modules/next/dist/bin/next"), ...args];

    for (const [what, args, more] of [
      ["bundled by Turbopack", [], {}],
      ["bundled by webpack", ["--webpack"], {}],
      ["left outside", [], { OFFCUT_OUTSIDE: "1" }],
    ] as const)
      it(`R88 S2.1: ${what}: a job that is done is cleaned, one that failed is kept, the request succeeds`, async () => {
        rmSync(join(app, ".next"), { recursive: true, force: true });
        const env = { ...environment, ...more, PIPELINE_ROOT: root, CLEANUP_POLICY: join(root, "policy.yaml") };
        const built = await run(process.execPath, next("build", ...args), { cwd: app, env });
        assert.doesNotMatch(built.stdout + built.stderr, /warning/i);
        mkdirSync(join(root, "output/long_form"), { recursive: true });
        writeFileSync(join(root, "output/long_form/other.mp4"), "film");
        writeFileSync(join(root, "policy.yaml"), "retention_hours: 0\n");
        const server = spawn(process.execPath, next("start", "-p", "0"), { cwd: app, env, stdio: ["ignore", "pipe", "pipe"] });
        try {
          const address = await addressOf(server);
          const post = async (id: string, lines: readonly string[]): Promise<unknown> =>
            (await fetch(`${address}/api/jobs/${id}`, { method: "POST", body: JSON.stringify({ lines }) })).json();
          assert.deepEqual(await post("done", ["hello"]), { id: "done", state: "succeeded", gone: true, deletedFiles: 1, errors: [] });
          assert.deepEqual(await post("sad", []), { id: "sad", state: "failed", error: "there is nothing to say" });
          assert.deepEqual(await post("again", ["hello"]), { id: "again", state: "succeeded", gone: true, deletedFiles: 1, errors: [] });
        } finally {
          server.kill();
          await once(server, "exit");
        }
        assert.deepEqual(filesBelow(root, "output/jobs"), [
          "output/jobs/again_completed",
          "output/jobs/done_completed",
          "output/jobs/sad_failed",
        ]);
        assert.ok(existsSync(join(root, "output/long_form/other.mp4")));
      });
  });
});

/** 340 MB: hard links where there are any, for Turbopack takes nothing that a symbolic link leads to. */
function copyModules(from: string, to: string): void {
  try {
    execFileSync("cp", ["-al", from, to], { stdio: "pipe" });
  } catch {
    cpSync(from, to, { recursive: true }); // Another filesystem, or another system.
  }
}

/** What the server prints when it listens; the rest of what it prints is let go. */
async function addressOf(server: ChildProcess): Promise<string> {
  let printed = "";
  return new Promise((resolve, reject) => {
    server.once("exit", () => reject(new Error(`the server ended: ${printed}`)));
    for (const stream of [server.stdout!, server.stderr!])
      stream.on("data", (chunk) => {
        printed += String(chunk);
        const address = /Local:\s+(http:\/\/localhost:\d+)/.exec(printed)?.[1];
        if (address !== undefined && printed.includes("Ready")) resolve(address);
      });
  });
}
