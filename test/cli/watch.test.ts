import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { parseCommandLine } from "../../cli/args.ts";
import { acquireLocks } from "../../core/reclaim/lock.ts";
import { readSchedule } from "../../core/schedule.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";
import { isRound, poll, startWatcher, type WatchEvent } from "./watcher.ts";

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
    addProject(ws, "more");
    using _lock = await acquireLocks([ws.root]);
    const refused = await offcut(["watch", "--once"], ws);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, new RegExp(`refused: process ${process.pid} is cleaning`));
    assert.ok(filesOf("more").length > 0);
  });

  it("R22: files in the database that cannot be read are no reason to end, and nothing goes on a guess", async () => {
    await using watcher = startWatcher(["--every", "1h", "--json"], ws);
    await watcher.until(isRound);
    addProject(ws, "done");
    const database = fs.readFileSync(ws.path("data/app.db"));
    fs.writeFileSync(ws.path("data/app.db"), "no database");
    const blind = await watcher.round();
    assert.equal(blind.outcome, "off", "the switch is in the database, too, and cannot be known");
    assert.ok(blind.problems?.some((problem) => problem.severity === "error" && problem.source.includes("app.db")));
    assert.ok(filesOf("done").length > 0);
    fs.writeFileSync(ws.path("data/app.db"), database);
    assert.equal((await watcher.round()).outcome, "clean");
  });

  it("S4.5: what the units, the crontab and the documents say is a command line that it understands", () => {
    const units = new URL("../../examples/units/", import.meta.url);
    const texts = [...fs.readdirSync(units).map((name) => new URL(name, units)), new URL("../../docs/watch.md", import.meta.url)];
    const commands = texts.flatMap((file) => {
      const text = fs.readFileSync(file, "utf8").replaceAll(/"(?:, ")?|\[|\]|`/g, " ");
      return [...text.matchAll(/(?:^|[ /])offcut +((?:watch|jobs|clean|plan|auto|history|undo|doctor)\b[^#\n|,;:)(…]*)/gm)].map(
        (match) => match[1] ?? "",
      );
    });
    const options = commands.map((command) => command.split(" ").filter((word, i) => word.startsWith("-") || i === 0));
    assert.ok(commands.length > 15, commands.join("\n"));
    for (const words of options) {
      const args = parseCommandLine(words.flatMap((word) => (["--every", "--root", "--job"].includes(word) ? [word, "x"] : [word])));
      assert.equal(args.command, words[0]);
    }
    assert.ok(commands.some((command) => command.startsWith("watch --once --root %f")));
  });
});
