import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import schema from "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json" with { type: "json" };
import AjvDraft04 from "ajv-draft-04";
import addFormats from "ajv-formats";
import { toWorkflowCommands } from "../../cli/check/github.ts";
import { toJson } from "../../cli/check/json.ts";
import type { Report } from "../../cli/check/report.ts";
import { printable, toSarif } from "../../cli/check/sarif.ts";
import { DEFAULT_SEVERITY, type Finding, type Fix, RULES } from "../../core/analysis/finding.ts";
import { findingOf, rangeOf } from "./findings.ts";

interface SarifRule {
  readonly id: string;
  readonly relationships?: readonly object[];
  readonly helpUri?: string;
  readonly help: { readonly text: string; readonly markdown: string };
}

interface SarifLog {
  readonly runs: readonly {
    readonly tool: { readonly driver: { readonly rules: readonly SarifRule[] } };
    readonly originalUriBaseIds: { readonly SRCROOT: { readonly uri: string } };
    readonly results: readonly {
      readonly message: { readonly text: string };
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly locations: readonly { readonly physicalLocation: { readonly artifactLocation: { readonly uri: string } } }[];
      readonly codeFlows?: readonly { readonly threadFlows: readonly { readonly locations: readonly object[] }[] }[];
      readonly fixes?: readonly object[];
      readonly partialFingerprints: object;
    }[];
    readonly invocations: readonly { readonly toolExecutionNotifications: readonly object[] }[];
  }[];
}

const ROOT = process.platform === "win32" ? "C:\\w\\a b" : "/w/a b";

const reportOf = (findings: readonly Finding[], changes: Partial<Report> = {}): Report => ({
  root: ROOT,
  findings,
  problems: [],
  files: 3,
  parsed: 2,
  durationMs: 12.34,
  fixes: () => [],
  ...changes,
});

const fix: Fix = {
  title: "Delete tempPath after the upload",
  kind: "quickfix",
  preferred: true,
  edits: [
    { file: "src/render.ts", edits: [{ range: rangeOf(3, 1, 1), text: "  await rm(tempPath);\n" }] },
    { file: "src/cleanup.ts", edits: [{ range: rangeOf(1, 1, 1), text: "export {};\n" }], create: true },
  ],
};

/** The schema of the OASIS standard, as the package has it; draft-04, with a pattern that only loose regular expressions take. */
const validate = (() => {
  const ajv = new AjvDraft04.default({ strict: false, unicodeRegExp: false, allErrors: true });
  addFormats.default(ajv);
  return ajv.compile(schema);
})();

describe("offcut check: SARIF", () => {
  const sarif = (report: Report): SarifLog => {
    const log = JSON.parse(printable(toSarif(report, "1.2.3")).join("\n")) as SarifLog;
    assert.ok(validate(log), JSON.stringify(validate.errors, null, 2));
    return log;
  };

  it("is valid for every rule and severity, with and without path, fix, disk and problems", () => {
    const findings = RULES.flatMap((rule) =>
      (["error", "warning", "information", "hint"] as const).map((severity, i) =>
        findingOf({
          rule,
          severity,
          fixable: i % 2 === 0,
          ...(i === 1 && { related: [] }),
          ...(i === 2 && { path: { base: "tmp", text: "{}.mp4" }, onDisk: { files: 2, bytes: 10 } }),
        }),
      ),
    );
    const problems = [
      { severity: "warning", source: "offcut.json", line: 3, message: "is odd" },
      { severity: "info", source: "src/a.ts", message: "has a syntax error" },
    ] as const;
    const [run] = sarif(reportOf(findings, { problems, fixes: () => [fix] })).runs;
    assert.equal(run?.results.length, findings.length);
    assert.deepEqual(
      run.tool.driver.rules.map((rule) => rule.id),
      RULES,
    );
    for (const result of run.results) assert.equal(run.tool.driver.rules[result.ruleIndex]?.id, result.ruleId);
    assert.deepEqual(
      run.tool.driver.rules.filter((rule) => rule.relationships).map((rule) => rule.id),
      ["missing-cleanup-after-upload", "missing-cleanup-after-assembly", "partial-cleanup"],
    );
    assert.equal(run.invocations[0]?.toolExecutionNotifications.length, 2);
    assert.equal(sarif(reportOf([])).runs[0]?.results.length, 0);
  });

  it("has the whole page of each rule, without links that lead nowhere", () => {
    for (const { id, help, helpUri } of sarif(reportOf([])).runs[0]?.tool.driver.rules ?? []) {
      assert.equal(helpUri, undefined);
      assert.ok(help.markdown.startsWith(`# ${id}\n`) && help.markdown.includes("\n## Why\n") && help.markdown.includes("\n```"), id);
      assert.ok(help.text.startsWith(`${id}\n`) && help.text.includes("\nWhy\n"), id);
      assert.doesNotMatch(help.text, /^#|^```|\*\*/m, id);
      for (const [, target] of help.markdown.matchAll(/\]\(([^)]*)\)/g)) assert.ok(URL.canParse(target ?? ""), `${id}: ${target}`);
    }
  });

  it("the schema is one that refuses what is wrong", () => {
    const log = toSarif(reportOf([findingOf()]), undefined) as { runs: { columnKind: string }[] };
    assert.ok(validate(log));
    assert.ok(!validate({ ...log, schema: 1 }));
    assert.ok(!validate({ ...log, runs: [{ ...log.runs[0], columnKind: "bytes" }] }));
  });

  it("tells the way as a code flow, what mends it as a fix, and where it is relative to the root", () => {
    const file = "src/a b/100%/ü,:#?.ts";
    const [run] = sarif(reportOf([findingOf({ file, fixable: true }), findingOf({ severity: "hint" })], { fixes: () => [fix] })).runs;
    const [first, second] = run?.results ?? [];
    assert.equal(run?.originalUriBaseIds.SRCROOT.uri, `${pathToFileURL(ROOT).href}/`);
    const uri = first?.locations[0]?.physicalLocation.artifactLocation.uri ?? "";
    assert.equal(uri, "src/a%20b/100%25/%C3%BC%2C%3A%23%3F.ts");
    assert.equal(decodeURIComponent(new URL(uri, run.originalUriBaseIds.SRCROOT.uri).pathname).endsWith(`/a b/${file}`), true);
    assert.deepEqual(first?.codeFlows?.[0]?.threadFlows[0]?.locations[2], {
      location: {
        physicalLocation: {
          artifactLocation: { uri: "src/render.ts", uriBaseId: "SRCROOT" },
          region: { startLine: 3, startColumn: 1, endLine: 3, endColumn: 2 },
        },
        message: { text: "returns here without deleting it" },
      },
      executionOrder: 3,
    });
    assert.deepEqual(first.partialFingerprints, { "offcut/v1": "0123456789abcdef" });
    assert.deepEqual(first.fixes, [
      {
        description: { text: fix.title },
        artifactChanges: [
          {
            artifactLocation: { uri: "src/render.ts", uriBaseId: "SRCROOT" },
            replacements: [
              {
                deletedRegion: { startLine: 3, startColumn: 1, endLine: 3, endColumn: 1 },
                insertedContent: { text: "  await rm(tempPath);\n" },
              },
            ],
          },
          {
            artifactLocation: { uri: "src/cleanup.ts", uriBaseId: "SRCROOT" },
            replacements: [
              { deletedRegion: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 1 }, insertedContent: { text: "export {};\n" } },
            ],
          },
        ],
      },
    ]);
    assert.equal(second?.level, "note");
    assert.equal(second.fixes, undefined);
  });

  it("sends no control character to a terminal, and loses none", () => {
    const message = "\x1b[8m\x9b\u202e\u2028\r\n✓";
    const lines = printable(toSarif(reportOf([findingOf({ message })]), undefined));
    // oxlint-disable-next-line no-control-regex
    for (const line of lines) assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028\u202e]/);
    assert.ok(lines.join("\n").includes("✓"));
    const [run] = sarif(reportOf([findingOf({ message })])).runs;
    assert.equal(run?.results[0]?.message.text, message);
  });

  it("offers the preferred fix only, and none that silences", () => {
    const ignore: Fix = { ...fix, title: "Ignore here", preferred: false };
    const [run] = sarif(reportOf([findingOf({ fixable: true })], { fixes: () => [ignore] })).runs;
    assert.equal(run?.results[0]?.fixes, undefined);
  });
});

describe("offcut check: workflow commands", () => {
  it("has the place, the rule and the way in one line", () => {
    assert.deepEqual(toWorkflowCommands(reportOf([findingOf()]), undefined), [
      '::warning file=src/render.ts,line=2,col=9,endLine=2,endColumn=23,title=offcut%3A missing-cleanup-after-upload::"tempPath" is uploaded and stays on the disk.%0A1. made here: src/render.ts:1%0A2. uploaded here: src/render.ts:2%0A3. returns here without deleting it: src/render.ts:3',
    ]);
  });

  it("escapes what would end a command, a property or a line", () => {
    const finding = findingOf({ file: "a,b:c%/\r\nd.ts", message: "100%: a, b\r\n::error::x", related: [], range: rangeOf(2, 9, 3, 4) });
    assert.deepEqual(toWorkflowCommands(reportOf([finding]), undefined), [
      "::warning file=a%2Cb%3Ac%25/%0D%0Ad.ts,line=2,endLine=4,title=offcut%3A missing-cleanup-after-upload::100%25: a, b%0D%0A::error::x",
    ]);
  });

  it("has a command for every severity, and starts from where the repository was checked out", () => {
    const commands = (["error", "warning", "information", "hint"] as const).map((severity) => findingOf({ severity, related: [] }));
    const report = { ...reportOf(commands), root: "/home/runner/work/repo/packages/app" };
    assert.deepEqual(
      toWorkflowCommands(report, "/home/runner/work/repo").map((line) => line.split(",")[0]),
      ["error", "warning", "notice", "notice"].map((name) => `::${name} file=packages/app/src/render.ts`),
    );
    for (const elsewhere of [undefined, report.root, "/somewhere/else", "/home/runner/work/repo/packages/app/deeper"])
      assert.ok(toWorkflowCommands(report, elsewhere)[0]?.startsWith("::error file=src/render.ts,"), elsewhere);
  });
});

describe("offcut check: JSON", () => {
  it("has what the contract says, and nothing that the engine keeps for itself", () => {
    const finding = { ...findingOf({ path: { base: "tmp", text: "{}" }, onDisk: { files: 1, bytes: 2 } }), secret: 1 };
    const baseline = { file: "offcut-baseline.json", known: 1, unneeded: 0 };
    const report = reportOf([finding], { baseline, fixed: [{ finding: findingOf(), title: "Delete it" }] });
    const { secret: _, ...contract } = finding;
    const { rule, file, range, fingerprint } = contract;
    assert.deepEqual(toJson(report), {
      root: ROOT,
      findings: [contract],
      problems: [],
      files: 3,
      parsed: 2,
      durationMs: 12,
      fixed: [{ rule, file, range, fingerprint, title: "Delete it" }],
      baseline,
    });
    assert.deepEqual(Object.keys(toJson(reportOf([]))), ["root", "findings", "problems", "files", "parsed", "durationMs"]);
    assert.equal(Object.keys(DEFAULT_SEVERITY).length, RULES.length);
  });
});
