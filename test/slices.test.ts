import assert from "node:assert/strict";
import { loadConfig } from "../core/config/load.ts";
import { makePlan } from "../core/makePlan.ts";
import { mapInSlices } from "../core/slices.ts";
import { addProject, makeWorkspace } from "./workspace.ts";

describe("mapInSlices", () => {
  /** Something that takes its time and leaves the thread to nobody. */
  const work = (n: number): number => {
    for (const end = performance.now() + 4; performance.now() < end;);
    return n * 2;
  };

  it("maps everything in order", async () => {
    assert.deepEqual(await mapInSlices([1, 2, 3], (n, i) => n * 10 + i), [10, 21, 32]);
    assert.deepEqual(await mapInSlices([], work), []);
  });

  it("lets others have their turn in between", async () => {
    const seen: number[] = [];
    let done = 0;
    let isOver = false;
    const look = (): void => {
      seen.push(done);
      if (!isOver) setImmediate(look);
    };
    setImmediate(look);
    await mapInSlices(
      Array.from({ length: 20 }, (_, i) => i),
      (n) => (done++, work(n)),
    );
    isOver = true;
    assert.ok(new Set(seen.filter((count) => count > 0 && count < 20)).size >= 2, seen.join());
  });

  it("hears a signal before it begins and in between", async () => {
    const controller = new AbortController();
    let done = 0;
    const running = mapInSlices(
      Array.from({ length: 1000 }, (_, i) => i),
      (n) => (done++, work(n)),
      controller.signal,
    );
    setImmediate(() => controller.abort(new Error("enough")));
    await assert.rejects(running, /enough/);
    assert.ok(done > 0 && done < 1000, String(done));
    await assert.rejects(mapInSlices([1], work, controller.signal), /enough/);
  });
});

describe("makePlan, asked to stop", () => {
  it("S2.7: hears it while it decides", async () => {
    const workspace = makeWorkspace();
    try {
      addProject(workspace, "p1");
      const controller = new AbortController();
      const planning = makePlan(loadConfig(workspace.root), {
        environment: {},
        signal: controller.signal,
        onProgress: ({ phase }) => phase === "decide" && controller.abort(new Error("enough")),
      });
      await assert.rejects(planning, /enough/);
    } finally {
      workspace.dispose();
    }
  });
});
