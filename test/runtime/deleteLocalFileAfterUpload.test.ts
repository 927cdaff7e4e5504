import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { deleteLocalFileAfterUpload } from "../../runtime/index.ts";

describe("deleteLocalFileAfterUpload", () => {
  let folder = "";
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-delete-"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  it("deletes the file, and is content when it is gone", async () => {
    const file = path.join(folder, "scene.mp4");
    fs.writeFileSync(file, "frames");
    assert.equal(await deleteLocalFileAfterUpload(file), true);
    assert.deepEqual(fs.readdirSync(folder), []);
    assert.equal(await deleteLocalFileAfterUpload(file), true);
  });

  it("leaves directories alone, empty ones too", async () => {
    assert.equal(await deleteLocalFileAfterUpload(folder), false);
    assert.ok(fs.existsSync(folder));
  });

  it("removes a link and not what it leads to", async function () {
    const kept = path.join(folder, "kept");
    const link = path.join(folder, "link");
    fs.mkdirSync(kept);
    fs.writeFileSync(path.join(kept, "final.mp4"), "film");
    try {
      fs.symlinkSync(kept, link);
    } catch {
      // Windows lets only some users make links.
      this.skip();
    }
    assert.equal(await deleteLocalFileAfterUpload(link), true);
    assert.deepEqual(fs.readdirSync(folder), ["kept"]);
    assert.deepEqual(fs.readdirSync(kept), ["final.mp4"]);
  });

  it("never throws: what is no path and what cannot be deleted is false", async () => {
    const file = path.join(folder, "scene.mp4");
    fs.writeFileSync(file, "frames");
    const odd: readonly unknown[] = ["", undefined, null, 7, {}, `${file}/below`, "a\0b"];
    for (const one of odd) assert.equal(await deleteLocalFileAfterUpload(one as string), false, JSON.stringify(one));
    assert.ok(fs.existsSync(file));
  });
});
