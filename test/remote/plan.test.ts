import assert from "node:assert/strict";
import fs from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { loadConfig } from "../../core/config/load.ts";
import { makePlan } from "../../core/makePlan.ts";
import type { Plan } from "../../core/model.ts";
import { createUploadVerifier } from "../../core/remote/verifier.ts";
import type { S3Server } from "../../tools/storage/s3.mjs";
import { type Layout, makeLayout } from "../layout.ts";
import { type Bucket, makeBucket, startServer } from "./bucket.ts";

const CONTENT = Buffer.from("frames");

describe("plans of uploads to a real S3 server", function () {
  this.timeout(60_000);
  let server: S3Server | undefined;
  let bucket: Bucket;
  before(async function () {
    server = await startServer(this);
    bucket = await makeBucket(server);
  });
  after(async () => {
    bucket?.client.destroy();
    await server?.stop();
  });

  async function plan(layout: Layout, environment: Readonly<Record<string, string>>): Promise<Plan> {
    await using verifier = createUploadVerifier({ environment });
    return await makePlan(loadConfig(layout.root), { environment, verifier });
  }

  it("R36: an object that the template finds is no proof where the row names another one that is not there", async () => {
    using layout = makeLayout({
      database: { path: "data/app.db", uploads: { videos: "SELECT path, url FROM uploads" } },
      stores: { videos: { path: "outputs/{file}.mp4", role: "upload", upload: `${bucket.url("mv")}/{file}.mp4` } },
    });
    const rows = { elsewhere: bucket.url("elsewhere/gone.mp4"), there: bucket.url("rows/there.mp4"), web: "https://cdn.example/web.mp4" };
    fs.mkdirSync(layout.path("data"));
    {
      using database = new DatabaseSync(layout.path("data/app.db"));
      database.exec("CREATE TABLE uploads (path TEXT, url TEXT)");
      const insert = database.prepare("INSERT INTO uploads VALUES (?, ?)");
      for (const [name, url] of Object.entries(rows)) {
        layout.write(`outputs/${name}.mp4`, CONTENT);
        insert.run(`outputs/${name}.mp4`, url);
      }
    }
    for (const key of ["mv/elsewhere.mp4", "rows/there.mp4", "mv/web.mp4"]) await bucket.put(key, CONTENT);
    const { items } = await plan(layout, bucket.environment);
    assert.deepEqual(Object.fromEntries(items.map((item) => [item.path, `${item.reason} ${item.remote?.status} ${item.remote?.url}`])), {
      "outputs/elsewhere.mp4": `upload-unverified missing ${rows.elsewhere}`,
      "outputs/there.mp4": `upload-verified verified ${rows.there}`,
      "outputs/web.mp4": `upload-verified verified ${bucket.url("mv/web.mp4")}`,
    });
  });

  const troubles: readonly [string, () => Record<string, string>, RegExp][] = [
    ["refuses", () => ({ AWS_SECRET_ACCESS_KEY: "wrong" }), /^the storage refuses access \(403\)$/],
    ["is not there", () => ({ AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" }), /^there is no connection to the storage \(ECONNREFUSED\)$/],
  ];
  for (const [what, changed, why] of troubles)
    it(`R19, R35: a storage that ${what} is told, and everything is kept`, async () => {
      using layout = makeLayout({
        stores: { videos: { path: "outputs/{file}.mp4", role: "upload", upload: `${bucket.url("told")}/{file}.mp4` } },
      });
      for (const name of ["a", "b", "c"]) {
        layout.write(`outputs/${name}.mp4`, CONTENT);
        await bucket.put(`told/${name}.mp4`, CONTENT);
      }
      const well = await plan(layout, bucket.environment);
      assert.equal(well.totals.reclaim.files, 3);
      assert.deepEqual(well.problems, []);
      const ill = await plan(layout, { ...bucket.environment, ...changed() });
      assert.equal(ill.totals.reclaim.files, 0);
      const { problems } = ill;
      const [, reason] =
        /^3 uploads of the store "videos" could not be checked: (.*); they are kept until/.exec(problems[0]?.message ?? "") ?? [];
      assert.match(reason ?? "", why);
      assert.deepEqual([problems.length, problems[0]?.severity, problems[0]?.source], [1, "warning", "remote storage"]);
    });
});
