import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { checkMedia } from "../../../core/catalog/media/check.ts";
import type { Studio } from "./studio.ts";
import { audio, findFfmpeg, openStudio, video } from "./studio.ts";

describe("media check: the file itself", () => {
  let studio: Studio;
  let mp4: string;

  before(() => {
    studio = openStudio();
    mp4 = studio.make("final.mp4", ...video, "-c:v", "libx264");
    utimesSync(mp4, 1, 1);
  });
  after(() => studio.close());

  it("R34: a complete final is complete, with its identity", async () => {
    const check = await checkMedia(mp4);
    const stats = statSync(mp4, { bigint: true });
    assert.equal(check.status, "complete", check.detail);
    assert.equal(check.format, "mp4");
    assert.equal(check.bytes, Number(stats.size));
    assert.deepEqual(check.identity, {
      dev: String(stats.dev),
      ino: String(stats.ino),
      bytes: Number(stats.size),
      mtimeNs: String(stats.mtimeNs),
    });
  });

  it("R34: a file that is not there is missing", async () => {
    assert.equal((await checkMedia(join(studio.directory, "none.mp4"))).status, "missing");
    assert.equal((await checkMedia(join(mp4, "below-a-file.mp4"))).status, "missing");
  });

  it("S0.7: an empty file is incomplete", async () => {
    const check = await studio.checkBytes("empty.mp4", Buffer.alloc(0));
    assert.deepEqual([check.status, check.detail, check.bytes], ["incomplete", "empty", 0]);
  });

  it("R34: a link to a complete file is not followed", async () => {
    const link = join(studio.directory, "link.mp4");
    symlinkSync(mp4, link);
    const check = await checkMedia(link);
    assert.equal(check.status, "incomplete");
    assert.match(check.detail, /symbolic link/);
  });

  it("R34: a directory and a FIFO are not files", async () => {
    const directory = join(studio.directory, "directory.mp4");
    mkdirSync(directory);
    assert.match((await checkMedia(directory)).detail, /directory/);
    if (process.platform === "win32") return;
    const fifo = join(studio.directory, "fifo.mp4");
    assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
    const check = await checkMedia(fifo);
    assert.deepEqual([check.status, check.detail], ["incomplete", "not a regular file"]);
  });

  it("R34: a file that may not be read is unknown", function () {
    if (process.platform === "win32") this.skip();
    const secret = join(studio.directory, "secret.mp4");
    copyFileSync(mp4, secret);
    chmodSync(secret, 0);
    chmodSync(studio.directory, 0o755);
    const source = pathToFileURL(join(import.meta.dirname, "../../../core/catalog/media/check.ts")).href;
    const code = `import { checkMedia } from ${JSON.stringify(source)}; console.log(JSON.stringify(await checkMedia(${JSON.stringify(secret)})));`;
    const node = [process.execPath, "--input-type=module", "-e", code];
    const user = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...node] : node;
    const [program = "", ...args] = user;
    const child = spawnSync(program, args, { encoding: "utf8" });
    assert.equal(child.status, 0, child.stderr);
    const check: unknown = JSON.parse(child.stdout);
    assert.partialDeepStrictEqual(check, { status: "unknown", detail: "cannot be read (EACCES)" });
  });

  it("R34: a format that nobody knows is unknown", async () => {
    assert.equal((await studio.checkBytes("notes.xyz", Buffer.from("hello, world"))).status, "unknown");
  });

  it("R34: the content decides, and a wrong extension is found", async () => {
    const bytes = readFileSync(mp4);
    assert.equal((await studio.checkBytes("final.bin", bytes)).status, "complete");
    assert.equal((await studio.checkBytes("final.m4v", bytes)).status, "complete");
    assert.match((await studio.checkBytes("final.webm", bytes)).detail, /named \.webm but starts like a mp4/);
    const picture = readFileSync(studio.make("thumb.jpg", ...video, "-frames:v", "1"));
    const check = await studio.checkBytes("final.mp4", picture);
    assert.deepEqual([check.status, check.detail], ["incomplete", "named .mp4 but starts like a jpeg file"]);
    assert.match((await studio.checkBytes("zeros.mp4", Buffer.alloc(4096))).detail, /does not start like/);
  });

  it("R34: a file that moves between two looks is not complete", async () => {
    const growing = join(studio.directory, "growing.mp4");
    copyFileSync(mp4, growing);
    const looking = checkMedia(growing, { settleMs: 400 });
    const state = { done: false };
    void looking.then(() => (state.done = true));
    // Free boxes keep the container valid at every moment, so only the second look can tell.
    const free = Buffer.from([0, 0, 0, 8, ...Buffer.from("free")]);
    while (!state.done) {
      appendFileSync(growing, free);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const check = await looking;
    assert.deepEqual([check.status, check.detail], ["incomplete", "changed while it was looked at"]);
  });

  it("R34: an aborted check says so and gives no result", async () => {
    await assert.rejects(checkMedia(mp4, { signal: AbortSignal.abort(new Error("stop")) }), /stop/);
    const fresh = join(studio.directory, "fresh.mp4");
    copyFileSync(mp4, fresh);
    const controller = new AbortController();
    const looking = checkMedia(fresh, { settleMs: 60_000, signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(looking, { name: "AbortError" });
  });

  it("R34: a part that no sample uses may be large, and its end still counts", async () => {
    const bytes = readFileSync(mp4);
    const big = join(studio.directory, "big.mp4");
    const header = Buffer.alloc(8);
    header.writeUInt32BE(200_000_000, 0);
    header.write("free", 4, "latin1");
    writeFileSync(big, Buffer.concat([bytes, header]));
    truncateSync(big, bytes.length + 200_000_000);
    assert.equal((await checkMedia(big, { settleMs: 0 })).status, "complete");
    truncateSync(big, bytes.length + 199_999_999);
    assert.equal((await checkMedia(big, { settleMs: 0 })).status, "incomplete");
  });

  // What a writer that was killed really leaves, in place of a cut that a test makes up.
  const killed: Readonly<Record<string, readonly string[]>> = {
    "killed.mp4": ["-c:v", "libx264", "-g", "15"],
    "killed-fragments.mp4": ["-c:v", "libx264", "-g", "15", "-movflags", "frag_keyframe+empty_moov"],
    "killed.mkv": ["-c:v", "libx264", "-g", "15", "-cluster_time_limit", "500"],
    "killed.webm": ["-c:v", "libvpx", "-deadline", "realtime", "-cluster_time_limit", "500"],
    "killed.wav": ["-vn"],
    "killed.mp3": ["-vn"],
  };
  for (const [name, args] of Object.entries(killed)) {
    it(`R34: ${name}, whose writer was killed, is not complete`, async () => {
      const path = join(studio.directory, name);
      const endless = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=15", "-f", "lavfi", "-i", "sine"];
      const child = spawn(findFfmpeg(), ["-v", "fatal", "-y", "-nostdin", ...endless, ...args, "-flush_packets", "1", path], {
        stdio: "ignore",
      });
      const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      while ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < 100_000) {
        assert.equal(child.exitCode, null, "FFmpeg ended by itself");
        await new Promise((resolve) => setImmediate(resolve));
      }
      child.kill("SIGKILL");
      await exit;
      const check = await checkMedia(path, { settleMs: 0 });
      assert.notEqual(check.status, "complete", check.detail);
      assert.notEqual(check.status, "missing");
    });
  }

  it("S0.7: WAV from a pipe, whose sizes were never written, is incomplete", async () => {
    const pipe = spawnSync(findFfmpeg(), ["-v", "fatal", ...audio, "-f", "wav", "-"], { maxBuffer: 1e7 });
    assert.match((await studio.checkBytes("pipe.wav", pipe.stdout)).detail, /never came back/);
    const zero = Buffer.from(pipe.stdout);
    zero.writeUInt32LE(0, 4);
    assert.equal((await studio.checkBytes("pipe.wav", zero)).status, "incomplete");
  });
});
