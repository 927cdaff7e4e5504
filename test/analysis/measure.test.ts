import assert from "node:assert/strict";
import { lstatSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesOf, measure, startListings } from "../../core/analysis/disk.ts";
import type { Finding, PathTemplate } from "../../core/analysis/finding.ts";
import { plant, withTree } from "../scan/collect.ts";

function template(text: string): PathTemplate {
  return { base: "workspace", text };
}

function finding(text: string | undefined, message = "The file stays."): Finding {
  const range = { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };
  return {
    rule: "missing-cleanup-after-upload",
    severity: "warning",
    file: "a.ts",
    range,
    message,
    related: [],
    subject: "path",
    ...(text !== undefined && { path: template(text) }),
    fingerprint: "0",
    fixable: true,
  };
}

/** Changes directories until the clock of their file system has moved on, so that a change after this one shows. */
function tick(...directories: readonly string[]): void {
  for (const directory of directories) {
    const before = lstatSync(directory).ctimeMs;
    while (lstatSync(directory).ctimeMs === before) {
      writeFileSync(join(directory, "tick"), "");
      rmSync(join(directory, "tick"));
    }
    // The clock of this process moves on too.
    const changed = lstatSync(directory).ctimeMs;
    while (Date.now() <= changed) lstatSync(directory);
  }
}

describe("measure", () => {
  it("lets a name that cannot exist cost the others nothing", () =>
    withTree(async (root) => {
      plant(root, "out/a.mp4");
      const findings = ["out/a.mp4", `out/${"x".repeat(5000)}`, "out/a\0b", "out/a.mp4/inside"].map((text) => finding(text));
      const measured = await measure(root, findings);
      assert.deepEqual(
        measured.map(({ onDisk }) => onDisk),
        [
          { files: 1, bytes: 9 },
          { files: 0, bytes: 0 },
          { files: 0, bytes: 0 },
          { files: 0, bytes: 0 },
        ],
      );
    }));

  it("tells the figures in the message, before its full stop", () =>
    withTree(async (root) => {
      plant(root, "out/a.mp4", "out/b.mp4");
      writeFileSync(join(root, "out/c.wav"), Buffer.alloc(3 * 1024 ** 2));
      const findings = [
        finding("out/{}.mp4", "`video` stays on the disk."),
        finding("out/c.wav", "`sound` stays"),
        finding("out/none.mp4", "Nothing there."),
        finding("{}", "Anything."),
        finding(undefined, "No path."),
        finding("{}/videos/scene-{}.mp4", "No place to look."),
      ];
      const measured = await measure(root, findings);
      assert.deepEqual(
        measured.map(({ message, onDisk }) => ({ message, onDisk })),
        [
          { message: "`video` stays on the disk (2 files, 18 B on disk now).", onDisk: { files: 2, bytes: 18 } },
          { message: "`sound` stays (1 file, 3.0 MB on disk now)", onDisk: { files: 1, bytes: 3 * 1024 ** 2 } },
          { message: "Nothing there.", onDisk: { files: 0, bytes: 0 } },
          { message: "Anything.", onDisk: undefined },
          { message: "No path.", onDisk: undefined },
          { message: "No place to look.", onDisk: undefined },
        ],
      );
      assert.deepEqual(await measure(root, measured), measured);
    }));

  it("gives the figures alone to a finding without a message", () =>
    withTree(async (root) => {
      plant(root, "out/a.mp4");
      const [one] = await measure(root, [finding("out/{}.mp4", "")]);
      assert.equal(one?.message, " (1 file, 9 B on disk now)");
    }));

  it("says `at least` when it did not see everything", () =>
    withTree(async (root) => {
      plant(root, ...Array.from({ length: 9 }, (_, i) => `out/p${i}/a.mp4`));
      const [one] = await measure(root, [finding("out/{}/a.mp4")], { names: 12 });
      assert.match(one?.message ?? "", /^The file stays \(at least \d files?, \d+ B on disk now\)\.$/);
    }));

  it("gives each finding its own figures although they share the walk", () =>
    withTree(async (root) => {
      for (let i = 0; i < 20; i++)
        plant(root, `.cache/videos/p${i}/scene-${i}.mp4`, `.cache/videos/p${i}/list.txt`, `.cache/audio/p${i}.mp3`);
      const texts = [
        ".cache/videos/{}/scene-{}.mp4",
        ".cache/videos/{}/list.txt",
        ".cache/videos/{}",
        ".cache/{}",
        ".cache/videos/p7/{}.mp4",
      ];
      const shared = await measure(
        root,
        texts.map((text) => finding(text)),
      );
      const alone = await Promise.all(texts.map((text) => filesOf(root, template(text))));
      assert.deepEqual(
        shared.map(({ onDisk }) => onDisk),
        alone.map(({ files, bytes }) => ({ files, bytes })),
      );
      assert.deepEqual(
        shared.map(({ onDisk }) => onDisk?.files),
        [20, 20, 40, 60, 1],
      );
    }));

  it("sees with remembered listings whatever changed", () =>
    withTree(async (root) => {
      plant(root, "out/p1/a.mp4", "out/p2/b.mp4");
      const listings = startListings(0);
      const count = async (): Promise<readonly unknown[]> => {
        const result = await filesOf(root, template("out/{}/{}.mp4"), { listings });
        return [result.files, result.bytes];
      };
      tick(join(root, "out"), join(root, "out/p1"), join(root, "out/p2"));
      assert.deepEqual(await count(), [2, 24]);
      assert.equal(listings.byDirectory.size, 3);
      plant(root, "out/p1/c.mp4", "out/p3/d.mp4");
      tick(join(root, "out"), join(root, "out/p1"));
      assert.deepEqual(await count(), [4, 48]);
      rmSync(join(root, "out/p1/a.mp4"));
      rmSync(join(root, "out/p2"), { recursive: true });
      tick(join(root, "out"), join(root, "out/p1"));
      assert.deepEqual(await count(), [2, 24]);
      writeFileSync(join(root, "out/p1/c.mp4"), "longer than it was");
      assert.deepEqual(await count(), [2, 30]);
    }));

  it("lists no directory again that did not change", () =>
    withTree(async (root) => {
      plant(root, "out/a.mp4");
      const listings = startListings(0);
      tick(join(root, "out"));
      assert.equal((await filesOf(root, template("out/{}.mp4"), { listings })).files, 1);
      const [[directory, { state }] = ["", { state: "" }]] = listings.byDirectory;
      listings.byDirectory.set(directory, { state, entries: [] });
      assert.equal((await filesOf(root, template("out/{}.mp4"), { listings })).files, 0);
      plant(root, "out/b.mp4");
      tick(join(root, "out"));
      assert.equal((await filesOf(root, template("out/{}.mp4"), { listings })).files, 2);
    }));

  it("remembers no directory that changed a moment ago, whatever its mtime says", () =>
    withTree(async (root) => {
      plant(root, "out/a.mp4");
      const past = new Date("2020-01-01");
      const listings = startListings();
      utimesSync(join(root, "out"), past, past);
      assert.equal((await filesOf(root, template("out/{}.mp4"), { listings })).files, 1);
      assert.equal(listings.byDirectory.size, 0);
    }));
});
