import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { readSchedule } from "../../core/schedule.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";
import { heldFiles, isRound, poll, startWatcher, type WatchEvent } from "./watcher.ts";

interface Runs {
  readonly runs: readonly { readonly run: string; readonly state: string; readonly files: number; readonly heldFiles: number }[];
}

describe("offcut watch", function () {
  this.timeout(60_000);
  let ws: Workspace;

  beforeEach(() => {
    ws = makeWorkspace();
    configure({});
    addProject(ws, "busy", { status: "rendering" });
  });
  afterEach(() => ws.dispose());

  const configure = (policy: object, more: object = {}): void =>
    void ws.write("offcut.json", Buffer.from(JSON.stringify({ preset: "video-generator", policy: { grace: "0s", ...policy }, ...more })));
  const runs = async (): Promise<Runs["runs"]> => json<Runs>(await offcut(["history", "--json"], ws)).runs;
  /** What automatic cleaning may take of a project: neither its final nor what it downloaded (R33). */
  const filesOf = (id: string): string[] => ws.files().filter((file) => file.includes(`/${id}/`) && !file.includes("/final"));

  it("S4.5 S1.8: a round at once, then on schedule; what finished meanwhile goes; History has the runs; SIGTERM ends with 0", async () => {
    addProject(ws, "first");
    await using watcher = startWatcher(["--every", "1s", "--json"], ws);
    const started = await watcher.until((event) => event.event === "started");
    assert.deepEqual([started.pid, started.everyMs], [watcher.pid, 1000]);
    const first = await watcher.until(isRound);
    assert.equal(first.outcome, "clean", first.message);
    assert.deepEqual(filesOf("first"), []);
    addProject(ws, "second");
    const second = await watcher.until((event) => event.outcome === "clean", watcher.events.length);
    assert.deepEqual(filesOf("second"), []);
    assert.ok(filesOf("busy").length > 0);
    const kept = await watcher.until((event) => event.outcome === "nothing", watcher.events.indexOf(second));
    assert.match(kept.message ?? "", /^nothing to clean; \d+ files kept$/);
    const { running, last } = readSchedule(ws.root);
    assert.deepEqual([running?.process.pid, running?.everyMs], [watcher.pid, 1000]);
    assert.equal(typeof last?.message, "string");
    watcher.kill("SIGTERM");
    const { code, stderr } = await watcher.ended;
    assert.equal(code, 0, stderr);
    assert.equal(watcher.events.at(-1)?.event, "stopped");
    assert.equal(readSchedule(ws.root).words, "not running");
    const named = new Set((await runs()).map((run) => run.run));
    assert.ok([first, second].every((round) => named.has(round.run ?? "")));
  });

  it("S4.5: the store that asks most often says how often", async () => {
    configure({ every: "1h" }, { stores: { clips: { path: "clips/{event}.mp4", role: "clip", maxAge: "1h", every: "1s" } } });
    await using watcher = startWatcher(["--json"], ws);
    assert.equal((await watcher.until((event) => event.event === "started")).everyMs, 1000);
    const first = await watcher.until(isRound);
    await watcher.until(isRound, watcher.events.indexOf(first) + 1);
    configure({ every: "1h" });
    await watcher.round();
    await poll(() => readSchedule(ws.root).running?.everyMs === 3_600_000);
  });

  it("R41: there is one per root; the second one names the first and ends with 4; --once works beside it", async () => {
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    await watcher.until(isRound);
    const second = await offcut(["watch"], ws);
    assert.equal(second.code, 4);
    assert.match(second.stderr, new RegExp(`^refused: process ${watcher.pid} enforces the policy of .* already; one is enough\n$`));
    addProject(ws, "done");
    const once = await offcut(["watch", "--once"], ws);
    assert.equal(once.code, 0, once.stderr);
    assert.deepEqual(filesOf("done"), []);
    assert.equal(readSchedule(ws.root).running?.process.pid, watcher.pid);
    watcher.kill("SIGINT");
    assert.equal((await watcher.ended).code, 0);
    await using again = startWatcher(["--json"], ws);
    assert.equal((await again.until(isRound)).outcome, "nothing");
  });

  it("R41: of several that start at once exactly one stays", async () => {
    for (let attempt = 0; attempt < 3; attempt++) {
      await using a = startWatcher(["--every", "1h", "--json"], ws);
      await using b = startWatcher(["--every", "1h", "--json"], ws);
      await using c = startWatcher(["--every", "1h", "--json"], ws);
      const all = [a, b, c];
      const ended = new Set<number>();
      for (const one of all) void one.ended.then(() => ended.add(one.pid));
      await poll(() => ended.size === 2);
      const winner = all.find((one) => !ended.has(one.pid))!;
      assert.notEqual((await winner.until(isRound)).outcome, "refused");
      for (const loser of all) {
        if (loser === winner) continue;
        const { code, stderr } = await loser.ended;
        assert.equal(code, 4, stderr);
        assert.match(stderr, /enforces the policy/);
      }
    }
  });

  it("S4.5: SIGHUP begins a round now", async () => {
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    await watcher.until(isRound);
    addProject(ws, "done");
    assert.equal((await watcher.round()).outcome, "clean");
    assert.equal((await watcher.round()).outcome, "nothing");
  });

  it("a configuration that breaks is told and tried again; meanwhile nothing goes", async () => {
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    await watcher.until(isRound);
    addProject(ws, "done");
    fs.writeFileSync(ws.path("offcut.json"), '{ "preset": "nope" }');
    const broken = await watcher.round();
    assert.deepEqual([broken.outcome, broken.problems?.[0]?.source, broken.problems?.[0]?.line], ["configuration", "offcut.json", 1]);
    fs.rmSync(ws.path("offcut.json"));
    assert.equal((await watcher.round()).outcome, "configuration");
    assert.equal(readSchedule(ws.root).last?.outcome, "configuration");
    assert.ok(filesOf("done").length > 0);
    configure({});
    assert.equal((await watcher.round()).outcome, "clean");
    assert.deepEqual(filesOf("done"), []);
  });

  it("a configuration that is broken from the start, or not there, ends it with 2, and so does a senseless interval", async () => {
    for (const args of [
      ["--every", "never"],
      ["--every", "1ms"],
      ["--once", "--every"],
    ])
      assert.equal((await offcut(["watch", ...args], ws)).code, 2);
    fs.writeFileSync(ws.path("offcut.json"), "{");
    for (const args of [["watch"], ["watch", "--once"]]) assert.equal((await offcut(args, ws)).code, 2);
    fs.rmSync(ws.path("offcut.json"));
    for (const args of [["watch"], ["watch", "--once", "--json"]]) {
      const { code, stderr } = await offcut(args, ws);
      assert.equal(code, 2);
      assert.match(stderr, /^error: offcut\.json: is not there/);
    }
    assert.ok(!fs.existsSync(ws.path(".offcut")));
  });

  it("S0.10: AUTO_CLEANUP_ENABLED=false and debug mode are obeyed from one round to the next", async () => {
    addProject(ws, "done");
    const before = ws.snapshot();
    for (const [env, source] of [
      [{ AUTO_CLEANUP_ENABLED: "false" }, "environment"],
      [{ OFFCUT_DEBUG: "1" }, "debug mode (OFFCUT_DEBUG)"],
      [{ DEBUG: "true" }, "debug mode (DEBUG)"],
    ] as const) {
      await using watcher = startWatcher(["--json"], { ...ws, env });
      const round = await watcher.until(isRound);
      assert.deepEqual([round.outcome, round.message], ["off", `automatic cleanup is off (${source})`]);
    }
    ws.write(".env", Buffer.from("AUTO_CLEANUP_ENABLED=false\n"));
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    assert.equal((await watcher.until(isRound)).message, "automatic cleanup is off (.env:1)");
    ws.write(".env", Buffer.from("AUTO_CLEANUP_ENABLED=maybe\n"));
    assert.equal((await watcher.round()).outcome, "off");
    const { stdout } = await offcut(["watch", "--once"], ws);
    assert.equal(stdout, "", "an end that is known already is not told again");
    const after = ws.snapshot();
    after.delete(".env");
    assert.deepEqual(after, before);
    assert.equal((await offcut(["clean", "--yes", "--project", "done"], ws)).code, 0, "S2.8: by hand it works all the same");
    assert.deepEqual(filesOf("done"), []);
    addProject(ws, "more");
    ws.write(".env", Buffer.from("AUTO_CLEANUP_ENABLED=true\n"));
    assert.equal((await watcher.round()).outcome, "clean");
  });

  it("R20: the brake stops every round, says so each time and loudly once; confirmed by hand it goes on", async () => {
    configure({ brake: { files: 3 } });
    addProject(ws, "done");
    const before = ws.snapshot();
    await using watcher = startWatcher(["--every", "1h"], ws);
    const loud = await poll(() => /STOPPED BY THE BRAKE[\s\S]*confirm it: .*/.exec(watcher.text())?.[0]);
    assert.match(loud, /more than 3 \(policy\.brake\.files\)/);
    assert.ok(loud.includes(`offcut clean --auto --root ${ws.root}`), loud);
    for (let n = 1; n <= 2; n++) {
      watcher.kill("SIGHUP");
      await poll(() => watcher.text().match(/stopped, because this is more than usual/g)?.length === n);
    }
    assert.equal(watcher.text().match(/STOPPED BY THE BRAKE/g)?.length, 1);
    assert.deepEqual(ws.snapshot(), before);
    const once = await offcut(["watch", "--once", "--json"], ws);
    assert.equal(once.code, 4);
    const { outcome, brake } = JSON.parse(once.stdout) as WatchEvent;
    assert.deepEqual([outcome, brake?.length], ["braked", 1]);
    const { digest } = json<{ digest: string }>(await offcut(["plan", "--auto", "--json"], ws));
    assert.equal((await offcut(["clean", "--auto", "--yes", "--plan", digest], ws)).code, 0);
    watcher.kill("SIGHUP");
    await poll(() => watcher.text().includes("nothing to clean"));
    assert.deepEqual(filesOf("done"), []);
  });

  it("S4.3 R56 R58: storage pressure is told with the figures, and what blocks the target is named", async () => {
    const clips = { path: "clips/{event}.mp4", role: "clip", maxBytes: "50KB", targetBytes: "40KB" };
    configure({}, { stores: { clips } });
    for (let n = 0; n < 6; n++) ws.write(`clips/e${n}.mp4`, 10 * 1024, (6 - n) * 60_000);
    await using watcher = startWatcher(["--every", "1h"], ws);
    await poll(() => watcher.text().includes("Cleanup:"));
    assert.match(
      watcher.text(),
      /warning: clips: storage pressure: the store "clips" has 60\.0 KB and may have 50\.0 KB; cleaning frees 20\.0 KB\n/,
    );
    assert.deepEqual(
      ws.files().filter((file) => file.startsWith("clips/")),
      ["clips/e2.mp4", "clips/e3.mp4", "clips/e4.mp4", "clips/e5.mp4"],
    );
    for (let n = 6; n < 9; n++) ws.write(`clips/e${n}.mp4`, 10 * 1024);
    assert.equal((await offcut(["pin", "--store", "clips"], ws)).code, 0);
    watcher.kill("SIGHUP");
    await poll(() => watcher.text().includes("out of reach"));
    assert.match(
      watcher.text(),
      /has 70\.0 KB and may have 50\.0 KB; cleaning frees 0 B\. The target of 40\.0 KB is out of reach: pinned 70\.0 KB \(7 files\)\n/,
    );
    watcher.kill("SIGHUP");
    await poll(() => watcher.text().match(/out of reach/g)?.length === 2);
  });

  it("is quiet while nothing happens, unless --verbose", async () => {
    const quiet = startWatcher(["--every", "1h"], ws);
    await using _quiet = quiet;
    const rounds = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const before = readSchedule(ws.root).last?.at;
        process.kill(readSchedule(ws.root).running?.process.pid ?? 0, "SIGHUP");
        await poll(() => readSchedule(ws.root).last?.at !== before);
      }
    };
    await poll(() => quiet.text().includes("nothing to clean"));
    await rounds(3);
    quiet.kill("SIGTERM");
    const lines = (await quiet.ended).stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /, "")),
      [`watching ${ws.root} every 1 h (process ${quiet.pid})`, `nothing to clean; ${ws.files().length - 1} files kept`, "stopped"],
    );
    await using verbose = startWatcher(["--every", "1h", "--verbose"], ws);
    await poll(() => verbose.text().includes("nothing to clean"));
    await rounds(2);
    await poll(() => verbose.text().match(/nothing to clean/g)?.length === 3);
  });

  it("in the journal of systemd lines carry a priority and no time", async () => {
    configure({ brake: { files: 3 } });
    addProject(ws, "done");
    const log = ws.path("journal.log");
    const handle = fs.openSync(log, "w");
    const { dev, ino } = fs.fstatSync(handle, { bigint: true });
    try {
      await using watcher = startWatcher(["--every", "1h"], { ...ws, env: { JOURNAL_STREAM: `${dev}:${ino}` }, stdio: handle });
      await poll(() => fs.readFileSync(log, "utf8").includes("confirm it:"));
      watcher.kill("SIGTERM");
      assert.equal((await watcher.ended).code, 0);
    } finally {
      fs.closeSync(handle);
    }
    const lines = fs.readFileSync(log, "utf8").trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^watching /);
    assert.ok(
      lines.slice(1, -1).every((line) => line.startsWith("<4>")),
      lines.join("\n"),
    );
    assert.equal(lines.at(-1), "stopped");
  });

  it("S4.5: --once says by its exit code what happened: 0 done or nothing, 3 some failed, 4 refused", async function () {
    if (process.getuid?.() !== 0) return this.skip(); // Only root can make a file immutable.
    addProject(ws, "done");
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    const nothing = await offcut(["watch", "--once"], ws);
    assert.deepEqual([nothing.code, nothing.stdout, nothing.stderr], [0, "", ""], "cron mails whatever is said");
    addProject(ws, "stuck");
    const file = ws.path(".cache/audio/stuck/scene-1.mp3");
    execFileSync("chattr", ["+i", file]);
    try {
      const failed = await offcut(["watch", "--once"], ws);
      assert.equal(failed.code, 3);
      assert.match(failed.stderr, /failed: \.cache\/audio\/stuck\/scene-1\.mp3: not permitted/);
      assert.deepEqual(filesOf("stuck"), [".cache/audio/stuck/scene-1.mp3"]);
    } finally {
      execFileSync("chattr", ["-i", file]);
    }
    assert.equal((await offcut(["watch", "--once"], ws)).code, 0);
    fs.rmSync(ws.path(".offcut"), { recursive: true });
    fs.writeFileSync(ws.path(".offcut"), "");
    addProject(ws, "more");
    assert.equal((await offcut(["watch", "--once"], ws)).code, 4);
  });

  it("R22: files in the database that cannot be read are no reason to end, and nothing goes on a guess", async () => {
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    await watcher.until(isRound);
    addProject(ws, "done");
    const database = fs.readFileSync(ws.path("data/app.db"));
    fs.writeFileSync(ws.path("data/app.db"), "no database");
    const blind = await watcher.round();
    assert.equal(blind.outcome, "nothing");
    assert.ok(blind.problems?.some((problem) => problem.severity === "error" && problem.source.includes("app.db")));
    assert.ok(filesOf("done").length > 0);
    fs.writeFileSync(ws.path("data/app.db"), database);
    assert.equal((await watcher.round()).outcome, "clean");
  });

  it("S1.6 R35: uploads are asked about by plan, clean and watch, and asked again before one goes", async () => {
    const proven = ws.write("out/a.mp4");
    ws.write("out/b.mp4");
    const etag = createHash("md5").update(fs.readFileSync(proven)).digest("hex");
    const asked: string[] = [];
    const server = http.createServer((request, response) => {
      const [address = ""] = (request.url ?? "").split("?");
      asked.push(`${request.method} ${address}`);
      if (address === "/bucket/a.mp4") response.writeHead(200, { "content-length": "1000", etag: `"${etag}"` });
      else response.writeHead(404);
      response.end();
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const upload = { to: "s3://bucket/{id}.mp4", endpoint: `http://127.0.0.1:${port}`, region: "us-east-1" };
      configure({}, { stores: { out: { path: "out/{id}.mp4", role: "upload", upload } } });
      const env = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
      const { items } = json<{ items: { path: string; reason: string; remote?: { status: string } }[] }>(
        await offcut(["plan", "--json", "--store", "out"], { ...ws, env }),
      );
      assert.deepEqual(
        items.map(({ path, reason, remote }) => [path, reason, remote?.status]),
        [
          ["out/a.mp4", "upload-verified", "verified"],
          ["out/b.mp4", "upload-unverified", "missing"],
        ],
      );
      assert.match((await offcut(["plan", "--why"], { ...ws, env })).stdout, /the remote copy s3:\/\/bucket\/a\.mp4 is verified: /);
      asked.length = 0;
      const once = await offcut(["watch", "--once"], { ...ws, env });
      assert.equal(once.code, 0, once.stderr);
      assert.deepEqual(
        ws.files().filter((file) => file.startsWith("out/")),
        ["out/b.mp4"],
      );
      assert.ok(asked.filter((one) => one === "HEAD /bucket/a.mp4").length >= 2, asked.join(", "));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  describe("is stopped or killed in the middle of a round", () => {
    /** A project whose cleanup takes many batches. */
    const addHuge = (): void => {
      configure({ brake: { share: 1 } });
      addProject(ws, "huge", { scenes: 1 });
      for (let i = 0; i < 1500; i++) ws.write(`.cache/assembly/huge/part-${i}.mp4`, 1);
    };
    const heldNow = (): number => heldFiles(ws.root).length;

    it("S4.5: SIGINT and SIGTERM stop between two files at any moment, with 0; nothing is lost, undo brings all back", async () => {
      addHuge();
      const before = ws.snapshot();
      const all = ws.files();
      let cancelled = 0;
      for (const [i, share] of [0.001, 0.1, 0.3, 0.6, 0.9].entries()) {
        await using watcher = startWatcher(["--json"], ws);
        await poll(() => heldNow() > share * 1500);
        watcher.kill(i % 2 === 0 ? "SIGTERM" : "SIGINT");
        const { code, stderr } = await watcher.ended;
        assert.equal(code, 0, stderr);
        assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
        assert.equal(readSchedule(ws.root).words, "not running");
        const { outcome } = watcher.events.find(isRound) ?? {};
        assert.ok(outcome === "cancelled" || outcome === "clean", outcome);
        if (outcome === "cancelled") cancelled++;
        assert.equal((await offcut(["undo"], ws)).code, 0);
        assert.deepEqual(ws.snapshot(), before);
      }
      assert.ok(cancelled > 0, "some of them came in the middle");
    });

    it("S4.5: a second signal ends it at once, with 130; the next start finishes what it left", async () => {
      addHuge();
      const all = ws.files();
      await using watcher = startWatcher(["--json"], ws);
      await poll(() => heldNow() > 0);
      watcher.kill("SIGTERM");
      watcher.kill("SIGINT");
      assert.ok([0, 130].includes((await watcher.ended).code ?? -1));
      assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
      await using again = startWatcher(["--json"], ws);
      assert.match((await again.until(isRound)).outcome ?? "", /^(clean|nothing)$/);
      assert.deepEqual(filesOf("huge"), []);
    });

    it("R23 R60: after kill -9 the next start recovers and goes on; the state of the dead one says that it does not run", async () => {
      addHuge();
      const before = ws.snapshot();
      const all = ws.files();
      for (const share of [0.001, 0.3, 0.7]) {
        await using watcher = startWatcher(["--json"], ws);
        await poll(() => heldNow() > share * 1500);
        watcher.kill("SIGKILL");
        assert.equal((await watcher.ended).signal, "SIGKILL");
        assert.equal(readSchedule(ws.root).words, `not running: process ${watcher.pid} is gone`);
        assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
        await using again = startWatcher(["--json"], ws);
        await again.until(isRound);
        assert.deepEqual(filesOf("huge"), []);
        assert.deepEqual([...ws.files(), ...heldFiles(ws.root)].sort(), all);
        again.kill("SIGTERM");
        assert.equal((await again.ended).code, 0);
        for (const run of await runs()) if (run.heldFiles > 0) assert.equal((await offcut(["undo", run.run], ws)).code, 0);
        assert.deepEqual(ws.snapshot(), before);
      }
    });
  });

  it("R41: watch and a cleanup by hand at once, and both get on: nothing is lost, nothing is counted twice", async () => {
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    await watcher.until(isRound);
    const expected = new Set<string>();
    for (let n = 0; n < 5; n++) {
      addProject(ws, `p${n}`, { scenes: 8 });
      for (const file of filesOf(`p${n}`)) expected.add(file);
      const [round, ...byHand] = await Promise.all([
        watcher.round(),
        offcut(["clean", "--auto", "--yes"], ws),
        offcut(["watch", "--once"], ws),
      ]);
      assert.ok(["clean", "nothing", "refused"].includes(round.outcome ?? ""), round.message);
      for (const { code, stderr } of byHand)
        assert.ok(code === 0 || (code === 4 && /refused|is cleaning|changed/.test(stderr)), `${code}: ${stderr}`);
    }
    const last = await watcher.round();
    assert.ok(["clean", "nothing"].includes(last.outcome ?? ""), last.message);
    assert.deepEqual(heldFiles(ws.root), [...expected].sort());
    assert.equal(
      (await runs()).reduce((sum, run) => sum + run.files, 0),
      expected.size,
    );
    watcher.kill("SIGTERM");
    assert.equal((await watcher.ended).code, 0);
  });
});
