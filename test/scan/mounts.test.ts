import assert from "node:assert/strict";
import { mountsBelow, parseMountinfo, readMountPoints } from "../../core/scan/mounts.ts";

describe("mount points", () => {
  it("R4: reads mountinfo with its octal escapes", () => {
    const text = [
      "22 27 0:21 / /proc rw,relatime - proc proc rw",
      "36 35 98:0 /mnt1 /work/a\\040b\\011c\\012d\\134e\\043f rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
      "37 35 98:0 / /work/日本 rw - tmpfs none rw",
      "",
    ].join("\n");
    assert.deepEqual(parseMountinfo(text), ["/proc", "/work/a b\tc\nd\\e#f", "/work/日本"]);
  });

  it("R4: tells which lie below a directory", () => {
    const points = ["/", "/work", "/work/a", "/work/a/b", "/workshop/c"];
    assert.deepEqual([...mountsBelow("/work", points)], ["a", "a/b"]);
    assert.deepEqual([...mountsBelow("/", ["/", "/proc"])], ["proc"]);
  });

  it("R4: knows this machine's", function () {
    if (process.platform !== "linux") this.skip();
    assert.ok(readMountPoints().includes("/proc"));
  });
});
