/** What `offcut check` found, for the printers. */
import type { Analysis } from "../../core/analysis/check.ts";
import type { Finding, Fix, Severity } from "../../core/analysis/finding.ts";
import type { Problem } from "../../core/model.ts";

export interface Report {
  /** Absolute path. */
  readonly root: string;
  /** What the baseline does not have, in the order to be shown. */
  readonly findings: readonly Finding[];
  readonly problems: readonly Problem[];
  readonly files: number;
  readonly parsed: number;
  readonly durationMs: number;
  /** What `--fix` did. Absent without it. */
  readonly fixed?: readonly Fixed[];
  /** Absent where there is no baseline. */
  readonly baseline?: BaselineUse;
  fixes(finding: Finding, most?: number): readonly Fix[];
}

export interface Fixed {
  readonly finding: Finding;
  /** Of the {@link Fix} that was applied. */
  readonly title: string;
}

export interface BaselineUse {
  /** As people look for it. */
  readonly file: string;
  /** How many findings it has that are still there. */
  readonly known: number;
  /** How many entries are no longer needed. */
  readonly unneeded: number;
  /** How many findings `--update-baseline` wrote. */
  readonly written?: number;
}

/** How many findings of each severity. */
export function countSeverities(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const counts = { error: 0, warning: 0, information: 0, hint: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

/** The fix that `--fix` applies, and that other tools are offered. */
export function preferredFix(analysis: Pick<Analysis, "fixes">, finding: Finding): Fix | undefined {
  return finding.fixable ? analysis.fixes(finding, 1).find((fix) => fix.preferred) : undefined;
}

/** With `fixable` only where the fix that would be applied was tried out. */
export function tryFixes(analysis: Pick<Analysis, "fixes">, findings: readonly Finding[]): readonly Finding[] {
  return findings.map((finding) => (finding.fixable && !preferredFix(analysis, finding) ? { ...finding, fixable: false } : finding));
}

/** By file and line, as people read; by bytes on disk first when that is asked for. */
export function sortFindings(findings: readonly Finding[], by: "file" | "bytes"): readonly Finding[] {
  const bytes = (finding: Finding): number => (by === "bytes" ? (finding.onDisk?.bytes ?? 0) : 0);
  return findings.toSorted(
    (a, b) =>
      bytes(b) - bytes(a) ||
      compareText(a.file, b.file) ||
      a.range.start.line - b.range.start.line ||
      a.range.start.column - b.range.start.column ||
      compareText(a.rule, b.rule),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
