import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { CancellationTokenSource, LSPErrorCodes, ProgressType } from "vscode-languageserver/node";
import { configInvalid, type ConfigInvalidData, type ItemsAnswer, planExpired, type PlanSummary } from "../../server/protocol.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { type Client, failureOf, startClient, type WorkDone } from "./client.ts";

describe("server: plans", () => {
  let workspace: Workspace;
  let client: Client;

  beforeEach(async () => {
    workspace = makeWorkspace();
    addProject(workspace, "p1", { scenes: 3 });
    addProject(workspace, "p2", { status: "rendering", scenes: 2 });
    client = await startClient(workspace.root);
  });

  afterEach(async () => {
    await client.stop();
    workspace.dispose();
  });

  it("answers with groups, totals and reasons, by project and kind", async () => {
    const plan = await client.request<PlanSummary>("offcut/plan");
    const groups = plan.groups.map((group) => [group.verdict, group.owner, group.store, group.files, group.reasons[0]?.reason]);
    const expected = [
      ["reclaim", "p1", "assembly", 4, "owner-succeeded"],
      ["reclaim", "p1", "audio", 3, "owner-succeeded"],
      ["keep", "p1", "final", 1, "final-output"],
      ["keep", "p1", "provider", 3, "too-young"],
      ["reclaim", "p1", "segments", 3, "owner-succeeded"],
      ["keep", "p1", "thumbnail", 1, "final-output"],
      ["keep", "p2", "assembly", 3, "owner-running"],
    ];
    assert.deepEqual(groups.slice(0, expected.length), expected);
    const sum = (verdict: string, key: "files" | "bytes") =>
      plan.groups.filter((group) => group.verdict === verdict).reduce((total, group) => total + group[key], 0);
    for (const verdict of ["reclaim", "keep"] as const) {
      assert.deepEqual(plan.totals[verdict], { files: sum(verdict, "files"), bytes: sum(verdict, "bytes") });
    }
    assert.equal(plan.totals.reclaim.files, 10);
    assert.deepEqual(
      plan.roots,
      [".cache/assembly", ".cache/audio", ".cache/videos"].map((rel) => workspace.path(rel)),
    );
    assert.deepEqual(plan.held, { files: 0, bytes: 0 });
    assert.match(plan.configFile ?? "", /offcut\.json$/);
  });

  it("pages the files of a group, and of all groups", async () => {
    const { digest } = await client.request<PlanSummary>("offcut/plan");
    const group = { owner: "p1", store: "audio" };
    const first = await client.request<ItemsAnswer>("offcut/items", { digest, verdict: "reclaim", group, offset: 0, limit: 2 });
    const second = await client.request<ItemsAnswer>("offcut/items", { digest, verdict: "reclaim", group, offset: 2, limit: 2 });
    assert.deepEqual(
      [...first, ...second].map((item) => item.path),
      [1, 2, 3].map((n) => `.cache/audio/p1/scene-${n}.mp3`),
    );
    assert.ok(first.every((item) => fs.existsSync(new URL(item.uri)) && item.evidence.length > 0));
    const all = await client.request<ItemsAnswer>("offcut/items", { digest, verdict: "reclaim", offset: 0, limit: 100 });
    assert.equal(all.length, 10);
  });

  it("refuses files of a plan that is no longer the newest", async () => {
    const old = await client.request<PlanSummary>("offcut/plan");
    workspace.write(".cache/audio/p1/scene-9.mp3");
    await client.request<PlanSummary>("offcut/plan");
    const error = await failureOf(client.request("offcut/items", { digest: old.digest, verdict: "reclaim", offset: 0, limit: 1 }));
    assert.equal(error.code, planExpired);
  });

  it("R13: plans and previews write nothing", async () => {
    const before = workspace.snapshot({ everything: true });
    const { digest } = await client.request<PlanSummary>("offcut/plan");
    await client.request("offcut/items", { digest, verdict: "keep", offset: 0, limit: 100 });
    await client.request("offcut/prepare");
    await client.request("offcut/history");
    await client.request("offcut/auto");
    await client.request("workspace/executeCommand", { command: "offcut.server.preview" });
    assert.deepEqual(workspace.snapshot({ everything: true }), before);
  });

  it("names file and line of a configuration that cannot be used", async () => {
    workspace.write("offcut.json", Buffer.from('{\n  "preset": "video-generator",\n  "sotres": {}\n}\n'));
    const error = await failureOf(client.request("offcut/plan"));
    assert.equal(error.code, configInvalid);
    const [problem] = (error.data as ConfigInvalidData).problems;
    assert.equal(problem?.source, "offcut.json");
    assert.equal(problem?.line, 3);
  });

  it("reports progress on the token, and that it is over", async () => {
    const { progress } = await client.requestWithProgress<PlanSummary>("offcut/plan", {});
    assert.deepEqual([progress[0]?.kind, progress.at(-1)?.kind], ["begin", "end"]);
    assert.ok(
      progress.some((one) => one.kind === "report" && /files/.test(one.message ?? "")),
      JSON.stringify(progress),
    );
  });

  it("ends in the middle of a scan when it is cancelled", async () => {
    for (let i = 0; i < 3000; i++) workspace.write(`.cache/assembly/p1/part-${i}/frame.mp4`, 1);
    const cancel = new CancellationTokenSource();
    const seen: WorkDone[] = [];
    client.connection.onProgress(new ProgressType<WorkDone>(), "scan", (value) => {
      seen.push(value);
      if (value.kind === "report") cancel.cancel();
    });
    const request = client.connection.sendRequest("offcut/plan", { folder: client.folder, workDoneToken: "scan" }, cancel.token);
    const error = await failureOf(request);
    assert.equal(error.code, LSPErrorCodes.RequestCancelled);
    assert.ok(!seen.some((one) => one.kind === "report" && one.message?.startsWith("3010")), JSON.stringify(seen));
    const { totals } = await client.request<PlanSummary>("offcut/plan");
    assert.equal(totals.reclaim.files, 3010);
  });

  it("watches configuration, .env and databases, and says when one changed", async () => {
    await client.request("offcut/plan");
    const patterns = client.registered
      .flatMap((one) => (one.registerOptions as { watchers: { globPattern: { pattern: string } }[] }).watchers)
      .map((watcher) => watcher.globPattern.pattern);
    assert.deepEqual(patterns, [
      "offcut.json",
      "offcut.yaml",
      "offcut.yml",
      ".env",
      ".env.local",
      "app.db",
      "app.db-wal",
      "watch.json",
      "*.json",
    ]);
    const told = new Promise<void>((resolve) => client.connection.onNotification("offcut/changed", () => resolve()));
    const change = (file: string) => ({ uri: `${client.folder}/${file}`, type: 2 });
    await client.connection.sendNotification("workspace/didChangeWatchedFiles", {
      changes: [change("data/app.db-wal"), change(".env"), change("data/other.txt")],
    });
    await told;
  });

  it("finds problems in unsaved text, with their lines", async () => {
    const uri = `${client.folder}/offcut.json`;
    const open = (file: string, text: string) =>
      client.connection.sendNotification("textDocument/didOpen", { textDocument: { uri: file, languageId: "jsonc", version: 1, text } });
    await open(uri, '{\n  // as it was\n  "preset": "video-generator",\n  "policy": { "undo": "soon" }\n}\n');
    const report = await client.connection.sendRequest<{
      items: { range: { start: { line: number } }; message: string; severity: number }[];
    }>("textDocument/diagnostic", { textDocument: { uri } });
    assert.deepEqual([report.items[0]?.range.start.line, report.items[0]?.severity], [3, 1]);
    assert.match(report.items[0]?.message ?? "", /duration/);
    const other = `${client.folder}/package.json`;
    await open(other, "{");
    const none = await client.connection.sendRequest<{ items: unknown[] }>("textDocument/diagnostic", { textDocument: { uri: other } });
    assert.deepEqual(none.items, []);
    assert.equal(fs.readFileSync(path.join(workspace.root, "offcut.json"), "utf8").includes("soon"), false);
  });
});
