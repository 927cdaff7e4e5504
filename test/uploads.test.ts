import assert from "node:assert/strict";
import fs from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { cleanUp } from "../core/cleanUp.ts";
import { loadConfig } from "../core/config/load.ts";
import { makePlan } from "../core/makePlan.ts";
import type { Plan, UploadCheck } from "../core/model.ts";
import { identityOf } from "../core/reclaim/guard.ts";
import { findUnchecked, recordUpload, type UploadRequest, type UploadVerifier, type VerifyOptions } from "../core/uploads.ts";
import { type Layout, makeLayout } from "./layout.ts";

const environment = {};
const store = { path: "outputs/{job}/{file}.mp4", role: "upload" };
const target = "s3://bucket/outputs/{job}/{file}.mp4";

/** What was asked, and answers by the end of the address: the storage itself is tested in test/remote. */
function answering(
  answers: Readonly<Record<string, UploadCheck["status"]>>,
): UploadVerifier & { readonly asked: [UploadRequest, VerifyOptions][] } {
  const asked: [UploadRequest, VerifyOptions][] = [];
  return {
    asked,
    verify(requests, options = {}) {
      for (const request of requests) asked.push([request, options]);
      return Promise.resolve(
        requests.map(({ url }) => ({ url, status: answers[url.split("/").at(-1) ?? ""] ?? "missing", detail: "as the test says" })),
      );
    },
    async [Symbol.asyncDispose]() {},
  };
}

function plan(layout: Layout, more: object = {}): Promise<Plan> {
  return makePlan(loadConfig(layout.root), { environment, ...more });
}

const reasonsOf = (made: Plan): Record<string, string> =>
  Object.fromEntries(made.items.map((item) => [item.path.split("/").at(-1), `${item.verdict} ${item.reason}: ${item.evidence[0]}`]));

describe("uploads", () => {
  it("S1.6, R35: only a verified remote copy lets a file go; every other answer keeps it and says why", async () => {
    using layout = makeLayout({ stores: { videos: { ...store, upload: target } } });
    const statuses = ["verified", "different", "missing", "unproven", "unreachable"] as const;
    for (const status of statuses) layout.write(`outputs/j1/${status}.mp4`);
    const verifier = answering(Object.fromEntries(statuses.map((status) => [`${status}.mp4`, status])));
    const reasons = reasonsOf(await plan(layout, { verifier }));
    assert.match(
      reasons["verified.mp4"] ?? "",
      /^reclaim upload-verified: the remote copy s3:\/\/bucket\/outputs\/j1\/verified\.mp4 is verified/,
    );
    for (const status of statuses.slice(1))
      assert.match(reasons[`${status}.mp4`] ?? "", /^keep upload-unverified: s3:\/\/bucket\/outputs\/j1\/\w+\.mp4: as the test says/);
    assert.equal(verifier.asked.length, 5);
  });

  it("R19, R82: without anybody to ask, without an address, and in an untrusted workspace everything is kept", async () => {
    using layout = makeLayout({ stores: { videos: { ...store, upload: target }, others: { path: "other/{file}.bin", role: "upload" } } });
    layout.write("outputs/j1/a.mp4");
    layout.write("other/b.bin");
    const alone = reasonsOf(await plan(layout));
    assert.match(alone["a.mp4"] ?? "", /keep upload-unverified: s3:.*was not asked yet/);
    assert.match(alone["b.bin"] ?? "", /keep upload-unverified: nothing says where its remote copy is; set stores\.others\.upload/);
    const verifier = answering({ "a.mp4": "verified" });
    assert.equal((await plan(layout, { verifier, trusted: false })).totals.reclaim.files, 0);
    assert.equal(verifier.asked.length, 0);
  });

  it("R35: right before the move it is asked again, fresh, and what is not there any more stays", async () => {
    using layout = makeLayout({ stores: { videos: { ...store, upload: target } } });
    layout.write("outputs/j1/a.mp4");
    layout.write("outputs/j1/b.mp4");
    const made = await plan(layout, { verifier: answering({ "a.mp4": "verified", "b.mp4": "verified" }) });
    assert.equal(made.totals.reclaim.files, 2);
    const verifier = answering({ "a.mp4": "verified" });
    const result = await cleanUp(loadConfig(layout.root), made, { environment, verifier });
    assert.deepEqual(layout.files(), ["outputs/j1/b.mp4"]);
    assert.ok(verifier.asked.every(([, options]) => options.fresh === true));
    assert.match(result.skipped[0]?.reason ?? "", /as the test says/);
  });

  it("R36: with a table of uploads a file without a row stays, whatever the storage says", async () => {
    using layout = makeLayout({
      database: { path: "data/app.db", uploads: { videos: "SELECT path, url FROM uploads" } },
      stores: { videos: { ...store, upload: target } },
    });
    fs.mkdirSync(layout.path("data"));
    const database = new DatabaseSync(layout.path("data/app.db"));
    database.exec(
      "CREATE TABLE uploads (path TEXT, url TEXT); INSERT INTO uploads VALUES ('outputs/j1/a.mp4', 's3://bucket/rows/a.mp4'), ('outputs/j1/c.mp4', NULL)",
    );
    database.close();
    for (const name of ["a", "b", "c"]) layout.write(`outputs/j1/${name}.mp4`);
    const verifier = answering({ "a.mp4": "verified", "b.mp4": "verified", "c.mp4": "verified" });
    const reasons = reasonsOf(await plan(layout, { verifier }));
    assert.match(reasons["a.mp4"] ?? "", /^reclaim upload-verified/);
    for (const name of ["b", "c"])
      assert.match(reasons[`${name}.mp4`] ?? "", /keep upload-unverified: no row of database\.uploads\.videos says that it was uploaded/);
    assert.deepEqual(
      verifier.asked.map(([request]) => request.url),
      ["s3://bucket/rows/a.mp4"],
      "nobody is asked in vain",
    );
  });

  it("R36: the row's address is asked, and that of the store only where the row's is none of a storage", async () => {
    const upload = { to: "s3://bucket/{job}/{file}.mp4", endpoint: "http://127.0.0.1:9000", region: "here" };
    using layout = makeLayout({
      database: { path: "data/app.db", uploads: { videos: "SELECT path, url FROM uploads" } },
      stores: { videos: { ...store, upload } },
    });
    fs.mkdirSync(layout.path("data"));
    const rows = {
      gone: "s3://bucket/elsewhere/gone.mp4",
      amazon: "https://films.s3.eu-west-1.amazonaws.com/amazon.mp4?X-Amz-Signature=SECRET",
      public: "https://cdn.example/public.mp4?sig=SECRET",
    };
    {
      using database = new DatabaseSync(layout.path("data/app.db"));
      database.exec("CREATE TABLE uploads (path TEXT, url TEXT)");
      const insert = database.prepare("INSERT INTO uploads VALUES (?, ?)");
      for (const [name, url] of Object.entries(rows)) {
        layout.write(`outputs/j1/${name}.mp4`);
        insert.run(`outputs/j1/${name}.mp4`, url);
      }
    }
    const verifier = answering({ "public.mp4": "verified" });
    const reasons = reasonsOf(await plan(layout, { verifier }));
    assert.deepEqual(
      Object.fromEntries(verifier.asked.map(([{ file, url, endpoint, region }]) => [file.split("/").at(-1), [url, endpoint, region]])),
      {
        "gone.mp4": [rows.gone, upload.endpoint, upload.region],
        "amazon.mp4": [rows.amazon, undefined, undefined],
        "public.mp4": ["s3://bucket/j1/public.mp4", upload.endpoint, upload.region],
      },
    );
    assert.match(reasons["gone.mp4"] ?? "", /^keep upload-unverified/);
    assert.match(reasons["public.mp4"] ?? "", /^reclaim upload-verified/);
    assert.doesNotMatch(JSON.stringify(await plan(layout)), /SECRET/, "nor while nobody was asked yet");
  });

  it("R36: what was answered about one address says nothing about another that a row names meanwhile", async () => {
    using layout = makeLayout({
      database: { path: "data/app.db", uploads: { videos: "SELECT path, url FROM uploads" } },
      stores: { videos: store },
    });
    fs.mkdirSync(layout.path("data"));
    using database = new DatabaseSync(layout.path("data/app.db"));
    database.exec("CREATE TABLE uploads (path TEXT, url TEXT); INSERT INTO uploads VALUES ('outputs/j1/a.mp4', 's3://bucket/a.mp4')");
    layout.write("outputs/j1/a.mp4");
    const made = await plan(layout, { verifier: answering({ "a.mp4": "verified" }) });
    assert.equal(made.totals.reclaim.files, 1);
    const verifier = answering({ "a.mp4": "verified" });
    const moving: UploadVerifier = {
      async verify(requests, options) {
        const checks = await verifier.verify(requests, options);
        database.exec("UPDATE uploads SET url = 's3://bucket/moved/a.mp4'");
        return checks;
      },
      async [Symbol.asyncDispose]() {},
    };
    const result = await cleanUp(loadConfig(layout.root), made, { environment, verifier: moving });
    assert.equal(verifier.asked[0]?.[0].url, "s3://bucket/a.mp4");
    assert.deepEqual(layout.files(), ["data/app.db", "outputs/j1/a.mp4"]);
    assert.match(result.skipped[0]?.reason ?? "", /s3:\/\/bucket\/moved\/a\.mp4 was not asked yet/);
  });

  it("S1.6: the row's address is asked where the store has none", async () => {
    using layout = makeLayout({
      database: { path: "data/app.db", uploads: { videos: "SELECT path, url FROM uploads" } },
      stores: { videos: store },
    });
    fs.mkdirSync(layout.path("data"));
    const database = new DatabaseSync(layout.path("data/app.db"));
    database.exec("CREATE TABLE uploads (path TEXT, url TEXT); INSERT INTO uploads VALUES ('outputs/j1/a.mp4', 'gs://b/a.mp4')");
    database.close();
    layout.write("outputs/j1/a.mp4");
    const verifier = answering({ "a.mp4": "verified" });
    assert.equal((await plan(layout, { verifier })).totals.reclaim.files, 1);
    assert.equal(verifier.asked[0]?.[0].url, "gs://b/a.mp4");
  });

  it("S1.4, R3: a record of the pipeline proves the very file that it was made for, and no other that came to its place", async () => {
    using layout = makeLayout({ stores: { videos: store } });
    const file = layout.write("outputs/j1/a.mp4");
    const identity = identityOf(file);
    assert.ok(identity);
    const { dev, ino, bytes, mtimeNs } = identity;
    recordUpload(layout.root, {
      file,
      identity: { dev, ino, bytes, mtimeNs },
      url: "s3://b/a.mp4",
      at: "2026-01-01T00:00:00Z",
      detail: "size",
    });
    assert.match(reasonsOf(await plan(layout))["a.mp4"] ?? "", /^reclaim upload-verified: .*the pipeline verified it at 2026/);
    fs.rmSync(file);
    layout.write("outputs/j1/a.mp4", "another film");
    assert.match(reasonsOf(await plan(layout))["a.mp4"] ?? "", /^keep upload-unverified/);
  });

  it("S1.6: a record that holds a signature is shown without it", async () => {
    using layout = makeLayout({ stores: { videos: store } });
    const file = layout.write("outputs/j1/a.mp4");
    const { dev, ino, bytes, mtimeNs } = identityOf(file)!;
    const url = "https://user:SECRET@films.example/a.mp4?sig=SECRET";
    recordUpload(layout.root, { file, identity: { dev, ino, bytes, mtimeNs }, url, at: "2026-01-01T00:00:00Z", detail: "size" });
    const [item] = (await plan(layout)).items;
    assert.equal(item?.remote?.url, "https://films.example/a.mp4");
    assert.doesNotMatch(JSON.stringify(item), /SECRET/);
  });

  it("R35, R36: what the storage says now counts more than an old record, and a missing row more than both", async () => {
    using layout = makeLayout({
      database: { path: "data/app.db", uploads: { rows: "SELECT path, url FROM uploads" } },
      stores: { videos: { ...store, upload: target }, rows: { path: "rows/{file}.mp4", role: "upload" } },
    });
    fs.mkdirSync(layout.path("data"));
    const database = new DatabaseSync(layout.path("data/app.db"));
    database.exec("CREATE TABLE uploads (path TEXT, url TEXT)");
    database.close();
    for (const name of ["outputs/j1/gone.mp4", "outputs/j1/untold.mp4", "rows/r.mp4"]) {
      const file = layout.write(name);
      const { dev, ino, bytes, mtimeNs } = identityOf(file)!;
      recordUpload(layout.root, {
        file,
        identity: { dev, ino, bytes, mtimeNs },
        url: `s3://b/${name}`,
        at: "2020-01-01T00:00:00Z",
        detail: "size",
      });
    }
    const verifier = answering({ "gone.mp4": "missing", "untold.mp4": "unproven", "r.mp4": "verified" });
    const reasons = reasonsOf(await plan(layout, { verifier }));
    assert.match(reasons["gone.mp4"] ?? "", /^keep upload-unverified/);
    assert.match(reasons["untold.mp4"] ?? "", /^reclaim upload-verified/, "where the storage cannot tell the record stands");
    assert.match(reasons["r.mp4"] ?? "", /^keep upload-unverified: no row/);
  });

  it("R19, R35: storages that do not answer are told, one warning per store, the commonest reason first", () => {
    const one = (name: string, status: UploadCheck["status"], detail: string) => ({
      store: name,
      remote: { status, url: "s3://b/k", detail },
    });
    const problems = findUnchecked([
      { store: "temp" },
      one("videos", "unreachable", "the storage did not answer in time"),
      one("videos", "unreachable", "the storage refuses access (403)"),
      one("videos", "verified", "SHA-256 agrees"),
      one("videos", "missing", "there is no such object"),
      one("videos", "unreachable", "the storage refuses access (403)"),
      one("clips", "unreachable", "no credentials were found for the storage"),
      one("done", "verified", "SHA-256 agrees"),
    ]);
    assert.deepEqual(problems, [
      {
        severity: "warning",
        source: "remote storage",
        message:
          '3 uploads of the store "videos" could not be checked: the storage refuses access (403), the storage did not answer in time; they are kept until the storage answers',
      },
      {
        severity: "warning",
        source: "remote storage",
        message:
          '1 upload of the store "clips" could not be checked: no credentials were found for the storage; it is kept until the storage answers',
      },
    ]);
    const many = Array.from({ length: 50 }, (_, i) => one("videos", "unreachable", `reason ${i}`));
    assert.match(findUnchecked(many)[0]?.message ?? "", /^50 uploads .*checked: reason 0, reason 1, reason 2; they/, "not fifty reasons");
    assert.deepEqual(findUnchecked([one("videos", "unproven", "the storage knows no checksum")]), []);
  });

  it("R19: a record that cannot be understood proves nothing and stops nothing", async () => {
    using layout = makeLayout({ stores: { videos: { ...store, upload: target } } });
    layout.write("outputs/j1/a.mp4");
    layout.write(".offcut/uploads/x.json", '{ "schema": 1, "file": "/w/a.mp4" }');
    fs.mkdirSync(layout.path(".offcut/uploads/y.json"));
    assert.match(reasonsOf(await plan(layout))["a.mp4"] ?? "", /^keep upload-unverified/);
  });

  it("R31: by itself nothing fresh goes of a job of which nobody says that it ended", async () => {
    using layout = makeLayout({ stores: { videos: { ...store, upload: target } } });
    layout.write("outputs/j1/a.mp4");
    const verifier = answering({ "a.mp4": "verified" });
    assert.match(reasonsOf(await plan(layout, { verifier, mode: "automatic" }))["a.mp4"] ?? "", /^keep too-young/);
    const later = await plan(layout, { verifier, mode: "automatic", now: () => Date.now() + 2 * 3_600_000 });
    assert.match(reasonsOf(later)["a.mp4"] ?? "", /^reclaim upload-verified/);
  });

  it("R35: a file that two stores match is an upload before it is temporary", async () => {
    using layout = makeLayout({
      stores: { all: { path: "outputs/{job}/", role: "temp", maxAge: "1h" }, videos: { ...store, upload: target } },
    });
    layout.write("outputs/j1/a.mp4");
    const made = await plan(layout, { mode: "automatic", now: () => Date.now() + 2 * 3_600_000 });
    assert.match(reasonsOf(made)["a.mp4"] ?? "", /^keep upload-unverified/);
  });

  it("R26: the copy of a job that is not finished stays, verified or not", async () => {
    using layout = makeLayout({
      database: { path: "data/app.db", owners: "SELECT id, status FROM jobs", states: { succeeded: ["done"] } },
      stores: { videos: { ...store, upload: target } },
    });
    fs.mkdirSync(layout.path("data"));
    const database = new DatabaseSync(layout.path("data/app.db"));
    database.exec("CREATE TABLE jobs (id TEXT, status TEXT); INSERT INTO jobs VALUES ('j1', 'rendering'), ('j2', 'done')");
    database.close();
    layout.write("outputs/j1/a.mp4");
    layout.write("outputs/j2/b.mp4");
    const reasons = reasonsOf(await plan(layout, { verifier: answering({ "a.mp4": "verified", "b.mp4": "verified" }) }));
    assert.match(reasons["a.mp4"] ?? "", /^keep owner-running/);
    assert.match(reasons["b.mp4"] ?? "", /^reclaim upload-verified/);
  });
});
