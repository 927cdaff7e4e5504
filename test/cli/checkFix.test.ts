import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type FixOutcome, fixFindings } from "../../cli/check/fix.ts";
import type { Analysis } from "../../core/analysis/check.ts";
import type { Finding, Fix } from "../../core/analysis/finding.ts";
import { findingOf, rangeOf } from "./findings.ts";

const IMPORT = 'import { rm } from "fs";\n';

interface Engine {
  /** What was given instead of the text on the disk. */
  readonly texts: Map<string, string>;
  readonly analysis: Pick<Analysis, "setText" | "changed" | "fixes">;
  checks: number;
  /** Makes another fix. */
  fixOf: (finding: Finding, usual: Fix) => Fix | undefined;
  readText(file: string): string;
  check(): readonly Finding[];
}

/** Stands in for the analysis: a line `upload(x)` is a finding unless some line says `rm(x)`. The fix adds that line and an import. */
function makeEngine(root: string, files: readonly string[]): Engine {
  const texts = new Map<string, string>();
  const readText = (file: string): string => texts.get(file) ?? fs.readFileSync(path.join(root, file), "utf8").replace(/^\uFEFF/, "");
  const usualFix = ({ file, subject, range }: Finding): Fix => ({
    title: `Delete ${subject}`,
    kind: "quickfix",
    preferred: true,
    edits: [
      {
        file,
        edits: [
          ...(readText(file).startsWith("import") ? [] : [{ range: rangeOf(1, 1, 1), text: IMPORT }]),
          { range: rangeOf(range.start.line + 1, 1, 1), text: `rm(${subject})\n` },
        ],
      },
    ],
  });
  const engine: Engine = {
    texts,
    readText,
    checks: 0,
    fixOf: (_, usual) => usual,
    analysis: {
      setText: (file, text) => void (text === undefined ? texts.delete(file) : texts.set(file, text)),
      changed: () => {},
      fixes: (finding) => {
        const fix = engine.fixOf(finding, usualFix(finding));
        return fix ? [{ ...fix, title: "Ignore here", preferred: false }, fix] : [];
      },
    },
    check() {
      engine.checks++;
      return files.flatMap((file) => findLeaks(file, readText(file).split(/\r?\n/)));
    },
  };
  return engine;
}

function findLeaks(file: string, lines: readonly string[]): readonly Finding[] {
  return lines.flatMap((line, i) => {
    const subject = /^upload\((\w+)\)/.exec(line)?.[1];
    if (subject === undefined || lines.includes(`rm(${subject})`)) return [];
    return [findingOf({ file, subject, fingerprint: subject, fixable: true, range: rangeOf(i + 1, 1, line.length + 1) })];
  });
}

describe("offcut check --fix", () => {
  let directory: string;
  let root: string;

  beforeEach(() => {
    directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-fix-")));
    root = path.join(directory, "work");
    fs.mkdirSync(root);
  });
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

  const put = (file: string, content: string | Uint8Array): void => fs.writeFileSync(path.join(root, file), content);
  const read = (file: string): string => fs.readFileSync(path.join(root, file), "utf8");
  const fix = (engine: Engine, signal = new AbortController().signal): Promise<FixOutcome> =>
    fixFindings({
      root,
      analysis: engine.analysis,
      signal,
      check: () => ({ findings: engine.check(), sites: [], problems: [], files: 1, parsed: 1 }),
      choose: (result) => result.findings,
    });
  const titles = ({ fixed }: FixOutcome): readonly string[] => fixed.map(({ title }) => title);
  const told = ({ problems }: FixOutcome): readonly string[] => problems.map(({ source, message }) => `${source}: ${message}`);

  it("applies all fixes of a file at once, equal edits once, and keeps mark, line ends, mode and links", async () => {
    put("real.ts", "\uFEFFupload(a)\r\nx\r\nupload(b)\r\n");
    fs.chmodSync(path.join(root, "real.ts"), 0o640);
    fs.symlinkSync("real.ts", path.join(root, "link.ts"));
    const engine = makeEngine(root, ["link.ts"]);
    const outcome = await fix(engine);
    assert.equal(read("real.ts"), '\uFEFFimport { rm } from "fs";\r\nupload(a)\r\nrm(a)\r\nx\r\nupload(b)\r\nrm(b)\r\n');
    assert.deepEqual(titles(outcome), ["Delete a", "Delete b"]);
    assert.deepEqual(outcome.result.findings, []);
    assert.equal(fs.statSync(path.join(root, "real.ts")).mode & 0o777, 0o640);
    assert.ok(fs.lstatSync(path.join(root, "link.ts")).isSymbolicLink());
    const before = read("real.ts");
    assert.deepEqual(titles(await fix(makeEngine(root, ["link.ts"]))), []);
    assert.equal(read("real.ts"), before);
    assert.deepEqual(fs.readdirSync(root).toSorted(), ["link.ts", "real.ts"]);
  });

  it("lets a fix that collides with another one wait for the next round", async () => {
    put("a.ts", "import\nupload(a)\nupload(b)\nupload(c)\nend\n");
    const engine = makeEngine(root, ["a.ts"]);
    // All of them insert at the same place, where their order would be left to chance.
    engine.fixOf = (finding, usual) => {
      const line = engine.readText("a.ts").split("\n").indexOf("end") + 1;
      return { ...usual, edits: [{ file: "a.ts", edits: [{ range: rangeOf(line, 1, 1), text: `rm(${finding.subject})\n` }] }] };
    };
    const outcome = await fix(engine);
    assert.equal(read("a.ts"), "import\nupload(a)\nupload(b)\nupload(c)\nrm(a)\nrm(b)\nrm(c)\nend\n");
    assert.deepEqual(titles(outcome), ["Delete a", "Delete b", "Delete c"]);
  });

  it("does not repeat a fix that clears nothing, and does not call it fixed", async () => {
    put("a.ts", "import\nupload(a)\nupload(b)\n");
    const engine = makeEngine(root, ["a.ts"]);
    engine.fixOf = (finding, usual) =>
      finding.subject === "a" ? { ...usual, edits: [{ file: "a.ts", edits: [{ range: rangeOf(1, 1, 1), text: "// hm\n" }] }] } : usual;
    const outcome = await fix(engine);
    assert.equal(read("a.ts"), "// hm\nimport\nupload(a)\nupload(b)\nrm(b)\n");
    assert.deepEqual(titles(outcome), ["Delete b"]);
    assert.deepEqual(
      outcome.result.findings.map((finding) => finding.subject),
      ["a"],
    );
  });

  it("ends, whatever a fix does", async () => {
    put("a.ts", "import\nupload(a)\n");
    const engine = makeEngine(root, ["a.ts"]);
    let count = 0;
    engine.fixOf = (_, usual) => ({
      ...usual,
      edits: [{ file: "a.ts", edits: [{ range: rangeOf(2, 1, 1), text: `upload(new${++count})\n` }] }],
    });
    const outcome = await fix(engine);
    assert.deepEqual(titles(outcome), []);
    assert.equal(read("a.ts").split("\n").length, 4, "one try");
  });

  it("leaves a file alone that changed after it was looked at", async () => {
    put("a.ts", "import\nupload(a)\n");
    put("b.ts", "import\nupload(b)\n");
    const engine = makeEngine(root, ["a.ts", "b.ts"]);
    engine.fixOf = (finding, usual) => {
      if (finding.file === "a.ts" && engine.texts.has("a.ts")) put("a.ts", "import\nupload(a)\nsaved meanwhile\n");
      return usual;
    };
    const outcome = await fix(engine);
    assert.equal(read("a.ts"), "import\nupload(a)\nsaved meanwhile\n");
    assert.equal(read("b.ts"), "import\nupload(b)\nrm(b)\n");
    assert.deepEqual(told(outcome), ["a.ts: was not fixed: a.ts changed meanwhile"]);
    assert.deepEqual(titles(outcome), ["Delete b"]);
    assert.deepEqual(fs.readdirSync(root).toSorted(), ["a.ts", "b.ts"]);
  });

  it("makes its fixes for what is on the disk, although the analysis looked at something older", async () => {
    put("a.ts", "import\nupload(a)\n");
    const engine = makeEngine(root, ["a.ts"]);
    engine.texts.set("a.ts", "import\n\n\n\nupload(a)\n");
    assert.deepEqual(titles(await fix(engine)), ["Delete a"]);
    assert.equal(read("a.ts"), "import\nupload(a)\nrm(a)\n");
  });

  it("never writes outside of the root", async () => {
    fs.writeFileSync(path.join(directory, "outside.ts"), "import\nupload(a)\n");
    fs.mkdirSync(path.join(directory, "elsewhere"));
    fs.symlinkSync("../outside.ts", path.join(root, "link.ts"));
    fs.symlinkSync("../elsewhere", path.join(root, "dir"));
    put("b.ts", "import\nupload(b)\n");
    put("c.ts", "import\nupload(c)\n");
    const engine = makeEngine(root, ["b.ts", "c.ts", "link.ts"]);
    const created = { edits: [{ range: rangeOf(1, 1, 1), text: "new\n" }], create: true } as const;
    engine.fixOf = (finding, usual) => {
      const extra = { b: "../made.ts", c: "dir/made.ts" }[finding.subject];
      return extra === undefined ? usual : { ...usual, edits: [...usual.edits, { file: extra, ...created }] };
    };
    const outcome = await fix(engine);
    assert.deepEqual(titles(outcome), []);
    assert.equal(fs.readFileSync(path.join(directory, "outside.ts"), "utf8"), "import\nupload(a)\n");
    assert.deepEqual(
      [read("b.ts"), read("c.ts")],
      ["import\nupload(b)\n", "import\nupload(c)\n"],
      "a fix is made as a whole or not at all",
    );
    assert.deepEqual(fs.readdirSync(directory).toSorted(), ["elsewhere", "outside.ts", "work"]);
    assert.deepEqual(fs.readdirSync(path.join(directory, "elsewhere")), []);
    assert.equal(outcome.problems.length, 3);
    for (const line of told(outcome)) assert.match(line, /was not fixed: .* outside of /);
  });

  it("makes a new file, but not over one that is there", async () => {
    put("a.ts", "import\nupload(a)\n");
    put("b.ts", "import\nupload(b)\n");
    put("there.ts", "mine\n");
    const engine = makeEngine(root, ["a.ts", "b.ts"]);
    engine.fixOf = (finding, usual) => ({
      ...usual,
      edits: [
        ...usual.edits,
        {
          file: finding.subject === "a" ? "lib/new/cleanup.ts" : "there.ts",
          edits: [{ range: rangeOf(1, 1, 1), text: "export {};\n" }],
          create: true,
        },
      ],
    });
    const outcome = await fix(engine);
    assert.deepEqual(titles(outcome), ["Delete a"]);
    assert.equal(read("lib/new/cleanup.ts"), "export {};\n");
    assert.equal(read("there.ts"), "mine\n");
    assert.equal(read("b.ts"), "import\nupload(b)\n");
    assert.deepEqual(told(outcome), ["there.ts: was not fixed: it is there already"]);
  });

  it("ends the lines of a new file as those of the file with the finding end", async () => {
    put("a.ts", "import\r\nupload(a)\r\n");
    put("b.ts", "import\nupload(b)\n");
    const engine = makeEngine(root, ["a.ts", "b.ts"]);
    engine.fixOf = (finding, usual) => {
      const made = { file: `for-${finding.subject}.ts`, edits: [{ range: rangeOf(1, 1, 1), text: "one;\ntwo;\n" }], create: true } as const;
      return { ...usual, edits: finding.subject === "a" ? [...usual.edits, made] : [made, ...usual.edits] };
    };
    await fix(engine);
    assert.equal(read("for-a.ts"), "one;\r\ntwo;\r\n");
    assert.equal(read("for-b.ts"), "one;\ntwo;\n");
  });

  it("leaves a file alone whose bytes would not all come back", async () => {
    const bytes = Buffer.concat([Buffer.from("import\nupload(a)\n// "), Buffer.from([0xe9]), Buffer.from("\n")]);
    put("latin1.ts", bytes);
    const outcome = await fix(makeEngine(root, ["latin1.ts"]));
    assert.deepEqual(fs.readFileSync(path.join(root, "latin1.ts")), bytes);
    assert.deepEqual(told(outcome), ["latin1.ts: was not fixed: it is not UTF-8"]);
  });

  it("writes nothing once it was stopped", async () => {
    put("a.ts", "import\nupload(a)\n");
    const outcome = await fix(makeEngine(root, ["a.ts"]), AbortSignal.abort());
    assert.deepEqual([titles(outcome), outcome.result.findings.length, read("a.ts")], [[], 1, "import\nupload(a)\n"]);
  });

  it("skips findings that nothing is offered for", async () => {
    put("a.ts", "import\nupload(a)\n");
    const engine = makeEngine(root, ["a.ts"]);
    engine.fixOf = () => undefined;
    const outcome = await fix(engine);
    assert.deepEqual([titles(outcome), engine.checks], [[], 1]);
  });
});
