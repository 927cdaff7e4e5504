import assert from "node:assert/strict";
import fs from "node:fs";
import { once } from "node:events";
import { CleanupPolicy, DEFAULT_POLICY, type PolicyValues } from "../../runtime/index.ts";
import { type Listener, makeListener, makeRoot, type Root } from "./world.ts";

const valuesOf = ({ enabled, retentionHours, fileTypesToClean, preserveOnFailure, debugModeDisables }: PolicyValues): PolicyValues => ({
  enabled,
  retentionHours,
  fileTypesToClean,
  preserveOnFailure,
  debugModeDisables,
});

describe("CleanupPolicy", () => {
  let root: Root;
  let heard: Listener;
  beforeEach(() => {
    root = makeRoot();
    heard = makeListener();
  });
  afterEach(() => root[Symbol.dispose]());

  const load = (name: string, text: string): Promise<CleanupPolicy> => CleanupPolicy.load(root.write(name, text), { logger: heard.logger });

  it("S2.5: every field has a default", async () => {
    assert.deepEqual(valuesOf(new CleanupPolicy()), { ...DEFAULT_POLICY, fileTypesToClean: undefined });
    for (const [name, text] of [
      ["empty.yaml", ""],
      ["comment.yml", "# nothing said\n"],
      ["section.yaml", "cleanup:\n"],
      ["empty.json", "{}"],
      ["section.json", '{ "cleanup": {} }'],
    ] as const)
      assert.deepEqual(valuesOf(await load(name, text)), { ...DEFAULT_POLICY, fileTypesToClean: undefined }, name);
    assert.deepEqual(heard.lines, []);
  });

  const written = {
    enabled: false,
    retentionHours: 48.5,
    fileTypesToClean: ["slides", "videos"],
    preserveOnFailure: false,
    debugModeDisables: false,
  };
  for (const [name, text] of [
    [
      "snake.yaml",
      "cleanup:\n  enabled: false\n  retention_hours: 48.5\n  file_types_to_clean: [slides, videos]\n  preserve_on_failure: false\n  debug_mode_disables: false\nvideo:\n  crf: 18\n",
    ],
    [
      "camel.yaml",
      "enabled: false\nretentionHours: 48.5\nfileTypesToClean:\n  - slides\n  - videos\npreserveOnFailure: false\ndebugModeDisables: false\n",
    ],
    ["camel.json", JSON.stringify({ cleanup: written })],
  ] as const)
    it(`S2.5: ${name} is read, in either case, in its section or alone`, async () => {
      const policy = await load(name, text);
      assert.deepEqual(valuesOf(policy), written, heard.text());
      assert.deepEqual(policy.problems, []);
    });

  for (const [name, text, problem] of [
    ["unknown.yaml", "cleanup:\n  retention: 3\n", /unknown\.yaml:2: cleanup\.retention: is not known; there are enabled, retention_hours/],
    ["text.yaml", "retention_hours: soon\n", /text\.yaml:1: retention_hours: must be a number of hours/],
    ["negative.json", '{\n  "cleanup": {\n    "retentionHours": -1\n  }\n}', /negative\.json:3: cleanup\.retentionHours: must be a number/],
    ["word.yaml", "enabled: yes\n", /word\.yaml:1: .*"yes" is a word/],
    ["list.yaml", "file_types_to_clean: slides\n", /list\.yaml:1: file_types_to_clean: must be a list/],
    ["twice.yaml", "retention_hours: 1\nretentionHours: 2\n", /twice\.yaml:2: retentionHours: says the same as retention_hours/],
    ["torn.yaml", "cleanup: [\n", /torn\.yaml:\d: is not valid YAML/],
    ["torn.json", "{ nonsense", /torn\.json:1: is not valid JSON/],
    ["scalar.yaml", "cleanup: often\n", /scalar\.yaml:1: cleanup: is no list of settings/],
  ] as const)
    it(`S2.5 R19: ${name} names file, line and mend, and nothing is cleaned by it`, async () => {
      const policy = await load(name, text);
      assert.equal(policy.enabled, false);
      assert.match(policy.problems.join("\n"), problem);
      assert.match(heard.text(), /error Cleanup policy: .*Automatic cleanup is off until it is mended/);
    });

  it("R19: a file that is not there is told, and nothing is cleaned", async () => {
    const policy = await CleanupPolicy.load(root.path("no.yaml"), { logger: heard.logger });
    assert.equal(policy.enabled, false);
    assert.match(policy.problems.join("\n"), /no\.yaml: is not there/);
    root.write("no.yaml", "retention_hours: 1\n");
    assert.equal((await policy.current()).enabled, true);
    assert.deepEqual(policy.problems, []);
  });

  it("S2.5: changes are picked up at run time; a broken file leaves the last good policy in force", async () => {
    const policy = await load("policy.yaml", "retention_hours: 1\n");
    root.write("policy.yaml", "retention_hours: 20\n");
    assert.equal((await policy.current()).retentionHours, 20);
    root.write("policy.yaml", "retention_hours: [\n");
    assert.equal((await policy.current()).retentionHours, 20);
    assert.match(heard.text(), /The last good policy stays in force/);
    const told = heard.of("error").length;
    await policy.current();
    assert.equal(heard.of("error").length, told, "one mistake is told once");
    fs.rmSync(root.path("policy.yaml"));
    assert.equal((await policy.current()).retentionHours, 20);
    root.write("policy.yaml", "retention_hours: 300\n");
    await Promise.all([policy.current(), policy.current()]);
    assert.equal(policy.retentionHours, 300);
  });

  it("S2.5: watch() looks by itself, until it is disposed", async () => {
    const policy = await load("policy.yaml", "retention_hours: 1\n");
    const changed = new EventTarget();
    {
      using _watch = policy.watch({ everyMs: 5, onChange: () => changed.dispatchEvent(new Event("change")) });
      const seen = once(changed, "change");
      root.write("policy.yaml", "retention_hours: 2\n");
      const keepAlive = setInterval(() => {}, 1000); // The watch keeps no process running, and so no test.
      await seen;
      clearInterval(keepAlive);
    }
    assert.equal(policy.retentionHours, 2);
  });

  it("values that cannot be are a TypeError", () => {
    for (const values of [
      { retentionHours: Number.NaN },
      { retentionHours: -1 },
      { enabled: 1 },
      { fileTypesToClean: "slides" },
      { age: 1 },
    ])
      assert.throws(() => new CleanupPolicy(values as object), TypeError, JSON.stringify(values));
    assert.deepEqual(new CleanupPolicy({ fileTypesToClean: [] }).fileTypesToClean, []);
  });
});
