import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { type PinsAnswer, type PlanSummary, refused, type Told } from "../../server/protocol.ts";
import { type Layout, makeLayout } from "../layout.ts";
import { type Client, failureOf, startClient } from "./client.ts";
import { addJob, JOB_SETTINGS } from "./jobPipeline.ts";

describe("server: manifests that nobody can read", () => {
  let layout: Layout;
  let client: Client;

  beforeEach(async () => {
    layout = makeLayout(JOB_SETTINGS);
    await addJob(layout, "done", { state: "succeeded" });
    await addJob(layout, "torn", { state: "succeeded" });
    for (const suffix of ["json", "json.bak"]) fs.writeFileSync(layout.path(`.offcut/jobs/torn.${suffix}`), "{ torn");
    client = await startClient(layout.root);
  });

  afterEach(async () => {
    await client.stop();
    layout[Symbol.dispose]();
  });

  const planned = () => client.request<PlanSummary>("offcut/plan");
  const forget = (job: string, confirmed?: boolean) =>
    client.request<Told>("offcut/forget", { job, ...(confirmed !== undefined && { confirmed }) });
  const manifests = () =>
    fs
      .readdirSync(layout.path(".offcut/jobs"), { recursive: true })
      .map(String)
      .filter((name) => name.includes("torn"))
      .sort();

  it("R32: the problem names the job, and its paths begin in the folder", async () => {
    const { problems, totals } = await planned();
    assert.equal(totals.reclaim.files, 0);
    const problem = problems.find(({ severity }) => severity === "error");
    assert.deepEqual([problem?.job, problem?.source], ["torn", ".offcut/jobs/torn.json"]);
    assert.match(problem?.message ?? "", /^torn\.json is damaged /);
    assert.ok(!JSON.stringify(problems).includes(layout.root), JSON.stringify(problems));
  });

  it("R32: is set aside only after the user agreed, and then no longer stops the others", async () => {
    const asked = await forget("torn");
    assert.match(asked.message, /^torn\.json is damaged /);
    assert.deepEqual(manifests(), ["torn.json", "torn.json.bak"]);
    assert.equal((await planned()).totals.reclaim.files, 0);

    const done = await forget("torn", true);
    assert.equal(done.message, "The manifest of torn is now .offcut/jobs/damaged/torn.json; nothing reads it there.");
    assert.deepEqual(manifests(), ["damaged/torn.json", "damaged/torn.json.bak"]);
    assert.deepEqual(client.changed, [client.folder]);
    const { groups, problems } = await planned();
    assert.deepEqual(
      problems.filter(({ severity }) => severity === "error"),
      [],
    );
    const verdicts = groups.map((group) => `${group.owner ?? ""} ${group.store} ${group.verdict}`);
    assert.ok(verdicts.includes("done slides reclaim") && verdicts.includes("torn slides keep"), verdicts.join(", "));
    assert.ok(!verdicts.includes("torn slides reclaim"), verdicts.join(", "));
  });

  it("R71: a manifest that can be read, or that is newer, is not set aside", async () => {
    const readable = await failureOf(forget("done", true));
    assert.deepEqual([readable.code, /can be read/.test(readable.message)], [refused, true]);
    const [schema, rest] = ['{\n  "schema": 99,\n', '  "future": true\n}\n'];
    const newer = `${schema}  "checksum": "${createHash("sha256").update(schema).update(rest).digest("hex")}",\n${rest}`;
    fs.writeFileSync(layout.path(".offcut/jobs/later.json"), newer);
    const later = (await planned()).problems.find(({ source }) => source.endsWith("later.json"));
    assert.deepEqual([later?.severity, later?.job], ["error", undefined]);
    const error = await failureOf(forget("later", true));
    assert.deepEqual([error.code, /newer version/.test(error.message)], [refused, true]);
    assert.equal(fs.readFileSync(layout.path(".offcut/jobs/later.json"), "utf8"), newer);
    assert.equal((await failureOf(forget("../torn", true))).code, refused);
  });

  it("R82: without trust nothing is set aside", async () => {
    await using wary = await startClient(layout.root, { options: { trusted: false } });
    const error = await failureOf(wary.request("offcut/forget", { job: "torn", confirmed: true }));
    assert.deepEqual([error.code, /not trusted/.test(error.message)], [refused, true]);
    assert.deepEqual(manifests(), ["torn.json", "torn.json.bak"]);
  });

  it("R29: lists what is always kept so that it can be taken back", async () => {
    const pins = () => client.request<PinsAnswer>("offcut/pins");
    const file = `${client.folder}/output/jobs/done/slides/slide-1.png`;
    await client.request("offcut/pin", { kind: "project", value: "torn" });
    await client.request("offcut/pin", { kind: "file", value: file });
    const list = await pins();
    assert.deepEqual(list, [
      { kind: "project", value: "torn", name: "torn" },
      { kind: "file", value: file, name: "output/jobs/done/slides/slide-1.png" },
    ]);
    for (const { kind, value } of list) await client.request("offcut/pin", { kind, value, remove: true });
    assert.deepEqual(await pins(), []);
  });
});
