import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import {
  type AutoAnswer,
  type CleanAnswer,
  type HistoryAnswer,
  type PlanSummary,
  type PurgeAnswer,
  type Question,
  refused,
  type UndoAnswer,
} from "../../server/protocol.ts";
import { poll } from "../editor/poll.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { type Client, failureOf, startClient } from "./client.ts";

describe("server: cleaning", () => {
  let workspace: Workspace;
  let client: Client;

  beforeEach(async () => {
    workspace = makeWorkspace();
    addProject(workspace, "p1", { scenes: 3, clips: ["nasa/a"] });
    addProject(workspace, "p2", { status: "rendering", clips: ["nasa/a"] });
    addProject(workspace, "p3");
    client = await startClient(workspace.root);
  });

  afterEach(async () => {
    await client.stop();
    workspace.dispose();
  });

  const planned = () => client.request<PlanSummary>("offcut/plan");

  it("cleans what was previewed, says so in the words of S0.8, undoes it byte by byte", async () => {
    const before = workspace.snapshot();
    const plan = await planned();
    const { result, progress } = await client.requestWithProgress<CleanAnswer>("offcut/clean", { digest: plan.digest });
    assert.equal(result.deletedFiles, plan.totals.reclaim.files);
    assert.match(
      result.message,
      /^Cleanup: Deleted 17 files, freed 0\.00 MB \(0\.01 MB held for undo until (\d{4}-\d\d-\d\d )?\d\d:\d\d\)$/,
    );
    assert.ok(
      progress.some((one) => one.kind === "report" && one.percentage === 100),
      JSON.stringify(progress),
    );
    assert.deepEqual(
      workspace.files().filter((file) => /\/p[13]\//.test(file)),
      ["p1", "p3"].flatMap((id) => [`.cache/output/${id}/final-thumb.jpg`, `.cache/output/${id}/final.mp4`]),
    );
    assert.deepEqual(client.changed, [client.folder]);

    const held = (await planned()).held;
    assert.deepEqual([held.files, held.bytes, held.undoUntil], [17, result.heldSpace, result.undoUntil]);
    const undone = await client.request<UndoAnswer>("offcut/undo", { run: result.run });
    assert.equal(undone.restoredFiles, 17);
    assert.match(undone.message, /^Undone: 17 files/);
    assert.deepEqual(workspace.snapshot(), before);
    const error = await failureOf(client.request("offcut/undo"));
    assert.deepEqual([error.code, /nothing to undo/.test(error.message)], [refused, true]);
  });

  it("R15: a file that came after the preview stays", async () => {
    const { digest } = await planned();
    const late = workspace.write(".cache/audio/p1/scene-77.mp3");
    const result = await client.request<CleanAnswer>("offcut/clean", { digest });
    assert.equal(result.deletedFiles, 17);
    assert.ok(fs.existsSync(late));
  });

  it("R15: a selection narrows the plan and never widens it; an empty one takes nothing (R21)", async () => {
    const { digest } = await planned();
    const file = (rel: string) => `${client.folder}/${rel}`;
    const clean = (part: object) => client.request<CleanAnswer>("offcut/clean", { digest, ...part });
    assert.equal((await clean({ projects: [] })).deletedFiles, 0);
    assert.equal((await clean({ files: [file(".cache/output/p1/final.mp4"), file(".cache/audio/p2/scene-1.mp3")] })).deletedFiles, 0);
    assert.equal((await clean({ projects: ["p1", "p2"], stores: ["audio", "final"] })).deletedFiles, 3);
    assert.equal(workspace.files().filter((one) => one.startsWith(".cache/audio/")).length, 4);
  });

  it("R16: a plan of another configuration or database is refused", async () => {
    const { digest } = await planned();
    workspace.sql("UPDATE projects SET status = 'rendering' WHERE id = 'p3'");
    const error = await failureOf(client.request("offcut/clean", { digest }));
    assert.deepEqual([error.code, /database or a job changed/.test(error.message)], [refused, true]);
    const again = await planned();
    workspace.write("offcut.json", Buffer.from('{ "preset": "video-generator", "policy": { "retention": "1h" } }'));
    const changed = await failureOf(client.request("offcut/clean", { digest: again.digest }));
    assert.match(changed.message, /configuration changed/);
  });

  it("R86: the question names count, bytes and roots, and until when it can be undone", async () => {
    const question = await client.request<Question>("offcut/prepare", { projects: ["p1"] });
    assert.deepEqual(question.totals.files, 10);
    assert.match(question.message, /^Clean up 10 files \(\d.*B\)\?$/);
    assert.match(question.action, /^Clean Up 10 Files$/);
    for (const root of [".cache/audio", ".cache/videos", ".cache/assembly"])
      assert.ok(question.detail.includes(workspace.path(root)), question.detail);
    assert.match(question.detail, /held for undo until \d{4}-/);
    const nothing = await client.request<Question>("offcut/prepare", { projects: ["p2"] });
    assert.deepEqual([nothing.totals.files, nothing.action], [0, ""]);
    assert.match(nothing.detail, /^Kept: 14 files/);
  });

  it("R20: what made the brake ask stands in the question", async () => {
    workspace.write("offcut.json", Buffer.from('{ "preset": "video-generator", "policy": { "brake": { "files": 3 } } }'));
    const question = await client.request<Question>("offcut/prepare");
    assert.match(question.detail, /17 files are more than 3/);
  });

  it("frees what is held and tells the measured figure", async () => {
    const { digest } = await planned();
    const { run } = await client.request<CleanAnswer>("offcut/clean", { digest });
    const answer = await client.request<PurgeAnswer>("offcut/purge");
    assert.equal(answer.deletedFiles, 17);
    assert.ok(answer.freedSpace >= 17 * 1000);
    assert.equal(answer.message, `Cleanup: Deleted 17 files, freed ${(answer.freedSpace / 1024 ** 2).toFixed(2)} MB`);
    const runs = await client.request<HistoryAnswer>("offcut/history");
    assert.deepEqual(
      runs.map((one) => [one.run, one.state]),
      [[run, "purged"]],
    );
    assert.match((await client.request<PurgeAnswer>("offcut/purge")).message, /freed 0\.00 MB\. no cleanup holds files$/);
  });

  it("R29: what is pinned is kept until the pin is removed", async () => {
    const keep = (params: object) => client.request("offcut/pin", params);
    await keep({ kind: "project", value: "p1" });
    await keep({ kind: "file", value: `${client.folder}/.cache/audio/p3/scene-1.mp3` });
    assert.equal((await planned()).totals.reclaim.files, 6);
    await keep({ kind: "project", value: "p1", remove: true });
    assert.equal((await planned()).totals.reclaim.files, 16);
    const error = await failureOf(keep({ kind: "store", value: "audio", remove: true }));
    assert.equal(error.code, refused);
  });

  it("S0.10: the switch is edited where it stands, and the database only after asking", async () => {
    workspace.write(".env", Buffer.from("A=1\nAUTO_CLEANUP_ENABLED=yes # keep\nB=2\n"));
    workspace.sql("UPDATE user_preferences SET auto_cleanup_enabled = 1");
    const ask = await client.request<AutoAnswer>("offcut/auto", { enabled: false });
    assert.deepEqual([ask.auto.kind, ask.auto.enabled, ask.changed], ["database", true, undefined]);
    assert.match(ask.askDatabase ?? "", /user_preferences/);
    const written = await client.request<AutoAnswer>("offcut/auto", { enabled: false, writeDatabase: true });
    assert.deepEqual([written.auto.kind, written.auto.enabled], ["database", false]);
    assert.match(fs.readFileSync(workspace.path(".env"), "utf8"), /=yes # keep/);

    workspace.sql("UPDATE user_preferences SET auto_cleanup_enabled = NULL");
    const edited = await client.request<AutoAnswer>("offcut/auto", { enabled: false });
    assert.deepEqual([edited.auto.source, edited.auto.enabled], [".env:2", false]);
    assert.equal(fs.readFileSync(workspace.path(".env"), "utf8"), "A=1\nAUTO_CLEANUP_ENABLED=no # keep\nB=2\n");
  });

  it("R82: an untrusted workspace is looked at, and nothing in it is changed", async () => {
    await client.request("offcut/clean", { digest: (await planned()).digest, projects: ["p3"] });
    const before = workspace.snapshot({ everything: true });
    await using wary = await startClient(workspace.root, { options: { trusted: false } });
    const plan = await wary.request<PlanSummary>("offcut/plan");
    assert.equal(plan.totals.reclaim.files, 0);
    assert.ok(plan.totals.keep.files > 0 && plan.groups.every((group) => group.reasons[0]?.reason === "catalog-unavailable"));
    const acts: [string, object][] = [
      ["offcut/prepare", {}],
      ["offcut/clean", { digest: plan.digest }],
      ["offcut/undo", {}],
      ["offcut/purge", {}],
      ["offcut/pin", { kind: "store", value: "audio" }],
      ["offcut/auto", { enabled: false }],
      ["workspace/executeCommand", { command: "offcut.server.clean" }],
      ["workspace/executeCommand", { command: "offcut.server.undo" }],
    ];
    for (const [method, params] of acts) {
      const error = await failureOf(wary.request(method, params));
      assert.deepEqual([method, error.code, /not trusted/.test(error.message)], [method, refused, true]);
    }
    assert.deepEqual(workspace.snapshot({ everything: true }), before);
    await wary.connection.sendNotification("offcut/trusted");
    assert.ok((await wary.request<PlanSummary>("offcut/plan")).totals.reclaim.files > 0);
  });

  it("R23: what a crash left is finished at the start, and said", async () => {
    const { digest } = await planned();
    const { run } = await client.request<CleanAnswer>("offcut/clean", { digest });
    // As after a power cut: the journal ends before the last outcome and the end.
    const journal = workspace.path(`.offcut/runs/${run}.jsonl`);
    const lines = fs.readFileSync(journal, "utf8").trimEnd().split("\n");
    const last = lines.findLastIndex((line) => line.includes('"held"'));
    const record = lines[last] ?? "";
    const { n, to = n } = JSON.parse(record.slice(record.indexOf("{"))) as { readonly n: number; readonly to?: number };
    const files = to === n ? "1 file" : `${to - n + 1} files`;
    fs.writeFileSync(journal, `${lines.slice(0, last).join("\n")}\n`);
    await using restarted = await startClient(workspace.root);
    const message = await poll("the message", () => restarted.shown[0]?.message);
    assert.ok(message.includes(`finished a cleanup that was interrupted: ${files} held for undo`), message);
    assert.deepEqual(
      (await restarted.request<HistoryAnswer>("offcut/history")).map((one) => [one.state, one.heldFiles]),
      [["held", 17]],
    );
  });

  it("frees the space of cleanups whose undo window is over, at the start", async () => {
    workspace.write("offcut.json", Buffer.from('{ "preset": "video-generator", "policy": { "undo": "30m" } }'));
    const { digest } = await planned();
    await client.request<CleanAnswer>("offcut/clean", { digest });
    await using later = await startClient(workspace.root, { now: () => Date.now() + 40 * 60_000 });
    await poll("the purge", async () => (await later.request<HistoryAnswer>("offcut/history"))[0]?.state === "purged");
    assert.deepEqual(fs.readdirSync(path.join(workspace.root, ".offcut/holds")), []);
  });

  it("E.7: any editor can preview, clean after a question, and undo", async () => {
    const run = (command: string) => client.connection.sendRequest<CleanAnswer | null>("workspace/executeCommand", { command });
    const before = workspace.snapshot();
    await run("offcut.server.preview");
    assert.match(client.shown.at(-1)?.message ?? "", /^Offcut would reclaim 17 files \(.*\) and keep \d+ files \(.*\)\.$/);
    assert.equal(await run("offcut.server.clean"), null);
    assert.match(client.asked[0]?.message ?? "", /^Clean up 17 files \(.*B\)\?/);
    assert.ok(client.asked[0]?.message.includes(workspace.path(".cache/audio")));
    assert.deepEqual(workspace.snapshot(), before);

    client.reply = (question) => question.actions?.[0] ?? null;
    assert.equal((await run("offcut.server.clean"))?.deletedFiles, 17);
    assert.match(client.shown.at(-1)?.message ?? "", /^Cleanup: Deleted 17 files/);
    await run("offcut.server.undo");
    assert.match(client.shown.at(-1)?.message ?? "", /^Undone: 17 files/);
    assert.deepEqual(workspace.snapshot(), before);
  });
});
