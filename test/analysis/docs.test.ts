/** The pages about the rules: what they call wrong is found, what they call right is not, and none is missing. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import type { AnalysisSettings } from "../../core/analysis/check.ts";
import { DEFAULT_SEVERITY, type Finding, type RuleId, RULES } from "../../core/analysis/finding.ts";
import { plant, withTree } from "../scan/collect.ts";

const PAGES = fileURLToPath(new URL("../../docs/rules/", import.meta.url));
const SETTINGS: AnalysisSettings = { uploads: [], assemblies: [], cleanups: [], rules: {}, exclude: [] };
const LONGEST = 90;

interface Block {
  readonly language: "ts" | "js";
  readonly verdict: "wrong" | "right";
  readonly code: string;
  readonly line: number;
}

function readPage(rule: string): string {
  return readFileSync(join(PAGES, `${rule}.md`), "utf8");
}

function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^```(ts|js) (wrong|right)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] as Block["language"],
    verdict: match[2] as Block["verdict"],
    code: match[3] ?? "",
    line: page.slice(0, match.index).split("\n").length + 1,
  }));
}

/** The findings in a workspace that holds nothing but the block. */
async function findingsOf({ language, code }: Block): Promise<readonly Finding[]> {
  let findings: readonly Finding[] = [];
  await withTree((root) => {
    plant(root, "src/");
    writeFileSync(join(root, "package.json"), JSON.stringify({ name: "page", type: language === "ts" ? "module" : "commonjs" }));
    writeFileSync(join(root, `src/example.${language}`), code);
    const result = openAnalysis({ root, settings: SETTINGS }).check();
    assert.deepEqual(result.problems, []);
    findings = result.findings;
  });
  return findings;
}

function describeFindings(findings: readonly Finding[]): string {
  return findings.map(({ rule, range, message }) => `${rule} at line ${range.start.line}: ${message}`).join("\n");
}

describe("docs/rules", () => {
  it("has a page for each rule and a row for each page", () => {
    const pages = readdirSync(PAGES).filter((name) => name !== "README.md");
    assert.deepEqual(pages.sort(), RULES.map((rule) => `${rule}.md`).sort());
    const rows = [...readPage("README").matchAll(/^\| \[([\w-]+)\]\(([\w-]+)\.md\) \| (\w+) \|/gm)].map((row) => row.slice(1));
    assert.deepEqual(
      rows,
      RULES.map((rule) => [rule, rule, DEFAULT_SEVERITY[rule]]),
    );
  });

  for (const rule of RULES) {
    describe(rule, () => {
      const page = readPage(rule);
      const blocks = blocksOf(page);

      it("is short, names its severity and says how to silence it", () => {
        assert.ok(page.split("\n").length <= LONGEST + 1);
        assert.match(page, new RegExp(`^# ${rule}\n\n\\*\\*${DEFAULT_SEVERITY[rule]}\\*\\*`, "i"));
        assert.ok(page.includes(`// offcut-ignore-next-line ${rule} -- `));
        assert.ok(page.includes(`{ "analysis": { "rules": { "${rule}": "off" } } }`));
        for (const verdict of ["wrong", "right"]) assert.ok(blocks.some((block) => block.verdict === verdict));
        // No block escapes the tests by a mistake in its first line.
        assert.equal(blocks.length * 2, page.match(/^```/gm)?.length);
      });

      for (const block of blocks) {
        it(`${block.verdict === "wrong" ? "finds" : "accepts"} the ${block.language} block at line ${block.line}`, async () => {
          const findings = await findingsOf(block);
          const rules = new Set<RuleId>(findings.map((finding) => finding.rule));
          if (block.verdict === "wrong") assert.deepEqual([...rules], [rule], describeFindings(findings));
          else assert.ok(!rules.has(rule), describeFindings(findings));
        });
      }
    });
  }
});
