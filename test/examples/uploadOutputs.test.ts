import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { install, type S3Server, start, unavailable } from "../../tools/storage/s3.mjs";
import { uploadJob } from "../../examples/upload-outputs/pipeline.ts";
import { openDirectory } from "../../examples/upload-outputs/remote.ts";
import { json, offcut } from "../cli/offcut.ts";
import { filesBelow, type PlanJson, runExample, summarize } from "./example.ts";

/** What one job makes: a picture, three videos of each of two scenes, two of the whole, and the metadata. */
const MADE = 10;
/** The upload of `cinder` breaks in the fourth file. */
const CINDER_LEFT = MADE - 3;

describe("upload-outputs", function () {
  this.timeout(60_000);
  let directory: string;
  let root: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "offcut-uploads-"));
    root = join(directory, "ws");
    runExample("upload-outputs", [root], { AWS_ENDPOINT_URL_S3: undefined });
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it("S1.1, S1.4: what was uploaded is gone locally and whole elsewhere; what was not is here for the retry", () => {
    const local = filesBelow(root, "outputs");
    assert.deepEqual(
      local.filter((path) => path.includes("/aurora/")),
      [],
    );
    assert.equal(local.filter((path) => path.includes("/cinder/")).length, CINDER_LEFT);
    const remote = filesBelow(`${root}-remote`, "outputs");
    assert.equal(remote.filter((path) => path.includes("/aurora/")).length, MADE);
    const breeze = local.filter((path) => path.includes("/breeze/"));
    assert.equal(breeze.length, MADE);
    for (const path of breeze) assert.ok(readFileSync(join(root, path)).equals(readFileSync(join(`${root}-remote`, path))), path);
  });

  it("S1.4, R36: of the broken upload half an object is there, no record, and the local file", () => {
    const path = "outputs/jobs/cinder/scenes/001/trimmed.mp4";
    const whole = readFileSync(join(root, path));
    assert.ok(readFileSync(join(`${root}-remote`, path)).equals(whole.subarray(0, whole.length / 2)));
    const recorded = readFileSync(join(root, "uploads.jsonl"), "utf8");
    assert.ok(!recorded.includes(path));
    assert.equal(recorded.trim().split("\n").length, 2 * MADE + MADE - CINDER_LEFT);
  });

  it("S1.6, R35: without an address nothing is proven, so everything is kept, with what to write", async () => {
    const plan = json<PlanJson>(await offcut(["plan", "--json"], { root }));
    assert.deepEqual(summarize(plan), { "keep upload-unverified": MADE + CINDER_LEFT });
    for (const item of plan.items) assert.match(item.evidence[0] ?? "", new RegExp(`set stores\\.${item.store}\\.upload`));
    const before = filesBelow(root, "outputs");
    const cleaned = await offcut(["clean", "--yes", "--json"], { root });
    assert.deepEqual([cleaned.code, filesBelow(root, "outputs")], [0, before], cleaned.stderr);
  });

  it("a configuration that somebody edited stays when the example is started again", () => {
    const there = join(directory, "edited");
    const edited = '{ "preset": "upload-outputs", "policy": { "grace": "2h" } }\n';
    mkdirSync(there);
    writeFileSync(join(there, "offcut.json"), edited);
    runExample("upload-outputs", [there], { AWS_ENDPOINT_URL_S3: undefined });
    assert.equal(readFileSync(join(there, "offcut.json"), "utf8"), edited);
  });

  it("S1.1, S1.7, R35: what was verified and could not be deleted goes at the next cleanup, by the record of it", async function () {
    const path = "outputs/jobs/held/video.mp4";
    const file = join(root, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "a video");
    if (spawnSync("chattr", ["+i", file]).status !== 0) return this.skip();
    const lines: string[] = [];
    try {
      const remote = openDirectory(`${root}-remote`);
      await uploadJob(root, [path], remote, { deleteLocal: true, log: (line) => lines.push(line) });
    } finally {
      spawnSync("chattr", ["-i", file]);
    }
    assert.deepEqual(lines, ["failed_to_delete_local_file"]);
    const plan = json<PlanJson>(await offcut(["plan", "--json"], { root }));
    const item = plan.items.find((one) => one.path === path);
    assert.deepEqual([item?.verdict, item?.reason], ["reclaim", "upload-verified"]);
    assert.match(item?.evidence[0] ?? "", /SHA-256/);
    assert.equal((await offcut(["clean", "--yes"], { root })).code, 0);
    assert.ok(!existsSync(file));
  });

  describe("with a bucket", () => {
    let server: S3Server;
    let client: S3Client;
    let environment: Record<string, string>;
    let bucketRoot: string;

    before(async function () {
      if (unavailable() !== undefined) return this.skip();
      this.timeout(300_000); // The first time the server is installed.
      install();
      server = await start();
      const { endpoint, region, accessKeyId, secretAccessKey } = server;
      environment = {
        AWS_ENDPOINT_URL_S3: endpoint,
        AWS_REGION: region,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
      };
      client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
      await client.send(new CreateBucketCommand({ Bucket: "offcut-demo" }));
      bucketRoot = join(directory, "bucket");
      runExample("upload-outputs", [bucketRoot], environment);
    });
    after(async () => {
      client?.destroy();
      await server?.stop();
    });

    it("S1.6, R35: takes exactly what is verified in the bucket, and gives it back", async () => {
      const workspace = { root: bucketRoot, env: environment };
      const before = filesBelow(bucketRoot, "outputs");
      assert.equal(before.length, MADE + CINDER_LEFT);
      const planned = await offcut(["plan", "--json"], workspace);
      const plan = json<PlanJson>(planned);
      assert.deepEqual(summarize(plan), { "reclaim upload-verified": MADE, "keep upload-unverified": CINDER_LEFT }, planned.stderr);
      const reasons = new Map(plan.items.map((item) => [item.path, item.evidence.join("; ")]));
      assert.match(reasons.get("outputs/jobs/breeze/video.mp4") ?? "", /s3:\/\/offcut-demo\/outputs\/jobs\/breeze\/video\.mp4 is verified/);
      assert.match(reasons.get("outputs/jobs/cinder/scenes/001/trimmed.mp4") ?? "", /has \d+ bytes, the (local )?file \d+/);

      const cleaned = await offcut(["clean", "--yes"], workspace);
      assert.match(cleaned.stdout + cleaned.stderr, /Cleanup: Deleted 10 files, freed 0\.00 MB/);
      assert.ok(filesBelow(bucketRoot, "outputs").every((path) => path.includes("/cinder/")));
      await offcut(["undo"], workspace);
      assert.deepEqual(filesBelow(bucketRoot, "outputs"), before);
    });

    it("S1.6: the workspace that was made without a bucket learns of it by the same command, in the order of the README", async () => {
      const there = join(directory, "in-order");
      runExample("upload-outputs", [there], { AWS_ENDPOINT_URL_S3: undefined });
      const before = json<PlanJson>(await offcut(["plan", "--json"], { root: there }));
      assert.deepEqual(summarize(before), { "keep upload-unverified": MADE + CINDER_LEFT });
      runExample("upload-outputs", [there], environment);
      const after = json<PlanJson>(await offcut(["plan", "--json"], { root: there, env: environment }));
      assert.deepEqual(summarize(after), { "reclaim upload-verified": MADE, "keep upload-unverified": CINDER_LEFT });
    });

    it("S1.6, R35: an object that is gone by then proves nothing", async () => {
      const Key = "outputs/jobs/breeze/metadata.json";
      await client.send(new DeleteObjectCommand({ Bucket: "offcut-demo", Key }));
      const cleaned = await offcut(["clean", "--yes", "--json"], { root: bucketRoot, env: environment });
      assert.equal(cleaned.code, 0, cleaned.stderr);
      const left = filesBelow(bucketRoot, "outputs").filter((path) => path.includes("/breeze/"));
      assert.deepEqual(left, [Key]);
    });

    it("S1.6, R19: nothing goes while the bucket cannot be reached", async () => {
      runExample("upload-outputs", [bucketRoot], environment);
      const before = filesBelow(bucketRoot, "outputs");
      const env = { ...environment, AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9", AWS_MAX_ATTEMPTS: "1" };
      const plan = json<PlanJson>(await offcut(["plan", "--json"], { root: bucketRoot, env }));
      assert.deepEqual(summarize(plan), { "keep upload-unverified": MADE + CINDER_LEFT });
      await offcut(["clean", "--yes"], { root: bucketRoot, env });
      assert.deepEqual(filesBelow(bucketRoot, "outputs"), before);
    });
  });
});
