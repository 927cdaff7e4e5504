import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { lookForProcess, thisProcess } from "../core/process.ts";

describe("processes", () => {
  it("R39, R41: whether another one is alive is known within one process table, whatever name its container has", function () {
    const me = thisProcess();
    if (me.namespace === "" || me.boot === "") this.skip(); // Only Linux tells which process table it is.
    const pid = spawnSync(process.execPath, ["-e", ""]).pid;
    const dead = { ...me, pid, started: "1" };
    const look = (change: object): string[] => [me, dead].map((one) => lookForProcess({ ...one, ...change }, me));
    assert.deepEqual(look({}), ["alive", "gone"]);
    assert.deepEqual(look({ host: "cleaner" }), ["alive", "gone"], "one table, two names");
    assert.deepEqual(look({ namespace: "pid:[1]" }), ["unknown", "unknown"], "another table of the same machine");
    assert.deepEqual(look({ host: "other", boot: "another" }), ["unknown", "unknown"], "the first table of another machine");
    assert.deepEqual(look({ boot: "an earlier one" }), ["gone", "gone"], "this machine was started since");
  });
});
