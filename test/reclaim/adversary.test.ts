import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { listRuns, recoverRuns, undo } from "../../core/runs.ts";
import type { Workspace } from "../workspace.ts";
import { environment, makeReady, planFor } from "./world.ts";

const ROUNDS = 250;

describe("adversary", function () {
  this.timeout(120_000);
  let workspace: Workspace;
  let outside: string;
  let child: ChildProcess | undefined;

  beforeEach(() => {
    workspace = makeReady({ scenes: 6 });
    outside = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-outside-"));
    for (let n = 1; n <= 6; n++) {
      precious(`audio/scene-${n}.mp3`);
      precious(`assembly/p1/scene-${n}.mp4`);
    }
    for (const name of ["one", "two", "three"]) workspace.write(`strangers/${name}`, Buffer.from(`stranger ${name}`.padEnd(1000, ".")));
  });
  afterEach(() => {
    child?.kill("SIGKILL");
    workspace.dispose();
    fs.rmSync(outside, { recursive: true, force: true });
  });

  const precious = (name: string): void => {
    fs.mkdirSync(path.dirname(path.join(outside, name)), { recursive: true });
    fs.writeFileSync(path.join(outside, name), Buffer.alloc(1000, `precious ${name}`));
  };
  const stopped = (pid: number): boolean => {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat[stat.lastIndexOf(")") + 2] === "T";
  };

  it(`R1 R3: somebody who swaps files and directories during ${ROUNDS} runs loses nothing, and nothing outside is touched`, async function () {
    if (process.platform !== "linux") this.skip(); // The stop of the other process is read from /proc.
    const contents = census(workspace.root);
    const beyond = inodesBelow(outside);
    child = spawn(process.execPath, [fileURLToPath(new URL("./adversary.ts", import.meta.url)), workspace.root, outside], {
      stdio: "ignore",
    });
    await once(child, "spawn");
    const { pid = 0 } = child;
    const pause = async (): Promise<void> => {
      child?.kill("SIGSTOP");
      while (!stopped(pid)) await new Promise(setImmediate);
    };
    // It is at work as soon as a stranger moved.
    while (fs.readdirSync(workspace.path("strangers")).every((name) => ["one", "two", "three"].includes(name)))
      await new Promise(setImmediate);
    const seen = { held: 0, changed: 0, links: 0, gone: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      await pause();
      tidy(workspace);
      const { config, plan } = await planFor(workspace, { mediaCache });
      child.kill("SIGCONT");
      const result = await cleanUp(config, plan, { environment, mediaCache });
      await pause();
      tidy(workspace);
      await recoverRuns(workspace.root);
      assert.deepEqual(inodesBelow(outside), beyond, `round ${round}: something outside was touched`);
      assert.deepEqual(census(workspace.root), contents, `round ${round}: something was lost`);
      for (const item of plan.items)
        if (item.verdict === "keep" && item.role === "final") assert.ok(fs.existsSync(workspace.path(item.path)));
      seen.held += result.deletedFiles;
      seen.gone += result.skipped.filter((one) => one.reason === "gone").length;
      seen.changed += result.skipped.filter((one) => one.reason.startsWith("changed")).length;
      seen.links += result.skipped.filter((one) => /symbolic link/.test(one.reason)).length;
      if (listRuns(workspace.root).some((run) => run.heldFiles > 0)) {
        const undone = await undo(loadConfig(workspace.root), result.run);
        assert.deepEqual(undone.errors, []);
      }
      assert.deepEqual(census(workspace.root), contents, `round ${round}: something was lost by the undo`);
      fs.rmSync(workspace.path(".offcut/runs"), { recursive: true }); // Hundreds of journals would only be read again and again.
    }
    assert.ok(seen.held > 0 && seen.changed + seen.links + seen.gone > ROUNDS / 10, `the two hardly met: ${JSON.stringify(seen)}`);
  });
});

const mediaCache = new Map();

/** Ends what the stopped process was in the middle of. */
function tidy(workspace: Workspace): void {
  // Between link and unlink a stranger has two names.
  const pool = workspace.path("strangers");
  for (const name of fs.readdirSync(pool)) if (fs.lstatSync(path.join(pool, name)).nlink > 1) fs.unlinkSync(path.join(pool, name));
  for (const directory of [".cache/audio/p1", ".cache/assembly"].map((one) => workspace.path(one))) {
    if (fs.lstatSync(directory, { throwIfNoEntry: false })?.isSymbolicLink()) fs.unlinkSync(directory);
    if (fs.existsSync(`${directory}.away`) && !fs.existsSync(directory)) fs.renameSync(`${directory}.away`, directory);
  }
}

/** How often each content is there, held files included, whatever they are called. */
function census(root: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const file of filesBelow(root)) {
    if (/\/\.offcut\/(?!holds\/)|\/data\//.test(file)) continue;
    const hash = createHash("sha256").update(fs.readFileSync(file)).digest("hex");
    counts[hash] = (counts[hash] ?? 0) + 1;
  }
  return counts;
}

function inodesBelow(root: string): string[] {
  return filesBelow(root)
    .map((file) => `${path.relative(root, file)} ${fs.lstatSync(file).ino} ${fs.readFileSync(file, "utf8").slice(0, 40)}`)
    .sort();
}

function filesBelow(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .flatMap((entry) => (entry.isFile() ? [path.join(entry.parentPath, entry.name)] : []));
}
