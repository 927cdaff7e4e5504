import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { deleteLocalFileAfterUpload, type DeleteOptions, ManifestTracker, type VerifiedUpload } from "../../runtime/index.ts";
import { canChattr, withImmutable } from "../reclaim/world.ts";
import { makeWorkspace } from "../workspace.ts";
import { type Listener, makeListener, makeRoot, type Root } from "./world.ts";

const URL = "s3://bucket/scene.mp4";
const digest = (algorithm: string, text: string): Buffer => createHash(algorithm).update(text).digest();

describe("deleteLocalFileAfterUpload", () => {
  let folder: Root;
  let heard: Listener;
  beforeEach(() => {
    folder = makeRoot(undefined, os.tmpdir());
    heard = makeListener();
  });
  afterEach(() => folder[Symbol.dispose]());

  const remove = (file: string, options: DeleteOptions = {}): Promise<boolean> =>
    deleteLocalFileAfterUpload(file, { logger: heard.logger, ...options });
  const onlyLine = (): { readonly level: string; readonly message: string; readonly fields: unknown } => {
    assert.equal(heard.lines.length, 1, heard.text());
    return heard.lines[0]!;
  };

  it("S1.4 R35: who asks for a proof and has none keeps the file", async () => {
    for (const verified of [undefined, null]) {
      const file = folder.write("scene.mp4", "frames");
      assert.equal(await remove(file, { verified } as unknown as DeleteOptions), false);
      assert.ok(fs.existsSync(file));
    }
    assert.match(heard.text(), /nothing proves the upload/);
  });

  it("S1.1 S1.8: deletes the file and logs local_file_deleted with the size", async () => {
    const file = folder.write("scene.mp4", "frames");
    assert.equal(await remove(file), true);
    assert.deepEqual(folder.files(), []);
    const { level, message, fields } = onlyLine();
    assert.deepEqual([level, message], ["info", "local_file_deleted"]);
    assert.deepEqual({ ...(fields as object), freed: 0 }, { path: file, size: 6, freed: 0 });
  });

  it("S1.1 R44: what is gone is a warning local_file_not_found and no error", async () => {
    assert.equal(await remove(folder.path("scene.mp4")), true);
    assert.equal(await remove(folder.path("no/such/directory/scene.mp4")), true);
    assert.deepEqual(
      heard.lines.map(({ level, message }) => `${level} ${message}`),
      ["warn local_file_not_found", "warn local_file_not_found"],
    );
  });

  it("R83: of a file with two hard links nothing is freed", async () => {
    const file = folder.write("scene.mp4", "frames");
    fs.linkSync(file, folder.path("other.mp4"));
    assert.equal(await remove(file), true);
    assert.deepEqual(onlyLine().fields, { path: file, size: 6, freed: 0 });
  });

  it("R5: leaves directories alone, empty ones too", async () => {
    fs.mkdirSync(folder.path("empty"));
    assert.equal(await remove(folder.path("empty")), false);
    assert.ok(fs.existsSync(folder.path("empty")));
    assert.match(heard.text(), /error failed_to_delete_local_file .*it is a directory/);
  });

  it("S1.7 R1: a link is reported, neither followed nor removed", async function () {
    if (process.platform === "win32") this.skip(); // It lets only some users make links.
    const kept = folder.write("kept/final.mp4", "film");
    fs.symlinkSync(kept, folder.path("link.mp4"));
    assert.equal(await remove(folder.path("link.mp4")), false);
    assert.deepEqual(folder.files(), ["kept/final.mp4", "link.mp4"]);
    assert.match(heard.text(), /error failed_to_delete_local_file .*symbolic link/);
  });

  it("S1.7: links in the directories of the path that the maker names are his own, and are followed", async function () {
    if (process.platform === "win32") this.skip(); // It lets only some users make links.
    folder.write("disk/scene.mp4", "frames");
    fs.symlinkSync(folder.path("disk"), folder.path("work"));
    assert.equal(await remove(folder.path("work/scene.mp4")), true);
    assert.deepEqual(folder.files(), ["work"]);
  });

  it("S1.7: of several calls for one file one deletes and the others find nothing", async () => {
    const file = folder.write("scene.mp4", "frames");
    const results = await Promise.all(Array.from({ length: 20 }, () => remove(file)));
    assert.ok(results.every(Boolean));
    const messages = heard.lines.map((line) => line.message);
    assert.equal(messages.filter((message) => message === "local_file_deleted").length, 1);
    assert.equal(messages.filter((message) => message === "local_file_not_found").length, 19);
  });

  it("S1.7 R24 R25: a file that the system protects stays, with failed_to_delete_local_file and the reason", async function () {
    const workspace = makeWorkspace({ schema: false });
    try {
      if (!canChattr(workspace)) return this.skip(); // Nobody but root can make a file that root cannot delete.
      const file = workspace.write("out/scene.mp4", 10);
      await withImmutable(file, async () => assert.equal(await remove(file), false));
      assert.ok(fs.existsSync(file));
      const { level, message } = onlyLine();
      assert.deepEqual([level, message], ["error", "failed_to_delete_local_file"]);
      assert.match(heard.text(), /not permitted/);
    } finally {
      workspace.dispose();
    }
  });

  it("S1.1 R88: never throws: what is no path and what cannot be deleted is false", async () => {
    const file = folder.write("scene.mp4", "frames");
    const odd: readonly unknown[] = ["", undefined, null, 7, {}, `${file}/below`, "a\0b"];
    for (const one of odd) assert.equal(await remove(one as string), false, JSON.stringify(one));
    assert.equal(heard.of("error").length, odd.length, heard.text());
    assert.ok(fs.existsSync(file));
    const broken = (): never => {
      throw new Error("the disk of the log is full");
    };
    assert.equal(await remove(file, { logger: { info: broken, warn: broken, error: broken } }), true);
  });

  it("a cancelled deletion is no error, and the file stays", async () => {
    const file = folder.write("scene.mp4", "frames");
    assert.equal(await remove(file, { signal: AbortSignal.abort() }), false);
    assert.deepEqual([onlyLine().level, onlyLine().message], ["info", "local_file_kept"]);
    assert.ok(fs.existsSync(file));
  });

  describe("with a verified upload", () => {
    const agreeing: readonly [string, VerifiedUpload][] = [
      ["size", { url: URL, bytes: 6 }],
      ["SHA-256 in base64", { url: URL, sha256: digest("sha256", "frames").toString("base64") }],
      ["SHA-256 in hexadecimal", { url: URL, bytes: 6, sha256: digest("sha256", "frames").toString("hex") }],
      ["MD5", { url: URL, md5: digest("md5", "frames").toString("base64") }],
      ["ETag of one part", { url: URL, etag: `"${digest("md5", "frames").toString("hex")}"` }],
      ["size, with the ETag of several parts, which is no digest", { url: URL, bytes: 6, etag: '"0123456789abcdef0123456789abcdef-3"' }],
    ];
    for (const [what, verified] of agreeing)
      it(`R35: goes when the ${what} agrees`, async () => {
        assert.equal(await remove(folder.write("scene.mp4", "frames"), { verified }), true);
        assert.deepEqual(folder.files(), []);
      });

    const differing: readonly [string, VerifiedUpload, RegExp][] = [
      ["another size", { url: URL, bytes: 5 }, /has 5 bytes, the local file 6/],
      ["another SHA-256", { url: URL, bytes: 6, sha256: digest("sha256", "torn").toString("base64") }, /SHA-256 of s3/],
      ["another MD5", { url: URL, bytes: 6, md5: digest("md5", "torn").toString("hex") }, /MD5 of s3/],
      ["another ETag", { url: URL, bytes: 6, etag: digest("md5", "torn").toString("hex") }, /ETag of s3/],
      ["a digest that is none", { url: URL, bytes: 6, sha256: "?" }, /SHA-256 of s3/],
      ["an address only", { url: URL }, /neither the size nor a digest/],
      ["several parts and no size", { url: URL, etag: '"0123456789abcdef0123456789abcdef-3"' }, /neither the size nor a digest/],
      ["no address", { url: "", bytes: 6 }, /no address/],
    ];
    for (const [what, verified, why] of differing)
      it(`S1.4 R35: stays with ${what}, and the log says why`, async () => {
        const file = folder.write("scene.mp4", "frames");
        assert.equal(await remove(file, { verified }), false);
        assert.ok(fs.existsSync(file));
        assert.deepEqual([onlyLine().level, onlyLine().message], ["warn", "local_file_kept"]);
        assert.match(heard.text(), why);
      });

    it("S1.7: a verified file that could not be deleted is reclaimable later, and only as it was", async function () {
      const workspace = makeWorkspace({ schema: false });
      try {
        if (!canChattr(workspace)) return this.skip(); // Nobody but root can make a file that root cannot delete.
        const settings = { stores: { out: { path: "out/{id}.mp4", role: "upload" } }, policy: { undo: "0h" } };
        workspace.write("offcut.json", Buffer.from(JSON.stringify(settings)));
        const file = workspace.write("out/a.mp4", 10);
        const other = workspace.write("out/b.mp4", 10);
        await withImmutable(file, async () => {
          const verified = { url: URL, bytes: 10 };
          assert.equal(await remove(file, { verified, root: workspace.root }), false);
        });
        assert.match(heard.text(), /info verified_upload_recorded/);
        const { planFor, takenOf } = await import("../reclaim/world.ts");
        const { plan } = await planFor(workspace);
        assert.deepEqual(takenOf(plan), ["out/a.mp4"]);
        assert.ok(fs.existsSync(other));
        fs.appendFileSync(file, "more");
        assert.deepEqual(takenOf((await planFor(workspace)).plan), []);
      } finally {
        workspace.dispose();
      }
    });

    const records = (root: string): string[] => fs.readdirSync(path.join(root, ".offcut/uploads"));

    const signed: readonly [string, string][] = [
      ["https://user:SECRET@films.example/a.mp4?sig=SECRET", "https://films.example/a.mp4"],
      ["s3://bucket/a.mp4?X-Amz-Signature=SECRET", "s3://bucket/a.mp4"],
    ];
    for (const [url, shown] of signed)
      it(`S1.8: of ${shown} no password and no signature is written, logged or shown`, async function () {
        const workspace = makeWorkspace({ schema: false });
        try {
          const file = workspace.write("out/a.mp4", 10);
          for (const differing of [{ bytes: 9 }, {}, { bytes: 10, md5: "?" }])
            assert.equal(await remove(file, { verified: { url, ...differing } }), false);
          assert.doesNotMatch(heard.text(), /SECRET/);
          assert.ok(heard.text().includes(shown));
          if (!canChattr(workspace)) return this.skip(); // Nobody but root can make a file that root cannot delete.
          workspace.write("offcut.json", Buffer.from(JSON.stringify({ stores: { out: { path: "out/{id}.mp4", role: "upload" } } })));
          await withImmutable(file, async () => {
            assert.equal(await remove(file, { root: workspace.root, verified: { url, bytes: 10 } }), false);
          });
          const [record] = records(workspace.root);
          assert.ok(record);
          const text = fs.readFileSync(path.join(workspace.root, ".offcut/uploads", record), "utf8");
          assert.ok(text.includes(JSON.stringify(shown)));
          assert.doesNotMatch(text + heard.text(), /SECRET/);
          const { planFor, takenOf } = await import("../reclaim/world.ts");
          const { plan } = await planFor(workspace);
          assert.deepEqual(takenOf(plan), ["out/a.mp4"]);
          assert.doesNotMatch(JSON.stringify(plan), /SECRET/);
        } finally {
          workspace.dispose();
        }
      });

    it("S1.7: what was noted of a file is forgotten when a later call deletes it, or finds it gone", async function () {
      const workspace = makeWorkspace({ schema: false });
      try {
        if (!canChattr(workspace)) return this.skip(); // Nobody but root can make a file that root cannot delete.
        workspace.write("offcut.json", Buffer.from(JSON.stringify({ stores: { out: { path: "out/{id}.mp4", role: "upload" } } })));
        const [first, second, other] = ["a", "b", "c"].map((name) => workspace.write(`out/${name}.mp4`, 10)) as [string, string, string];
        const options = { root: workspace.root, verified: { url: URL, bytes: 10 } };
        for (const file of [first, second, other]) await withImmutable(file, async () => assert.equal(await remove(file, options), false));
        assert.equal(records(workspace.root).length, 3);
        fs.symlinkSync(path.dirname(first), path.join(workspace.root, "link"));
        assert.equal(await remove(path.join(workspace.root, "link/a.mp4"), options), true);
        assert.equal(records(workspace.root).length, 2, "by whatever name it is called");
        fs.rmSync(second);
        assert.equal(await remove(second, { root: workspace.root }), true);
        assert.equal(records(workspace.root).length, 1);
        fs.rmSync(path.join(workspace.root, ".offcut/uploads"), { recursive: true });
        workspace.write(".offcut/uploads", Buffer.from("no directory"));
        assert.equal(await remove(other, options), true, "what cannot be forgotten does not undo what is done");
        assert.match(heard.text(), /warn verified_upload_not_forgotten/);
      } finally {
        workspace.dispose();
      }
    });
  });

  describe("with a root", () => {
    it("R28: a final stays", async () => {
      folder.write("offcut.json", '{ "stores": { "films": { "path": "films/{id}.mp4", "role": "final" } } }');
      const final = folder.write("films/a.mp4");
      const other = folder.write("films/a.txt");
      assert.equal(await remove(final, { root: folder.root }), false);
      assert.match(heard.text(), /warn local_file_kept .*it is a final/);
      assert.equal(await remove(other, { root: folder.root }), true);
      assert.ok(fs.existsSync(final));
    });

    it("R29: what somebody pinned stays", async () => {
      const file = folder.write("work/a.mp4");
      const { addPin } = await import("../../core/reclaim/records.ts");
      addPin(folder.root, { kind: "file", value: "work", added: new Date().toISOString() });
      assert.equal(await remove(file, { root: folder.root }), false);
      assert.match(heard.text(), /pinned: file work/);
      assert.ok(fs.existsSync(file));
    });

    it("R12 R26 R28: outputs, finals of jobs, databases, settings, tracked files and what others need stay, and the log says why", async () => {
      const database = {
        path: "a.db",
        owners: "SELECT id, status FROM p",
        states: { succeeded: ["done"] },
        outputs: "SELECT id AS owner, f AS path FROM p",
      };
      folder.write("offcut.json", JSON.stringify({ database, stores: { tmp: { path: "tmp/{job}/", role: "temp" } } }));
      using db = new DatabaseSync(folder.path("a.db"));
      db.exec("CREATE TABLE p(id, status, f); INSERT INTO p VALUES('1', 'running', 'tmp/1/final.mp4')");
      for (const name of ["1/final.mp4", "2/final.mp4", "2/shared.mp4", "1/tracked.mp4", "1/own.mp4"]) folder.write(`tmp/${name}`);
      fs.linkSync(folder.path("tmp/1/final.mp4"), folder.path("tmp/1/alias.mp4"));
      const jobs = new ManifestTracker({ root: folder.root, logger: heard.logger });
      await jobs.createManifest("2", "long_form");
      await jobs.addFile("2", "tmp/2/final.mp4", "long_form", "final");
      await jobs.createManifest("3", "long_form");
      await jobs.addFile("3", "tmp/2/shared.mp4");
      execFileSync("git", ["init", "-q"], { cwd: folder.root });
      execFileSync("git", ["add", "-f", "tmp/1/tracked.mp4"], { cwd: folder.root });
      const cases: readonly [string, RegExp][] = [
        ["tmp/1/final.mp4", /it is an output of 1/],
        ["tmp/1/alias.mp4", /it is an output of 1/],
        ["tmp/2/final.mp4", /it is an output of 2 \(job manifest\)/],
        ["tmp/2/shared.mp4", /3 may need it still/],
        ["tmp/1/tracked.mp4", /git tracks it/],
        ["a.db", /it is state/],
        ["offcut.json", /it is state/],
      ];
      for (const [file, why] of cases) {
        heard.lines.length = 0;
        assert.equal(await remove(folder.path(file), { root: folder.root }), false, file);
        assert.ok(fs.existsSync(folder.path(file)), file);
        assert.equal(onlyLine().message, "local_file_kept");
        assert.match(heard.text(), why);
      }
      assert.equal(await remove(folder.path("tmp/1/own.mp4"), { root: folder.root }), true, "its maker is at work still");
    });

    it("R32: a manifest that cannot be read might name it", async () => {
      folder.write("offcut.json", '{ "stores": { "tmp": { "path": "tmp/{job}/", "role": "temp" } } }');
      folder.write(".offcut/jobs/j1.json", "{ torn");
      assert.equal(await remove(folder.write("tmp/1/a.mp4"), { root: folder.root }), false);
      assert.match(heard.text(), /warn local_file_kept .*j1\.json is damaged/);
    });

    it("R19: settings that cannot be read might protect it", async () => {
      folder.write("offcut.json", "{ nonsense");
      const file = folder.write("a.mp4");
      assert.equal(await remove(file, { root: folder.root }), false);
      assert.match(heard.text(), /error failed_to_delete_local_file .*offcut\.json:1/);
      assert.ok(fs.existsSync(file));
    });
  });

  it("takes a path relative to the working directory, and never a file of Offcut's own", async () => {
    const file = folder.write("scene.mp4");
    assert.equal(await remove(path.relative(process.cwd(), file)), true);
    const journal = folder.write(".offcut/runs/x.jsonl");
    assert.equal(await remove(journal), false);
    assert.ok(fs.existsSync(journal));
  });
});
