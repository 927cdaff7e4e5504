/** Faults of manifests: a process that changes one is killed, or a system call of it fails, at every point there is. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { heartbeat } from "../../core/jobs/lease.ts";
import { type Manifest, parseManifest } from "../../core/jobs/manifest.ts";
import { readManifest, updateManifest } from "../../core/jobs/manifests.ts";
import { CHILD, entry, inPairs, makeRoot, sample } from "./samples.ts";

const CALLS = ["openat", "write", "fsync", "rename", "link", "unlink"] as const;
type Call = (typeof CALLS)[number];
const CHANGES = 3;

interface Ended {
  readonly killed: boolean;
  readonly lines: readonly string[];
  readonly log: string;
}

/** Of `openat` and `write` only those that make a manifest: the process needs others for itself. */
async function trace(jobs: string, args: readonly string[], call: Call, fault?: string): Promise<Ended> {
  const log = path.join(path.dirname(jobs), "strace.log");
  const only = call === "openat" || call === "write" ? ["", ".bak"].flatMap((one) => ["-P", path.join(jobs, `j1.json${one}.tmp`)]) : [];
  const expressions = [`trace=${call}`, ...(fault === undefined ? [] : [`inject=${call}:${fault}`])].flatMap((one) => ["-e", one]);
  const command = ["-f", "-qq", "-o", log, ...expressions, ...only, process.execPath, CHILD, ...args];
  const linesOf = (output: string): string[] => output.trimEnd().split("\n").filter(Boolean);
  try {
    const { stdout } = await promisify(execFile)("strace", command);
    return { killed: false, lines: linesOf(stdout), log: fs.readFileSync(log, "utf8") };
  } catch (error) {
    const { signal, code, stderr, stdout } = error as { signal?: string; code?: number; stderr: string; stdout: string };
    assert.ok(signal === "SIGKILL" || code === 137, `the child ended with ${code ?? signal}: ${stderr}`);
    return { killed: true, lines: linesOf(stdout), log: "" };
  }
}

async function countCalls(jobs: string, args: readonly string[], call: Call): Promise<number> {
  const { log } = await trace(jobs, args, call);
  return [...log.matchAll(new RegExp(`^\\d+ +${call}\\(`, "gm"))].length;
}

/** The old manifest or the new one, as a whole; and the next change finds nothing in its way. */
async function check(jobs: string, lines: readonly string[]): Promise<void> {
  const done = Math.max(0, ...lines.flatMap((line) => (line.startsWith("done ") ? [Number(line.slice(5))] : [])));
  const found = fs.existsSync(jobs) ? readManifest(jobs, "j1") : undefined;
  const sequence = found?.manifest?.sequence ?? 0;
  assert.ok(sequence === done || sequence === done + 1, `sequence ${sequence} after ${lines.join(", ")}`);
  if (found) {
    assert.deepEqual([found.from, found.problem], ["file", undefined]);
    assertWhole(found.manifest, sequence);
  }
  const backup = path.join(jobs, "j1.json.bak");
  if (fs.existsSync(backup)) {
    const parsed = parseManifest(fs.readFileSync(backup));
    assert.ok("manifest" in parsed && parsed.manifest.sequence <= sequence);
    assertWhole(parsed.manifest, parsed.manifest.sequence);
  }
  const next = await updateManifest(jobs, "j1", (old) => ({
    ...(old ?? sample("j1")),
    files: [...(old?.files ?? []), entry("after.png")],
  }));
  assert.equal(next.sequence, sequence + 1);
  assert.deepEqual(readManifest(jobs, "j1")?.manifest, next);
  assert.deepEqual(fs.readdirSync(jobs).sort(), ["j1.json", "j1.json.bak", "locks"]);
  assert.deepEqual(fs.readdirSync(path.join(jobs, "locks")), []);
}

function assertWhole(manifest: Manifest | undefined, sequence: number): void {
  assert.deepEqual(
    manifest?.files.map((file) => file.path),
    Array.from({ length: sequence }, (_, i) => `output/${i + 1}.png`),
  );
}

describe("crash of a job", function () {
  this.timeout(180_000);
  const points: { call: Call; when: number }[] = [];

  before(async function () {
    const works = spawnSync("strace", ["-f", "-qq", "-o", "/dev/null", "-e", "inject=link:error=EIO:when=1", "true"]).status === 0;
    if (process.platform !== "linux" || !works) this.skip(); // Faults are injected by strace, which is not installed or may not trace here.
    for (const call of CALLS) {
      using place = makeRoot();
      fs.mkdirSync(place.jobs, { recursive: true });
      const count = await countCalls(place.jobs, ["update", place.jobs, "j1", String(CHANGES)], call);
      for (let when = 1; when <= count; when++) points.push({ call, when });
    }
    const calls = new Map(CALLS.map((call) => [call, points.filter((point) => point.call === call).length]));
    // The first change makes both files, the others make one and link the other.
    assert.deepEqual([calls.get("openat"), calls.get("write"), calls.get("link")], [4, 4, 2]);
    assert.ok(calls.get("fsync")! >= 7 && calls.get("rename")! >= 6 && calls.get("unlink")! >= 3, JSON.stringify([...calls]));
  });

  it("R68: a process that is killed at any system call of a change leaves the old manifest or the new one", async () => {
    let killed = 0;
    await inPairs(points, async ({ call, when }) => {
      using place = makeRoot();
      fs.mkdirSync(place.jobs, { recursive: true });
      const ended = await trace(place.jobs, ["update", place.jobs, "j1", String(CHANGES)], call, `signal=KILL:when=${when}`);
      if (ended.killed) killed++;
      await named(`killed at ${call} ${when}`, () => check(place.jobs, ended.lines));
    });
    assert.equal(killed, points.length);
  });

  for (const fault of ["EIO", "ENOSPC"])
    it(`R68: a change of which any system call fails with ${fault} leaves the old manifest or the new one, and says so`, async () => {
      let failed = 0;
      await inPairs(points, async ({ call, when }) => {
        using place = makeRoot();
        fs.mkdirSync(place.jobs, { recursive: true });
        const { lines } = await trace(place.jobs, ["update", place.jobs, "j1", String(CHANGES)], call, `error=${fault}:when=${when}`);
        assert.equal(lines.length, CHANGES);
        const bad = lines.filter((line) => !line.startsWith("done "));
        if (bad.length > 0) failed++;
        for (const line of bad)
          assert.match(line, /^failed Refusal: .*(no space left on the device|input\/output error)/, `${call} ${when}`);
        assert.equal(bad.length, call === "unlink" ? 0 : 1, `${call} ${when}: ${lines.join(", ")}`);
        await named(`${call} ${when} failed`, () => checkAfterFailure(place.jobs, lines));
      });
      assert.ok(failed > points.length / 2, `${failed} of ${points.length}`);
    });

  it("R68: where there are no hard links, the one before is copied", async () => {
    using place = makeRoot();
    fs.mkdirSync(place.jobs, { recursive: true });
    const { lines } = await trace(place.jobs, ["update", place.jobs, "j1", String(CHANGES)], "link", "error=EPERM:when=1+");
    assert.deepEqual(lines, ["done 1", "done 2", "done 3"]);
    await check(place.jobs, lines);
  });

  it("R70: of a job that is being forgotten the manifest goes last", async () => {
    const prepare = async (jobs: string): Promise<void> => {
      await updateManifest(jobs, "j1", () => sample("j1"));
      heartbeat(jobs, "j1");
    };
    let seen = "";
    for (let when = 1; ; when++) {
      using place = makeRoot();
      await prepare(place.jobs);
      const { killed } = await trace(place.jobs, ["remove", place.jobs, "j1"], "unlink", `signal=KILL:when=${when}`);
      const left = ["j1.json", "j1.json.bak", "j1.lease"].filter((name) => fs.existsSync(path.join(place.jobs, name)));
      if (left.length > 0) assert.deepEqual(readManifest(place.jobs, "j1")?.from, "file", left.join());
      seen += `${left.length}`;
      if (!killed) break;
    }
    assert.match(seen, /^3210+$/);
  });

  it("R32: of a manifest that is being set aside nothing is lost", async () => {
    let seen = 0;
    for (let when = 1; ; when++) {
      using place = makeRoot();
      await updateManifest(place.jobs, "j1", () => sample("j1"));
      for (const name of ["j1.json", "j1.json.bak"]) fs.writeFileSync(path.join(place.jobs, name), `damaged ${name}`);
      const { killed } = await trace(place.jobs, ["aside", place.jobs, "j1"], "rename", `signal=KILL:when=${when}`);
      const texts = fs
        .readdirSync(place.jobs, { recursive: true, withFileTypes: true })
        .flatMap((one) =>
          one.isFile() && one.name.startsWith("j1") ? [fs.readFileSync(path.join(one.parentPath, one.name), "utf8")] : [],
        );
      assert.deepEqual(texts.sort(), ["damaged j1.json", "damaged j1.json.bak"]);
      if (!killed) break;
      seen++;
    }
    assert.equal(seen, 3);
  });
});

/** After an error a change may be there all the same: the directory was not synced. Later ones built on it, or on what was before. */
async function checkAfterFailure(jobs: string, lines: readonly string[]): Promise<void> {
  const sequences = lines.map((line) => (line.startsWith("done ") ? Number(line.slice(5)) : undefined));
  let last = 0;
  for (const sequence of sequences) {
    if (sequence === undefined) continue;
    assert.ok(sequence === last + 1 || (sequence === last + 2 && sequences.includes(undefined)), lines.join(", "));
    last = sequence;
  }
  await check(jobs, lines);
}

async function named(where: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    (error as Error).message = `${where}: ${(error as Error).message}`;
    throw error;
  }
}
