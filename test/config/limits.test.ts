import assert from "node:assert/strict";
import { parseConfig } from "../../core/config/load.ts";
import { parseDuration, parseSize } from "../../core/config/units.ts";
import { assertProblem, problemsOf, ROOT } from "./mistakes.ts";

describe("limits in offcut.json", () => {
  const clip = (limits: string): string => `{ "stores": { "c": { "path": "c/{event}.mp4", "role": "clip",\n ${limits} } } }`;
  it("R53: the low mark is below the high one, in bytes", () => {
    assert.equal(parseConfig(ROOT, clip(`"maxBytes": "1GB", "targetBytes": "1023MB"`)).stores.length, 1);
    assertProblem(clip(`"maxBytes": "1GB", "targetBytes": "1024MB"`), 2, /targetBytes: must be less than maxBytes \(1GB\)/);
    assertProblem(clip(`"maxBytes": "900MB", "targetBytes": "1GB"`), 2, /must be less/);
    assertProblem(clip(`"targetBytes": "1GB"`), 2, /has no "maxBytes" to go with it/);
  });

  it("R79: zero is a limit, null and negative ones are refused", () => {
    const { policy } = parseConfig(
      ROOT,
      `{ "policy": { "grace": "0s", "retention": "0h", "undo": "0d", "brake": { "share": 0, "floor": 0, "files": 0, "bytes": "0B" } } }`,
    );
    assert.deepEqual(policy, { ...policy, graceMs: 0, retentionMs: 0, undoMs: 0, brake: { share: 0, floor: 0, files: 0, bytes: 0 } });
    for (const value of [
      "null",
      `"-1h"`,
      `"1e3h"`,
      `"Infinityh"`,
      `" "`,
      `"h"`,
      `"1 hour"`,
      `"1h30m"`,
      `"99999999999999d"`,
      `"9000000000000s"`,
    ])
      assertProblem(`{ "policy": {\n "undo": ${value} } }`, 2, /policy\.undo: (is not a duration|must be a string)/);
    for (const value of ["null", `"-1GB"`, `"9999999999TB"`])
      assertProblem(clip(`"maxBytes": ${value}`), 2, /maxBytes: (is not a size|must be a string)/);
    for (const brake of [`"share": -0.1`, `"floor": -1`, `"files": -5`, `"share": null`, `"files": 1e400`])
      assertProblem(`{ "policy": { "brake": {\n ${brake} } } }`, 2, /policy\.brake/);
  });

  it("R79: a number or nothing where a unit belongs is told with an example, by its kind", () => {
    for (const [key, mend] of [
      ["retention", "24h"],
      ["maxAge", "24h"],
      ["maxBytes", "900MB"],
      ["targetBytes", "900MB"],
    ] as const)
      for (const value of ["24", "1000000", "null"])
        assert.deepEqual(
          problemsOf(clip(`"${key}": ${value}`)).map(({ line, message }) => [line, message.split(" (")[0]]),
          [[2, `stores.c.${key}: must be a string with a unit; write "${mend}"`]],
        );
  });

  it("R79: a limit of nothing is one mistake, whatever the low mark", () => {
    for (const limits of [`"maxBytes": "0B"`, `"maxBytes": "0B", "targetBytes": "1MB"`])
      for (const text of [clip(limits), `{ "preset": "clip-store", "stores": { "clips": {\n ${limits} } } }`])
        assert.deepEqual(
          problemsOf(text).map(({ line, message }) => [line, message.replace(/^stores\.\w+\./, "").split(",")[0]]),
          [[2, "maxBytes: is 0"]],
        );
  });

  it("R79: units are read in any case; a duration always leads to a date", () => {
    assert.deepEqual(["90s", "1.5H", " 2 d ", "250ms", "1W"].map(parseDuration), [90_000, 5_400_000, 172_800_000, 250, 604_800_000]);
    assert.deepEqual(["900MB", "1.5gb", "0b", "1 KB", "2TB"].map(parseSize), [943_718_400, 1_610_612_736, 0, 1024, 2 * 1024 ** 4]);
    const longest = parseDuration("366000d") ?? Number.NaN;
    assert.match(new Date(Date.now() + longest).toISOString(), /^30\d\d-/);
    assert.equal(parseDuration("366001d"), undefined);
  });
});
