import assert from "node:assert/strict";
import fs from "node:fs";
import {
  type CleanAnswer,
  type HistoryAnswer,
  type ItemsAnswer,
  type PlanSummary,
  refused,
  type RunDetails,
  type UndoAnswer,
} from "../../server/protocol.ts";
import { type Layout, makeLayout } from "../layout.ts";
import { type Client, failureOf, startClient } from "./client.ts";
import { addJob, JOB_SETTINGS } from "./jobPipeline.ts";

describe("server: jobs", () => {
  let layout: Layout;
  let client: Client;

  beforeEach(async () => {
    layout = makeLayout(JOB_SETTINGS);
    await addJob(layout, "done", { state: "succeeded" });
    await addJob(layout, "broken", { state: "failed" });
    await addJob(layout, "busy", { state: "running" });
    await addJob(layout, "lost", { state: "abandoned" });
    client = await startClient(layout.root);
  });

  afterEach(async () => {
    await client.stop();
    layout[Symbol.dispose]();
  });

  const planned = () => client.request<PlanSummary>("offcut/plan");
  const reclaimable = async () => [...new Set((await planned()).groups.flatMap((one) => (one.verdict === "reclaim" ? one.owner : [])))];

  it("S2: tells all owners with kind, state, lease and times", async () => {
    const { owners, groups } = await planned();
    const shown = owners.map(({ id, kind, type, state, status, released }) => [id, kind, type, state, status, released]);
    assert.deepEqual(shown.sort(), [
      ["broken", "job", "long_form", "failed", "failed", undefined],
      ["busy", "job", "long_form", "running", "running", undefined],
      ["done", "job", "long_form", "succeeded", "succeeded", undefined],
      ["lost", "job", "long_form", "failed", "abandoned", undefined],
    ]);
    const busy = owners.find(({ id }) => id === "busy");
    assert.match(busy?.lease ?? "", new RegExp(`^process ${process.pid} `));
    assert.ok(owners.every(({ startedMs }) => startedMs !== undefined && Math.abs(Date.now() - 60_000 - startedMs) < 30_000));
    assert.deepEqual(
      owners.flatMap(({ id, endedMs }) => (endedMs === undefined ? [id] : [])),
      ["busy"],
    );
    assert.ok(owners.every((owner) => !("source" in owner)));
    const why = new Map(groups.filter((group) => group.store === "slides").map((group) => [group.owner, group.reasons[0]?.reason]));
    assert.deepEqual(Object.fromEntries(why), {
      broken: "failed-held",
      busy: "owner-running",
      done: "owner-succeeded",
      lost: "failed-held",
    });
  });

  it("R37: releases what is held for debugging, holds it again, and cleans it when it is released", async () => {
    assert.deepEqual(await reclaimable(), ["done"]);
    await client.request("offcut/release", { owner: "broken" });
    await client.request("offcut/release", { owner: "lost" });
    assert.deepEqual(client.changed, [client.folder, client.folder]);
    const plan = await planned();
    assert.deepEqual(
      plan.owners
        .filter((owner) => owner.released)
        .map((owner) => owner.id)
        .sort(),
      ["broken", "lost"],
    );
    assert.deepEqual(await reclaimable(), ["broken", "done", "lost"]);
    await client.request("offcut/release", { owner: "lost", hold: true });
    assert.deepEqual(await reclaimable(), ["broken", "done"]);
    const { digest } = await planned();
    const cleaned = await client.request<CleanAnswer>("offcut/clean", { digest, projects: ["broken"] });
    assert.equal(cleaned.deletedFiles, 4);
    assert.equal(layout.files().filter((file) => file.includes("/broken/")).length, 0);
    assert.equal(layout.files().filter((file) => file.includes("/lost/")).length, 4);
  });

  it("R37: only what failed is released, and only as the user saw it", async () => {
    const unseen = await failureOf(client.request("offcut/release", { owner: "broken" }));
    assert.deepEqual([unseen.code, /refresh/.test(unseen.message)], [refused, true]);
    await planned();
    const running = await failureOf(client.request("offcut/release", { owner: "busy" }));
    assert.deepEqual([running.code, /did not fail/.test(running.message)], [refused, true]);
    const held = await failureOf(client.request("offcut/release", { owner: "broken", hold: true }));
    assert.deepEqual([held.code, /not released/.test(held.message)], [refused, true]);
    // It starts again and fails anew after the list was shown: somebody may want to see that failure.
    await addJob(layout, "broken", { state: "failed" });
    await client.request("offcut/release", { owner: "broken" });
    assert.deepEqual(await reclaimable(), ["done"]);
  });

  it("R82: without trust nothing is released", async () => {
    await planned();
    await using wary = await startClient(layout.root, { options: { trusted: false } });
    await wary.request("offcut/plan");
    const error = await failureOf(wary.request("offcut/release", { owner: "broken" }));
    assert.deepEqual([error.code, /not trusted/.test(error.message)], [refused, true]);
    assert.equal(fs.existsSync(layout.path(".offcut/releases.json")), false);
  });

  it("R32: a manifest that cannot be read is shown, and nothing goes", async () => {
    fs.writeFileSync(layout.path(".offcut/jobs/torn.json"), "{ torn");
    fs.mkdirSync(layout.path("output/jobs/torn/slides"), { recursive: true });
    fs.writeFileSync(layout.path("output/jobs/torn/slides/1.png"), "x");
    const plan = await planned();
    const torn = plan.owners.find((owner) => owner.id === "torn");
    assert.deepEqual([torn?.kind, torn?.state, torn?.startedMs], ["job", "unknown", undefined]);
    assert.equal(plan.totals.reclaim.files, 0);
    assert.ok(
      plan.problems.some((problem) => problem.source.endsWith("torn.json")),
      JSON.stringify(plan.problems),
    );
  });

  it("says that its list is old when a job changes", async () => {
    await planned();
    const patterns = client.registered
      .flatMap((one) => (one.registerOptions as { watchers: { globPattern: { baseUri: string; pattern: string } }[] }).watchers)
      .map(({ globPattern }) => `${globPattern.baseUri.slice(client.folder.length + 1)}/${globPattern.pattern}`);
    assert.ok(patterns.includes(".offcut/jobs/*.json"), patterns.join(" "));
    const told = new Promise<void>((resolve) => client.connection.onNotification("offcut/changed", () => resolve()));
    const uri = `${client.folder}/.offcut/jobs/busy.json`;
    await client.connection.sendNotification("workspace/didChangeWatchedFiles", { changes: [{ uri, type: 2 }] });
    await told;
  });

  it("R66: tells every file of a run, what became of it and why", async () => {
    const { digest } = await planned();
    const { run } = await client.request<CleanAnswer>("offcut/clean", { digest });
    const details = await client.request<RunDetails>("offcut/run", { run });
    const shown = details.files.map(({ path, owner, store, reason, state, bytes }) => [path, owner, store, reason, state, bytes]);
    assert.deepEqual(shown.sort(), [
      ["output/jobs/done/slides/slide-1.png", "done", "slides", "owner-succeeded", "held", 1000],
      ["output/jobs/done/slides/slide-2.png", "done", "slides", "owner-succeeded", "held", 1000],
      ["output/jobs/done/videos/cut-1.mp4", "done", "videos", "owner-succeeded", "held", 1000],
      ["output/jobs/done/videos/cut-2.mp4", "done", "videos", "owner-succeeded", "held", 1000],
    ]);
    assert.equal((await client.request<UndoAnswer>("offcut/undo", { run })).restoredFiles, 4);
    assert.deepEqual(
      (await client.request<HistoryAnswer>("offcut/history")).map((one) => [one.run, one.state]),
      [[run, "undone"]],
    );
    assert.ok((await client.request<RunDetails>("offcut/run", { run })).files.every((file) => file.state === "restored"));
    const error = await failureOf(client.request("offcut/run", { run: "nothing" }));
    assert.equal(error.code, refused);
  });

  it("pages the files that nobody owns as a group of their own", async () => {
    layout.settings({ stores: { ...JOB_SETTINGS.stores, loose: { path: "loose/{name}.tmp", role: "temp" } } });
    layout.write("loose/a.tmp", 10);
    const plan = await planned();
    const group = plan.groups.find((one) => one.store === "loose");
    assert.deepEqual([group?.owner, group?.verdict], [undefined, "keep"]);
    const params = { digest: plan.digest, verdict: "keep", group: { store: "loose" }, offset: 0, limit: 10 };
    assert.deepEqual(
      (await client.request<ItemsAnswer>("offcut/items", params)).map((item) => item.path),
      ["loose/a.tmp"],
    );
  });
});
