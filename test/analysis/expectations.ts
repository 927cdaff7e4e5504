/**
 * What the cases of `test/fixtures/check` say of themselves. A case is a folder `<rule>/<name>`; a line on which a finding must start
 * ends in `// expect: <rule>`. Several are separated by commas, `a|b` wants either, `rule=hint` a severity too, and `rule?` allows a
 * finding without asking for it. Of the lines `// expect-one(<group>): <rule>` of a case at least one must be found. Cases that say
 * nothing must be silent; findings below a warning count only in the folder of their own rule.
 */
import fs from "node:fs";
import path from "node:path";
import type { AnalysisSettings } from "../../core/analysis/check.ts";
import { type Finding, type RuleId, RULES, type Severity } from "../../core/analysis/finding.ts";
import { loadConfig } from "../../core/config/load.ts";

export const CASES = path.resolve(import.meta.dirname, "../fixtures/check");
const SOURCE = /\.[cm]?[jt]sx?$/;
const COMMENT = /\/\/ (expect(?:-one\(\w+\))?: .+?)\s*$/;
const PART = /^(?:expect(?:-one\((?<group>\w+)\))?: )?(?<alternatives>[\w\-|=]+)(?<optional>\?)?$/;

export interface Case {
  /** `<rule>/<name>`. */
  readonly id: string;
  readonly rule: RuleId;
  /** Absolute path. */
  readonly folder: string;
  readonly expectations: readonly Expectation[];
}

export interface Expectation {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly alternatives: readonly { readonly rule: RuleId; readonly severity?: Severity }[];
  readonly optional: boolean;
  readonly group?: string;
}

export interface Difference {
  readonly missing: readonly Expectation[];
  readonly unexpected: readonly Finding[];
}

export function readCases(): readonly Case[] {
  return RULES.filter((rule) => fs.existsSync(path.join(CASES, rule))).flatMap((rule) =>
    fs
      .readdirSync(path.join(CASES, rule))
      .toSorted()
      .map((name) => {
        const folder = path.join(CASES, rule, name);
        return { id: `${rule}/${name}`, rule, folder, expectations: sources(folder).flatMap((file) => readExpectations(folder, file)) };
      }),
  );
}

/** Source files below a folder, as paths from it with `/`. */
export function sources(folder: string): readonly string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll(path.sep, "/"))
    .filter((file) => SOURCE.test(file))
    .toSorted();
}

export function settingsOf(folder: string): AnalysisSettings {
  return loadConfig(folder).analysis;
}

/** What the case asks for and the analysis does not say, and the other way round. */
export function compare({ rule, expectations }: Case, findings: readonly Finding[]): Difference {
  const found = expectations.filter((expectation) => findings.some((finding) => fulfils(finding, expectation)));
  const groups = new Set(found.map(({ group }) => group));
  return {
    missing: expectations.filter((expectation) =>
      expectation.group === undefined ? !expectation.optional && !found.includes(expectation) : !groups.has(expectation.group),
    ),
    unexpected: findings.filter(
      (finding) =>
        !expectations.some((expectation) => fulfils(finding, expectation)) &&
        (finding.rule === rule || finding.severity === "error" || finding.severity === "warning"),
    ),
  };
}

/** The difference for people: the source line of each, and how the analysis came to what it says. */
export function explain({ folder }: Case, { missing, unexpected }: Difference): string {
  const lineOf = (file: string, line: number): string =>
    fs.readFileSync(path.join(folder, file), "utf8").split("\n")[line - 1]?.trim() ?? "";
  return [
    ...missing.map(({ file, line, alternatives, group }) => {
      const wanted = alternatives.map((one) => (one.severity ? `${one.rule} (${one.severity})` : one.rule)).join(" or ");
      return `- ${file}:${line} ${wanted}${group === undefined ? "" : ` [one of ${group}]`}\n    ${lineOf(file, line)}`;
    }),
    ...unexpected.map(({ file, range, rule, severity, message, related }) =>
      [
        `+ ${file}:${range.start.line} ${rule} (${severity}): ${message}\n    ${lineOf(file, range.start.line)}`,
        ...related.map((step) => `    ${step.file}:${step.line} ${step.message}`),
      ].join("\n"),
    ),
  ].join("\n");
}

function fulfils(finding: Finding, { file, line, alternatives }: Expectation): boolean {
  return (
    finding.file === file &&
    finding.range.start.line === line &&
    alternatives.some((one) => one.rule === finding.rule && (one.severity === undefined || one.severity === finding.severity))
  );
}

function readExpectations(folder: string, file: string): readonly Expectation[] {
  return fs
    .readFileSync(path.join(folder, file), "utf8")
    .split("\n")
    .flatMap((text, index) => {
      const comment = COMMENT.exec(text)?.[1];
      if (comment === undefined) return [];
      let group: string | undefined;
      return comment.split(", ").map((part) => {
        const { alternatives = "", optional, ...rest } = PART.exec(part)?.groups ?? {};
        if (part.startsWith("expect")) group = rest["group"];
        return {
          file,
          line: index + 1,
          alternatives: alternatives.split("|").map((one) => readAlternative(one, `${file}:${index + 1}`)),
          optional: optional !== undefined,
          ...(group !== undefined && { group }),
        };
      });
    });
}

function readAlternative(written: string, place: string): Expectation["alternatives"][number] {
  const [name, severity] = written.split("=");
  const rule = RULES.find((one) => one === name);
  if (!rule) throw new Error(`${place}: there is no rule "${name}"`);
  return { rule, ...(severity !== undefined && { severity: severity as Severity }) };
}
