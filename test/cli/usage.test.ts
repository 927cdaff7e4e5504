import assert from "node:assert/strict";
import fs from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { COMMANDS } from "../../cli/args.ts";
import { helpFor } from "../../cli/help.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";

describe("offcut: usage, configuration, switch, upkeep", () => {
  let ws: Workspace;

  beforeEach(() => {
    ws = makeWorkspace();
    addProject(ws, "p1");
  });
  afterEach(() => ws.dispose());

  it("explains every command, and what the exit codes mean", async () => {
    const overview = await offcut(["--help"]);
    assert.equal(overview.code, 0);
    for (const word of ["scan", "plan", "clean", "undo", "purge", "history", "pin", "auto", "migrate", "doctor", "lsp", "Exit codes"])
      assert.ok(overview.stdout.includes(word), word);
    for (const command of Object.keys(COMMANDS)) assert.match(helpFor(command), new RegExp(`^Usage: offcut ${command}[^]*Options:`));
    const help = await offcut(["help", "clean"]);
    assert.equal(help.code, 0);
    assert.equal(help.stdout, `${helpFor("clean")}\n`);
    assert.match(helpFor("plan"), /--project ID +only this project/);
    assert.match(helpFor("pin"), /--project ID +always keep this project[^]*--store NAME +always keep this kind/);
  });

  it("exits with 2 and names file, line and mend when the configuration is wrong", async () => {
    ws.write("offcut.json", Buffer.from('{\n  "preset": "video-generator",\n  "polcy": {}\n}\n'));
    const outcome = await offcut(["plan"], ws);
    assert.equal(outcome.code, 2);
    assert.match(outcome.stderr, /error: offcut\.json:3: polcy: is not a setting; did you mean "policy"\?/);
    const machine = await offcut(["plan", "--json"], ws);
    assert.equal(machine.code, 2);
    assert.equal(json<{ problems: { line: number }[] }>(machine).problems[0]?.line, 3);
  });

  it("says what to do where there is no offcut.json, and keeps everything", async () => {
    fs.rmSync(ws.path("offcut.json"));
    const outcome = await offcut(["plan"], ws);
    assert.equal(outcome.code, 0);
    assert.match(outcome.stderr, /offcut\.json: is not there .* keeps everything/);
    assert.match(outcome.stdout, /Nothing is reclaimable/);
  });

  it("R75: a missing database keeps everything and is named", async () => {
    fs.rmSync(ws.path("data"), { recursive: true });
    const outcome = await offcut(["clean", "--yes"], ws);
    assert.equal(outcome.code, 0);
    assert.match(outcome.stderr, /data\/app\.db: the database is not there/);
    assert.match(outcome.stdout, /nothing was touched/);
    assert.ok(ws.files().includes(".cache/audio/p1/scene-1.mp3"));
  });

  it("R84: nothing to do is explained", async () => {
    addProject(ws, "p2", { status: "rendering" });
    await offcut(["clean", "--yes"], ws);
    const again = await offcut(["clean", "--yes"], ws);
    assert.equal(again.code, 0);
    assert.match(again.stdout, /Nothing is reclaimable, so nothing was touched\. Kept: .*owner-running/);
  });

  it("S0.10: auto tells the value and its source, and changes the line in place", async () => {
    ws.write(".env", Buffer.from("A=1\nAUTO_CLEANUP_ENABLED=TRUE # keep the disk clean\nB=2\n"));
    assert.deepEqual(json(await offcut(["auto", "--json"], ws)), {
      schema: 1,
      enabled: true,
      source: ".env:2",
      kind: "file",
      value: "TRUE",
    });
    const off = await offcut(["auto", "off"], ws);
    assert.equal(off.code, 0, off.stderr);
    assert.match(off.stdout, /Changed \.env:2 from TRUE to FALSE\.\nAUTO_CLEANUP_ENABLED is off \(\.env:2: FALSE\)\./);
    assert.equal(fs.readFileSync(ws.path(".env"), "utf8"), "A=1\nAUTO_CLEANUP_ENABLED=FALSE # keep the disk clean\nB=2\n");
    assert.equal((await offcut(["auto", "perhaps"], ws)).code, 2);
  });

  it("S0.10 R74: a database that decides is written only with --yes", async () => {
    ws.sql("UPDATE user_preferences SET auto_cleanup_enabled = 1");
    assert.equal((await offcut(["auto", "off"], ws)).code, 2);
    const off = await offcut(["auto", "off", "--yes", "--json"], ws);
    assert.equal(off.code, 0, off.stderr);
    assert.equal(json<{ enabled: boolean }>(off).enabled, false);
    const database = new DatabaseSync(ws.path("data/app.db"), { readOnly: true });
    assert.equal(database.prepare("SELECT auto_cleanup_enabled AS value FROM user_preferences").get()?.["value"], 0);
    database.close();
  });

  it("refuses to change a value that the environment sets", async () => {
    const outcome = await offcut(["auto", "off"], { ...ws, env: { AUTO_CLEANUP_ENABLED: "1" } });
    assert.equal(outcome.code, 4);
    assert.match(outcome.stderr, /set in the environment/);
  });

  it("S0.11: migrate shows what it would do, then does it once with a backup", async () => {
    assert.equal((await offcut(["migrate"], ws)).code, 2, "status tracking is off");
    ws.write("offcut.json", Buffer.from('{ "preset": "video-generator", "database": { "trackStatus": true } }'));
    const before = ws.snapshot({ everything: true });
    const dry = await offcut(["migrate"], ws);
    assert.match(dry.stdout, /ADD COLUMN cleanup_status[\s\S]*idx_projects_cleanup_status[\s\S]*Nothing was written/);
    assert.deepEqual(ws.snapshot({ everything: true }), before);
    const applied = json<{ migrations: { applied: boolean; backup: string }[] }>(await offcut(["migrate", "--yes", "--json"], ws));
    assert.equal(applied.migrations[0]?.applied, true);
    assert.ok(fs.statSync(ws.path(applied.migrations[0]?.backup ?? "")).size > 0);
    assert.match((await offcut(["migrate", "--yes"], ws)).stdout, /is there already; nothing to do/);
    assert.equal((await offcut(["clean", "--yes"], ws)).code, 0);
    const database = new DatabaseSync(ws.path("data/app.db"), { readOnly: true });
    const row = database.prepare("SELECT cleanup_status, cleanup_completed_at FROM projects WHERE id = 'p1'").get();
    assert.equal(row?.["cleanup_status"], "complete");
    assert.match(String(row?.["cleanup_completed_at"]), /^\d{4}-\d\d-\d\dT/);
    database.close();
  });

  it("R41: another cleaner of the same root is named and refused with 4", async () => {
    const { acquireLocks } = await import("../../core/reclaim/lock.ts");
    using _lock = await acquireLocks([ws.root]);
    const outcome = await offcut(["clean", "--yes"], ws);
    assert.equal(outcome.code, 4);
    assert.match(outcome.stderr, new RegExp(`process ${process.pid} is cleaning`));
    assert.ok(ws.files().includes(".cache/audio/p1/scene-1.mp3"));
  });

  it("R2: a root that is a link is refused", async () => {
    fs.symlinkSync(ws.root, `${ws.root}-link`);
    try {
      const outcome = await offcut(["clean", "--yes"], { root: `${ws.root}-link` });
      assert.equal(outcome.code, 4);
      assert.match(outcome.stderr, /is a symbolic link; use its real path/);
      assert.ok(ws.files().includes(".cache/audio/p1/scene-1.mp3"));
    } finally {
      fs.rmSync(`${ws.root}-link`);
    }
  });

  it("doctor finds what is wrong and exits with 3", async () => {
    assert.equal((await offcut(["doctor"], ws)).code, 0);
    fs.writeFileSync(ws.path("data/app.db"), "no database");
    const outcome = await offcut(["doctor"], ws);
    assert.equal(outcome.code, 3);
    assert.match(outcome.stdout, /✗ database: data\/app\.db is not an SQLite database/);
  });

  it("doctor names the preset that fits what is there", async () => {
    fs.rmSync(ws.path("offcut.json"));
    const advice = async (): Promise<string> => /✗ configuration: (.*)/.exec((await offcut(["doctor"], ws)).stdout)?.[1] ?? "";
    assert.match(
      await advice(),
      /what is there \(data\/app\.db, .*\) fits the preset video-generator, so write \{ "preset": "video-generator" \}$/,
    );
    for (const name of ["data", ".cache", "assets"]) fs.rmSync(ws.path(name), { recursive: true });
    assert.match(
      await advice(),
      /^there is no offcut\.json; write its stores, or .* with one of video-generator, upload-outputs, job-manifests, /,
    );
    for (const [file, preset] of [
      ["data/clips/e1.mp4", "clip-store"],
      ["outputs/jobs/a/scenes/1/video.mp4", "upload-outputs"],
      [".offcut/jobs/a.json", "job-manifests"],
    ] as const) {
      ws.write(file);
      if (preset === "upload-outputs") ws.write("outputs/videos/1.mp4");
      assert.match(await advice(), new RegExp(`fits the preset ${preset}, `));
    }
  });

  it("R56: scan says how many files in the directories of the stores match none of them", async () => {
    const stores = { clips: { path: "data/clips/{event}.mp4", role: "clip" }, covers: { path: "data/clips/{event}.jpg", role: "clip" } };
    ws.write("offcut.json", Buffer.from(JSON.stringify({ stores: { ...stores, deep: { path: "data/{name}.wav", role: "temp" } } })));
    for (const name of ["a.mp4", "b.jpg", "c.txt", "deep/d.mp4"]) ws.write(`data/clips/${name}`, 1024);
    ws.write("data/e.bin", 2048);
    fs.rmSync(ws.path("data/app.db"));
    const rest = [
      { path: "data/clips", files: 2, bytes: 2048 },
      { path: "data", files: 1, bytes: 2048 },
    ];
    assert.deepEqual(json<{ unmatched: object }>(await offcut(["scan", "--json"], ws)).unmatched, rest);
    const { stdout } = await offcut(["scan", "--store", "covers"], ws);
    assert.match(stdout, /^1\.0 KB in 1 file\n2 files in data\/clips \(2\.0 KB\) match no store, so they always stay$/m);
    assert.deepEqual(json<{ unmatched: object }>(await offcut(["scan", "--json", "--project", "p1"], ws)).unmatched, []);
  });

  it("scan counts by kind and needs no database", async () => {
    fs.rmSync(ws.path("data"), { recursive: true });
    const { total, stores } = json<{ total: { files: number }; stores: { name: string; files: number }[] }>(
      await offcut(["scan", "--json"], ws),
    );
    assert.equal(total.files, ws.files().filter((file) => file.startsWith(".cache/") || file.startsWith("assets/")).length);
    assert.ok(stores.some((store) => store.name === "audio" && store.files > 0));
  });
});
