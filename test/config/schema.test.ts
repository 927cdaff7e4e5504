import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { parseDocument } from "../../core/config/document.ts";
import { parseConfig } from "../../core/config/load.ts";
import { ROOT } from "./mistakes.ts";

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

/** As an editor applies it. */
const validate = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(read("schema/offcut.schema.json")) as object);

const mistakesIn = (value: unknown): readonly string[] =>
  validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);

/** Settings in a document; a fragment stands without the braces around it. */
function blocksOf(file: string): readonly string[] {
  const blocks = [...read(file).matchAll(/```jsonc\n([^]*?)```/g)].map((match) => match[1] ?? "");
  return blocks.map((block) => (block.startsWith("{") ? block : `{ ${block} }`));
}

describe("the published schema", () => {
  const files = readdirSync(new URL("../../examples", import.meta.url), { recursive: true, encoding: "utf8" })
    .filter((file) => /(^|[/\\])offcut\.(json|ya?ml)$/.test(file) && !file.includes("node_modules"))
    .map((file) => `examples/${file}`);

  it("every example's configuration fits", () => {
    assert.ok(files.length >= 4, files.join());
    for (const file of files) {
      assert.deepEqual(mistakesIn(parseDocument(read(file), file).value), [], file);
      parseConfig(ROOT, read(file), file);
    }
  });

  for (const file of ["README.md", "docs/analysis.md", "docs/runtime.md"])
    it(`every configuration in ${file} fits, and is one`, () => {
      const blocks = blocksOf(file);
      assert.ok(blocks.length > 0);
      for (const block of blocks) {
        assert.deepEqual(mistakesIn(parseDocument(block, "offcut.json").value), [], block);
        parseConfig(ROOT, block);
      }
    });

  it("R79: it takes and refuses the very durations and sizes that Offcut does", () => {
    const numbers = ["0", "3", "1.5", " 2 ", "-1", "1e3", ".5", "1.", ""];
    const units = [
      "",
      "b",
      "B",
      "kb",
      "KB",
      "Kb",
      "kB",
      "MB",
      "gB",
      "TB",
      "pb",
      "ms",
      "MS",
      "Ms",
      "s",
      "S",
      "m",
      "M",
      "H",
      "d",
      "W",
      "sm",
      "hh",
      "y",
    ];
    const seen = new Map<string, number>();
    for (const number of numbers)
      for (const unit of units)
        for (const config of [{ policy: { undo: number + unit } }, { policy: { brake: { bytes: number + unit } } }]) {
          const text = JSON.stringify(config);
          const expected = isTaken(text);
          assert.equal(mistakesIn(config).length === 0, expected, text);
          seen.set(`${expected}`, (seen.get(`${expected}`) ?? 0) + 1);
        }
    assert.deepEqual(
      [...seen.values()].every((count) => count > 50),
      true,
      JSON.stringify([...seen]),
    );
  });

  it("marks what is misspelt or has the wrong type", () => {
    for (const wrong of [{ polcy: {} }, { preset: "none" }, { policy: { undo: 24 } }, { stores: { a: { path: "a/{job}/", role: "tmp" } } }])
      assert.notDeepEqual(mistakesIn(wrong), [], JSON.stringify(wrong));
  });
});

function isTaken(text: string): boolean {
  try {
    parseConfig(ROOT, text);
    return true;
  } catch {
    return false;
  }
}
