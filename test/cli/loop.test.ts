import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";

interface PlanJson {
  readonly schema: number;
  readonly digest: string;
  readonly expires: string;
  readonly root: string;
  readonly items: readonly {
    path: string;
    store: string;
    role: string;
    owner?: string;
    bytes: number;
    modified: string;
    verdict: string;
    reason: string;
    evidence: string[];
  }[];
  readonly totals: { readonly reclaim: { files: number; bytes: number }; readonly keep: { files: number; bytes: number } };
  readonly problems: readonly { source: string; line?: number; message: string }[];
}

interface CleanJson {
  readonly schema: number;
  readonly run: string;
  readonly deletedFiles: number;
  readonly freedSpace: number;
  readonly heldSpace: number;
  readonly undoUntil?: string;
  readonly errors: readonly { path: string; message: string }[];
  readonly skipped: readonly { path: string; reason: string }[];
}

describe("offcut plan, clean, undo, purge, history", () => {
  let ws: Workspace;

  beforeEach(() => {
    ws = makeWorkspace();
    ws.write("offcut.json", Buffer.from('{ "preset": "video-generator", "policy": { "grace": "0s" } }'));
    addProject(ws, "done", { scenes: 3, clips: ["nasa/shared", "nasa/own"] });
    addProject(ws, "busy", { status: "rendering", clips: ["nasa/shared"] });
    addProject(ws, "broken", { status: "failed" });
  });
  afterEach(() => ws.dispose());

  it("S0.1 E.7: plan --json keeps its contract, and is the same plan when nothing changed", async () => {
    const [first, second] = [await offcut(["plan", "--json"], ws), await offcut(["plan", "--json"], ws)];
    assert.equal(first.code, 0, first.stderr);
    const plan = json<PlanJson>(first);
    assert.equal(plan.schema, 1);
    assert.equal(plan.root, ws.root);
    assert.ok(Date.parse(plan.expires) > Date.now() + 9 * 60_000);
    const taken = plan.items.filter((item) => item.verdict === "reclaim");
    assert.equal(taken.length, plan.totals.reclaim.files);
    assert.equal(
      taken.reduce((sum, item) => sum + item.bytes, 0),
      plan.totals.reclaim.bytes,
    );
    assert.ok(taken.length > 0 && taken.every((item) => item.owner === "done" && item.evidence.length > 0));
    for (const item of plan.items) {
      assert.deepEqual(
        Object.keys(item)
          .filter((key) => !["owner", "ageMs", "root"].includes(key))
          .sort(),
        ["bytes", "evidence", "modified", "path", "reason", "role", "store", "verdict"],
      );
      assert.equal(fs.lstatSync(ws.path(item.path)).size, item.bytes);
    }
    assert.equal(plan.digest.split("-")[0], json<PlanJson>(second).digest.split("-")[0]);
  });

  it("S0.16 S0.6: after clean only what must stay is left, and undo brings every byte back", async () => {
    const before = ws.snapshot();
    const cleaned = await offcut(["clean", "--yes", "--json"], ws);
    assert.equal(cleaned.code, 0, cleaned.stderr);
    const result = json<CleanJson>(cleaned);
    assert.equal(result.freedSpace, 0);
    assert.ok(result.deletedFiles > 0 && result.heldSpace > 0 && Date.parse(result.undoUntil ?? "") > Date.now());
    const left = ws.files().filter((file) => file.includes("done"));
    assert.deepEqual(left, [".cache/output/done/final-thumb.jpg", ".cache/output/done/final.mp4"]);
    assert.ok(ws.files().includes("assets/cache/nasa/shared.mp4"), "S0.4: busy still needs it");
    assert.ok(!ws.files().includes("assets/cache/nasa/own.mp4"));
    const undone = await offcut(["undo", "--json"], ws);
    assert.equal(undone.code, 0, undone.stderr);
    assert.deepEqual(ws.snapshot(), before);
  });

  it("S0.8: prints the line to the letter, first with what is held, and at the purge with the real figure", async () => {
    const cleaned = await offcut(["clean", "--yes"], ws);
    const line = cleaned.stdout.split("\n").find((one) => one.startsWith("Cleanup:")) ?? "";
    assert.match(line, /^Cleanup: Deleted \d+ files, freed 0\.00 MB \(\d+\.\d\d MB held for undo until [\d :-]+\)$/);
    const purged = await offcut(["purge", "--yes"], ws);
    assert.match(purged.stdout.trim(), /^Cleanup: Deleted \d+ files, freed \d+\.\d\d MB$/);
    assert.equal(fs.readdirSync(ws.path(".offcut/holds")).length, 0);
    assert.match((await offcut(["history"], ws)).stdout, /purged/);
  });

  it("R15 R16: --plan cleans exactly the plan that was seen, and refuses (4) when something changed or it is old", async () => {
    const { digest } = json<PlanJson>(await offcut(["plan", "--json"], ws));
    ws.write(".cache/audio/done/scene-99.mp3");
    const refused = await offcut(["clean", "--yes", "--plan", digest], ws);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /something changed since that plan/);
    assert.ok(ws.files().includes(".cache/audio/done/scene-1.mp3"));
    const fresh = json<PlanJson>(await offcut(["plan", "--json"], ws)).digest;
    const old = `${fresh.split("-")[0]}-${Math.floor(Date.now() / 1000 - 601).toString(36)}`;
    const expired = await offcut(["clean", "--yes", "--plan", old], ws);
    assert.equal(expired.code, 4);
    assert.match(expired.stderr, /expired/);
    assert.equal((await offcut(["clean", "--yes", "--plan", fresh], ws)).code, 0);
    assert.ok(!ws.files().includes(".cache/audio/done/scene-99.mp3"));
    assert.equal((await offcut(["clean", "--yes", "--plan", "nonsense"], ws)).code, 2);
  });

  it("R13: plan, scan, clean --dry-run, history and doctor write nothing at all", async () => {
    const before = ws.snapshot({ everything: true });
    for (const args of [["plan", "--why"], ["scan"], ["clean", "--dry-run", "--json"], ["history"], ["doctor"], ["pin"], ["auto"]]) {
      assert.equal((await offcut(args, ws)).code, 0, args.join(" "));
    }
    assert.deepEqual(ws.snapshot({ everything: true }), before);
  });

  it("R20: a brake stops --yes with 4 and names the way on; the named plan goes through", async () => {
    ws.write("offcut.json", Buffer.from('{ "preset": "video-generator", "policy": { "grace": "0s", "brake": { "files": 3 } } }'));
    const braked = await offcut(["clean", "--yes"], ws);
    assert.equal(braked.code, 4);
    assert.match(braked.stderr, /more than 3 \(policy\.brake\.files\)/);
    const command = /offcut clean --yes --plan (\S+)/.exec(braked.stderr)?.[1] ?? "";
    assert.ok(ws.files().includes(".cache/audio/done/scene-1.mp3"));
    assert.equal((await offcut(["clean", "--yes", "--plan", command], ws)).code, 0);
    assert.ok(!ws.files().includes(".cache/audio/done/scene-1.mp3"));
  });

  it("R21 R86: an empty or unknown choice is a usage error, and nobody to ask is one too", async () => {
    for (const args of [
      ["clean", "--yes", "--project", ""],
      ["clean", "--yes", "--project", "nobody"],
      ["clean", "--yes", "--store", "nothing"],
      ["clean"],
      ["purge", "--whatever"],
      ["clear"],
    ]) {
      const outcome = await offcut(args, ws);
      assert.equal(outcome.code, args[0] === "purge" || args[0] === "clear" || args[0] === "clean" ? 2 : 0, args.join(" "));
      assert.notEqual(outcome.stderr, "");
    }
    assert.ok(ws.files().includes(".cache/audio/done/scene-1.mp3"));
  });

  it("S0.14: --project and --store narrow the choice, without them all finished projects are cleaned", async () => {
    addProject(ws, "also", { scenes: 1 });
    assert.equal((await offcut(["clean", "--yes", "--project", "also", "--store", "audio"], ws)).code, 0);
    assert.ok(!ws.files().some((file) => file.startsWith(".cache/audio/also/")));
    assert.ok(ws.files().some((file) => file.startsWith(".cache/videos/also/")));
    assert.ok(ws.files().some((file) => file.startsWith(".cache/audio/done/")));
    assert.equal((await offcut(["clean", "--yes"], ws)).code, 0);
    assert.ok(!ws.files().some((file) => file.startsWith(".cache/videos/also/") || file.startsWith(".cache/audio/done/")));
  });

  it("R22 S0.9: an item that fails is named, the others go on, and the exit code is 3", async function () {
    if (process.getuid?.() !== 0) return this.skip(); // Only root can make a file immutable.
    const stuck = ws.path(".cache/audio/done/scene-1.mp3");
    const { execFileSync } = await import("node:child_process");
    execFileSync("chattr", ["+i", stuck]);
    try {
      const outcome = await offcut(["clean", "--yes", "--json"], ws);
      assert.equal(outcome.code, 3, outcome.stderr);
      const result = json<CleanJson>(outcome);
      assert.deepEqual(
        result.errors.map((error) => error.path),
        [".cache/audio/done/scene-1.mp3"],
      );
      assert.match(result.errors[0]?.message ?? "", /not permitted/);
      assert.ok(result.deletedFiles > 1);
    } finally {
      execFileSync("chattr", ["-i", stuck]);
    }
  });

  it("S0.10 P7: --auto obeys AUTO_CLEANUP_ENABLED=false, a cleanup by hand works all the same", async () => {
    const off = { ...ws, env: { AUTO_CLEANUP_ENABLED: "false" } };
    const automatic = await offcut(["clean", "--auto", "--yes"], off);
    assert.equal(automatic.code, 0);
    assert.match(automatic.stdout, /Automatic cleanup is off \(environment\)/);
    assert.ok(ws.files().includes(".cache/audio/done/scene-1.mp3"));
    assert.equal((await offcut(["clean", "--yes"], off)).code, 0);
    assert.ok(!ws.files().includes(".cache/audio/done/scene-1.mp3"));
  });

  it("exits with 1 under --exit-code when there is something to reclaim, with 0 when not", async () => {
    assert.equal((await offcut(["plan", "--exit-code"], ws)).code, 1);
    assert.equal((await offcut(["clean", "--yes", "--permanently"], ws)).code, 0);
    assert.equal((await offcut(["plan", "--exit-code"], ws)).code, 0);
  });

  it("R66: history names every path, size, reason and run", async () => {
    const { run, deletedFiles } = json<CleanJson>(await offcut(["clean", "--yes", "--json"], ws));
    const { files } = json<{ files: { path: string; bytes: number; reason: string; state: string }[] }>(
      await offcut(["history", run, "--json"], ws),
    );
    assert.equal(files.length, deletedFiles);
    assert.ok(files.every((file) => file.state === "held" && file.bytes > 0 && file.reason !== ""));
    assert.equal((await offcut(["history", "nothing"], ws)).code, 2);
  });

  it("R65: undo --path brings one file back, and the rest stays held", async () => {
    await offcut(["clean", "--yes"], ws);
    const one = ".cache/audio/done/scene-2.mp3";
    assert.equal((await offcut(["undo", "--path", one], ws)).code, 0);
    assert.ok(ws.files().includes(one));
    assert.ok(!ws.files().includes(".cache/audio/done/scene-1.mp3"));
    assert.equal((await offcut(["undo", "--path", "no/such.mp3"], ws)).code, 4);
  });

  it("a mistake in offcut.json does not stand between a user and the files: undo and purge still work", async () => {
    const before = ws.snapshot();
    await offcut(["clean", "--yes"], ws);
    fs.appendFileSync(ws.path("offcut.json"), "nonsense");
    assert.equal((await offcut(["plan"], ws)).code, 2);
    const undone = await offcut(["undo"], ws);
    assert.equal(undone.code, 0, undone.stderr);
    assert.match(undone.stderr, /offcut\.json:1/);
    const after = ws.snapshot();
    assert.deepEqual([after.delete("offcut.json"), after], [before.delete("offcut.json"), before]);
  });

  it("S0.11: a cleanup of one kind leaves the project pending", async () => {
    ws.write("offcut.json", Buffer.from('{ "preset": "video-generator", "database": { "trackStatus": true } }'));
    assert.equal((await offcut(["migrate", "--yes"], ws)).code, 0);
    assert.equal((await offcut(["clean", "--yes", "--store", "audio"], ws)).code, 0);
    const database = new DatabaseSync(ws.path("data/app.db"), { readOnly: true });
    const statusOf = (id: string): unknown =>
      database.prepare("SELECT cleanup_status FROM projects WHERE id = ?").get(id)?.["cleanup_status"];
    assert.equal(statusOf("done"), "pending");
    assert.equal((await offcut(["clean", "--yes"], ws)).code, 0);
    assert.equal(statusOf("done"), "complete");
    assert.equal(statusOf("busy"), "pending");
    database.close();
  });

  it("R29: pins keep a file, a project or a store, and can be taken off", async () => {
    assert.equal((await offcut(["pin", ".cache/audio/done/scene-1.mp3", "--store", "segments", "--note", "for the talk"], ws)).code, 0);
    const plan = json<PlanJson>(await offcut(["plan", "--json"], ws));
    const pinned = plan.items.filter((item) => item.reason === "pinned");
    assert.ok(pinned.some((item) => item.path === ".cache/audio/done/scene-1.mp3") && pinned.some((item) => item.store === "segments"));
    assert.ok(pinned.every((item) => item.verdict === "keep" && item.evidence[0]?.includes("for the talk")));
    assert.equal((await offcut(["pin", "--remove", "--store", "segments"], ws)).code, 0);
    assert.equal((await offcut(["pin", "--remove", "--store", "segments"], ws)).code, 2);
    assert.equal(json<{ pins: object[] }>(await offcut(["pin", "--json"], ws)).pins.length, 1);
  });

  it("R30: files without an owner are shown as kept and taken only with --orphans", async () => {
    ws.write(".cache/audio/ghost/scene-1.mp3", 10);
    const plan = json<PlanJson>(await offcut(["plan", "--json"], ws));
    assert.equal(plan.items.find((item) => item.path.includes("ghost"))?.reason, "orphan");
    const chosen = json<PlanJson>(await offcut(["plan", "--json", "--orphans"], ws));
    assert.equal(chosen.items.find((item) => item.path.includes("ghost"))?.verdict, "reclaim");
  });

  it("S0.15: about 260 MB of a ten-scene video are reported back for that video", async () => {
    addProject(ws, "film", { scenes: 10 });
    for (let n = 1; n <= 10; n++) fs.truncateSync(ws.write(`.cache/assembly/film/part-${n}.mp4`, 1), 26 * 1024 ** 2);
    const outcome = await offcut(["clean", "--yes"], ws);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.match(outcome.stdout, /^film: 260\.\d\d MB in \d+ files$/m);
    assert.match(outcome.stdout, /^done: \d+\.\d\d MB in \d+ files$/m);
  });

  it("counts by project with scan --project, from the paths alone", async () => {
    const { total } = json<{ total: { files: number } }>(await offcut(["scan", "--json", "--project", "broken"], ws));
    assert.equal(total.files, ws.files().filter((file) => file.includes("/broken/")).length);
  });

  it("stops cleanly on Ctrl-C: what was not reached is untouched, and the journal agrees", async function () {
    this.timeout(30_000);
    addProject(ws, "huge", { scenes: 1 });
    for (let i = 0; i < 4000; i++) ws.write(`.cache/assembly/huge/part-${i}.mp4`, 1);
    const before = ws.files().length;
    const { digest } = json<PlanJson>(await offcut(["plan", "--json"], ws));
    // The signal comes when the first of sixteen batches is at work.
    const interrupted = await interruptWhenRunning(ws, offcut(["clean", "--yes", "--json", "--plan", digest], ws));
    assert.equal(interrupted.code, 130, interrupted.stderr);
    const result = json<CleanJson & { cancelled: boolean }>(interrupted);
    assert.equal(result.cancelled, true);
    assert.equal(ws.files().length, before - result.deletedFiles);
    assert.equal((await offcut(["undo"], ws)).code, 0);
    assert.equal(ws.files().length, before);
  });
});

/** Sends SIGINT to the process that holds the lock as soon as its hold has files. */
async function interruptWhenRunning(ws: Workspace, outcome: ReturnType<typeof offcut>): ReturnType<typeof offcut> {
  const ended = new AbortController();
  void outcome.then(() => ended.abort());
  while (!ended.signal.aborted) {
    const locks = path.join(ws.root, ".offcut/locks");
    const [lock] = fs.existsSync(locks) ? fs.readdirSync(locks) : [];
    const holds = path.join(ws.root, ".offcut/holds");
    if (lock !== undefined && fs.existsSync(holds) && fs.readdirSync(holds).length > 0) {
      process.kill(Number(lock.split("-")[0]), "SIGINT");
      break;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return outcome;
}
