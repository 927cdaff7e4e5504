import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Problem } from "../../core/model.ts";
import { walkStores } from "../../core/scan/walk.ts";
import { plant, storeAt, walk, withTree } from "./collect.ts";

const isRoot = process.getuid?.() === 0;

/** Walks as a user whom permissions stop, which they do not do with root. */
function walkAsUser(root: string, template: string): { readonly found: readonly string[]; readonly problems: readonly Problem[] } {
  const command = [process.execPath, join(import.meta.dirname, "walkOnce.ts"), root, template];
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const [file = "", ...args] = isRoot ? [...user, ...command] : command;
  return JSON.parse(execFileSync(file, args, { encoding: "utf8" }));
}

describe("walkStores and a hostile file system", () => {
  it("names a directory that cannot be listed, and goes on with the rest (R22)", () =>
    withTree((root) => {
      plant(root, "out/p1/a.mp4", "out/p2/b.mp4", "out/p3/c.mp4");
      chmodSync(root, 0o755);
      chmodSync(join(root, "out/p2"), 0o000);
      try {
        const { found, problems } = walkAsUser(root, "out/{project}/*.mp4");
        assert.deepEqual(found, ["s out/p1/a.mp4", "s out/p3/c.mp4"]);
        assert.deepEqual(
          problems.map((problem) => [problem.severity, problem.source]),
          [["warning", join(root, "out/p2")]],
        );
        assert.match(problems[0]?.message ?? "", /EACCES/);
      } finally {
        chmodSync(join(root, "out/p2"), 0o755);
      }
    })).timeout(20_000);

  it("names files that cannot be looked at, and counts them where they are many (R22)", () =>
    withTree((root) => {
      plant(root, ...Array.from({ length: 20 }, (_, i) => `out/p1/${i}.mp4`), "out/p2/b.mp4");
      chmodSync(root, 0o755);
      chmodSync(join(root, "out/p1"), 0o744);
      try {
        const { found, problems } = walkAsUser(root, "out/{project}/*.mp4");
        assert.deepEqual(found, ["s out/p2/b.mp4"]);
        assert.equal(problems.filter((problem) => problem.message.includes("EACCES")).length, 8);
        assert.match(problems.at(-1)?.message ?? "", /^12 more/);
        assert.equal(problems.at(-1)?.source, join(root, "out/p1"));
      } finally {
        chmodSync(join(root, "out/p1"), 0o755);
      }
    })).timeout(20_000);

  it("lists no directory above a store's prefix, and none beside it", () =>
    withTree((root) => {
      plant(root, ".cache/audio/p1/a.mp3", ".cache/private/x", "private/p1/a.mp3");
      for (const path of [".cache/private", "private"]) chmodSync(join(root, path), 0o000);
      // What may be passed through but not listed: to list it would be a problem.
      for (const path of ["", ".cache"]) chmodSync(join(root, path), 0o711);
      try {
        const { found, problems } = walkAsUser(root, ".cache/audio/{project}/a.mp3");
        assert.deepEqual(problems, []);
        assert.deepEqual(found, ["s .cache/audio/p1/a.mp3"]);
        assert.equal(walkAsUser(root, ".cache/{kind}/p1/a.mp3").problems.length, 1, "a listing of .cache would have shown");
      } finally {
        for (const path of ["", ".cache", ".cache/private", "private"]) chmodSync(join(root, path), 0o755);
      }
    })).timeout(20_000);

  it("names a directory that vanishes during the walk, and goes on with the rest", () =>
    withTree(async (root) => {
      plant(root, "out/p0/a.mp4", "out/p1/b.mp4", ...Array.from({ length: 4_100 }, (_, i) => `out/p2/${i}.mp4`));
      const problems: Problem[] = [];
      const found: string[] = [];
      for await (const batch of walkStores([storeAt(root, "s", "out/{project}/*.mp4")], { workers: 0 })) {
        if (found.length === 0) rmSync(join(root, "out/p1"), { recursive: true });
        found.push(...batch.files.map((file) => file.path));
        problems.push(...batch.problems);
      }
      assert.equal(found.length, 4_101);
      assert.ok(found.includes("out/p0/a.mp4"));
      assert.deepEqual(
        problems.map((problem) => problem.source),
        [join(root, "out/p1")],
      );
      assert.match(problems[0]?.message ?? "", /ENOENT/);
    })).timeout(20_000);

  for (const workers of [0, 1]) {
    it(`R4: does not enter a bind mount nor another device, nor take a mounted file (${workers} workers)`, async function () {
      this.timeout(20_000);
      if (!isRoot || process.platform !== "linux") return skip(this, "mounting needs root on Linux");
      await withTree(async (root) => {
        plant(root, "out/p1/a.mp4", "out/p1/bind mount/", "out/tmpfs/", "out/p1/mounted.mp4", "elsewhere/b.mp4");
        const mounts = [
          ["--bind", join(root, "elsewhere"), join(root, "out/p1/bind mount")],
          ["--bind", join(root, "elsewhere/b.mp4"), join(root, "out/p1/mounted.mp4")],
          ["-t", "tmpfs", "none", join(root, "out/tmpfs")],
        ];
        const done: string[] = [];
        try {
          for (const args of mounts) {
            try {
              execFileSync("mount", args, { stdio: "pipe" });
            } catch (error) {
              return skip(this, `mounting is not permitted here: ${String(error)}`);
            }
            done.push(args.at(-1) ?? "");
          }
          assert.equal(statSync(join(root, "out/p1/bind mount")).dev, statSync(root).dev, "a bind mount hides behind its device number");
          plant(root, "out/tmpfs/c.mp4");
          const { found, problems } = await walk([storeAt(root, "s", "out/")], { workers });
          assert.deepEqual(found, ["s out/p1/a.mp4"]);
          assert.deepEqual(problems.map((problem) => problem.source).sort(), done.toSorted());
          assert.ok(problems.every((problem) => problem.severity === "warning" && problem.message.includes("R4")));
        } finally {
          for (const at of done) execFileSync("umount", [at]);
        }
      });
    });
  }
});

function skip(context: Mocha.Context, reason: string): void {
  if (context.test) context.test.title += ` (skipped: ${reason})`;
  context.skip();
}
