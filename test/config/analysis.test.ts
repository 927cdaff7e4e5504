import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { RULES } from "../../core/analysis/finding.ts";
import { parseConfig } from "../../core/config/load.ts";
import { assertProblem, ROOT } from "./mistakes.ts";

describe("offcut.json: analysis", () => {
  it("defaults to nothing of one's own", () => {
    const nothing = { uploads: [], assemblies: [], cleanups: [], rules: {}, exclude: [] };
    assert.deepEqual(parseConfig(ROOT, "{}").analysis, nothing);
    assert.deepEqual(parseConfig(ROOT, `{ "analysis": {} }`).analysis, nothing);
  });

  it("takes calls, severities and globs as they are written", () => {
    const analysis = {
      uploads: [
        { name: "Client.put", argument: 1 },
        { module: "src/lib/storage", name: "upload", argument: "file.path" },
      ],
      assemblies: [{ name: "stitch", argument: 0 }],
      cleanups: [{ module: "@acme/files", name: "scrap" }],
      rules: { "partial-cleanup": "off", "unverified-final": "error" },
      exclude: ["examples/**"],
    };
    assert.deepEqual(parseConfig(ROOT, JSON.stringify({ analysis })).analysis, analysis);
  });

  it("leaves plans alone: the hash of the configuration is about files, not about code", () => {
    const written = parseConfig(ROOT, `{ "analysis": { "exclude": ["a/**"] } }`);
    assert.equal(written.hash, parseConfig(ROOT, "{}").hash);
  });

  const mistakes: readonly (readonly [text: string, line: number, RegExp])[] = [
    [`{\n  "analysis": []\n}`, 2, /^analysis: must be an object/],
    [`{\n  "analysis": {\n    "upload": []\n  }\n}`, 3, /^analysis\.upload: is not a setting; did you mean "uploads"\?/],
    [`{\n  "analysis": {\n    "uploads": { "name": "put" }\n  }\n}`, 3, /^analysis\.uploads: must be a list/],
    [`{\n  "analysis": {\n    "cleanups": [\n      "unlink"\n    ]\n  }\n}`, 4, /^analysis\.cleanups\.0: must be an object/],
    [
      `{\n  "analysis": {\n    "uploads": [\n      { "module": "x" }\n    ]\n  }\n}`,
      4,
      /^analysis\.uploads\.0\.name: is missing; it is a string/,
    ],
    [`{ "analysis": { "uploads": [{ "name": "p", "modul": "x" }] } }`, 1, /uploads\.0\.modul: is not a setting; did you mean "module"\?/],
    [`{ "analysis": { "uploads": [{ "name": "p", "module": "" }] } }`, 1, /uploads\.0\.module: is empty; leave it out/],
    [`{ "analysis": { "uploads": [{ "name": "put()" }] } }`, 1, /uploads\.0\.name: is not the name of a function; write "upload"/],
    [`{ "analysis": { "assemblies": [{ "name": "p", "argument": -1 }] } }`, 1, /assemblies\.0\.argument: is negative|whole number/],
    [`{ "analysis": { "assemblies": [{ "name": "p", "argument": 0.5 }] } }`, 1, /assemblies\.0\.argument: must be 0 or a whole number/],
    [`{ "analysis": { "assemblies": [{ "name": "p", "argument": "a b" }] } }`, 1, /argument: is neither a position .* nor a field/],
    [`{ "analysis": { "assemblies": [{ "name": "p", "argument": true }] } }`, 1, /argument: must be a position .* or a field/],
    [`{\n  "analysis": {\n    "rules": {\n      "partial-cleanup": "warn"\n    }\n  }\n}`, 4, /must be one of "off", "error", "warning"/],
    [
      `{\n  "analysis": {\n    "rules": {\n      "partial-clenup": "off"\n    }\n  }\n}`,
      4,
      /is not a rule; did you mean "partial-cleanup"\?/,
    ],
    [`{ "analysis": { "exclude": "test/**" } }`, 1, /^analysis\.exclude: must be a list/],
  ];
  for (const [text, line, message] of mistakes) it(`refuses ${text.replaceAll(/\s+/g, " ")}`, () => assertProblem(text, line, message));

  it("names every rule when one is unknown", () => {
    assertProblem(`{ "analysis": { "rules": { "nonsense": "off" } } }`, 1, new RegExp(`is not a rule; the rules are ${RULES.join(", ")}$`));
  });

  it("the published schema knows the rules and their severities", () => {
    const schema = JSON.parse(readFileSync(new URL("../../schema/offcut.schema.json", import.meta.url), "utf8"));
    const { rules, uploads } = schema.properties.analysis.properties;
    assert.deepEqual(Object.keys(rules.properties), [...RULES]);
    assert.deepEqual(rules.properties["use-after-delete"].enum, ["off", "error", "warning", "information", "hint"]);
    assert.deepEqual(uploads.items.required, ["name"]);
  });
});
