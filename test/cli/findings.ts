/** Findings made by hand, for tests of what is printed and mended. */
import type { Finding, Range, Related } from "../../core/analysis/finding.ts";

/** From a line and column to a column of the same line, or to another place. */
export function rangeOf(line: number, column: number, endColumn: number, endLine = line): Range {
  return { start: { line, column }, end: { line: endLine, column: endColumn } };
}

export function stepOf(file: string, line: number, message: string): Related {
  return { file, line, range: rangeOf(line, 1, 2), message };
}

export function findingOf(changes: Partial<Finding> = {}): Finding {
  return {
    rule: "missing-cleanup-after-upload",
    severity: "warning",
    file: "src/render.ts",
    range: rangeOf(2, 9, 23),
    message: '"tempPath" is uploaded and stays on the disk.',
    related: [
      stepOf("src/render.ts", 1, "made here"),
      stepOf("src/render.ts", 2, "uploaded here"),
      stepOf("src/render.ts", 3, "returns here without deleting it"),
    ],
    subject: "tempPath",
    fingerprint: "0123456789abcdef",
    fixable: false,
    ...changes,
  };
}
