import assert from "node:assert/strict";
import type { CleanAnswer, PlanSummary } from "../../server/protocol.ts";
import { wordUndo } from "../../server/words.ts";
import { makeLayout } from "../layout.ts";
import { startClient } from "./client.ts";

describe("server: what people are told", () => {
  it("R58: that what is held may be freed soon, because its store is above its limit", async () => {
    const clips = { path: "data/clips/{event}.mp4", role: "clip", maxBytes: "3KB", targetBytes: "2KB" };
    using layout = makeLayout({ stores: { clips } });
    for (let n = 1; n <= 5; n++) layout.write(`data/clips/event-${n}.mp4`, 1000);
    await using client = await startClient(layout.root);
    const { digest } = await client.request<PlanSummary>("offcut/plan");
    const result = await client.request<CleanAnswer>("offcut/clean", { digest });
    const [note, ...more] = result.notes ?? [];
    assert.ok(note !== undefined && more.length === 0, JSON.stringify(result));
    assert.match(note, /"clips"/);
    assert.ok(result.message.endsWith(`. ${note}`), result.message);
  });

  it("R63: what an undo has to add", () => {
    const result = { run: "r1", restoredFiles: 2, restoredSpace: 2048, renamed: [], errors: [], cancelled: false };
    assert.equal(wordUndo(result), "Undone: 2 files (2.0 KB) are back");
    assert.equal(
      wordUndo({ ...result, notes: ["1 file stays held: it is a copy"] }),
      "Undone: 2 files (2.0 KB) are back. 1 file stays held: it is a copy",
    );
  });
});
