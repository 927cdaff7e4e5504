import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";
import { heldFiles, isRound, poll, startWatcher, type WatchEvent } from "./watcher.ts";

interface Runs {
  readonly runs: readonly { readonly run: string; readonly state: string; readonly files: number; readonly heldFiles: number }[];
}

describe("offcut watch: stores with limits, uploads, a full disk", function () {
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
      /has 70\.0 KB and may have 50\.0 KB; cleaning frees 0 B\. The target of 40\.0 KB is out of reach: pinned 70\.0 KB \(7 files: clips\/e2\.mp4, clips\/e3\.mp4, clips\/e4\.mp4, …\)\n/,
    );
    watcher.kill("SIGHUP");
    await poll(() => watcher.text().match(/out of reach/g)?.length === 2);
  });

  it("R58: what is held for undo counts as used, goes first, the oldest before the others, and that is said", async () => {
    const clips = { path: "clips/{event}.mp4", role: "clip", maxAge: "365d", maxBytes: "60KB", targetBytes: "50KB" };
    configure({}, { stores: { clips } });
    for (let n = 0; n < 4; n++) {
      ws.write(`clips/e${n}.mp4`, 10 * 1024);
      const ages = { ...clips, maxAge: "1ms" };
      configure({}, { stores: { clips: n < 3 ? ages : clips } });
      if (n < 3) assert.equal((await offcut(["clean", "--yes"], ws)).code, 0);
    }
    assert.equal(heldFiles(ws.root).length, 3);
    for (let n = 4; n < 7; n++) ws.write(`clips/e${n}.mp4`, 10 * 1024);
    const { stdout, stderr, code } = await offcut(["watch", "--once", "--json"], ws);
    assert.equal(code, 0, stderr);
    const round = JSON.parse(stdout) as WatchEvent;
    assert.match(round.message ?? "", /of earlier cleanups: Cleanup: Deleted 2 files, freed 0\.02 MB$/);
    const [oldest, middle, newest] = (await runs()).toReversed();
    assert.deepEqual([oldest?.state, middle?.state, newest?.state], ["purged", "purged", "held"]);
    assert.equal(ws.files().filter((file) => file.startsWith("clips/")).length, 4);
  });

  it("R57: a full disk is cleaned all the same", async function () {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return this.skip(); // Only root can make a small filesystem.
    const root = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", root]);
    try {
      const clips = { path: "clips/{event}.mp4", role: "clip", maxBytes: "4MB", targetBytes: "2MB" };
      fs.writeFileSync(`${root}/offcut.json`, JSON.stringify({ stores: { clips } }));
      fs.mkdirSync(`${root}/clips`);
      const add = (n: number): void => fs.writeFileSync(`${root}/clips/e${n}.mp4`, Buffer.alloc(256 * 1024));
      for (let n = 0; n < 20; n++) add(n);
      await using watcher = startWatcher(["--every", "1h", "--json"], { root });
      const first = await watcher.until(isRound);
      assert.deepEqual([first.outcome, first.deletedFiles], ["clean", 12], first.message);
      assert.throws(() => {
        for (let n = 20; n < 60; n++) add(n);
      }, /ENOSPC/);
      assert.throws(() => {
        for (let n = 0; ; n++) fs.appendFileSync(`${root}/filler`, Buffer.alloc(4096));
      }, /ENOSPC/);
      const full = await watcher.round();
      assert.equal(full.outcome, "clean", full.message);
      const left = fs.readdirSync(`${root}/clips`).reduce((sum, name) => sum + fs.statSync(`${root}/clips/${name}`).size, 0);
      assert.ok(left <= 2 * 1024 ** 2, `${left} bytes are left`);
      watcher.kill("SIGTERM");
      assert.equal((await watcher.ended).code, 0);
    } finally {
      execFileSync("umount", [root]);
      fs.rmdirSync(root);
    }
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
        items.map((item) => [item.path, item.reason, item.remote?.status]),
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
});
