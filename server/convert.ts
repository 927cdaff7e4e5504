/** Paths to URIs and back, problems to diagnostics: the one place that converts. */
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { t } from "@vscode/l10n";
import { type Diagnostic, DiagnosticSeverity } from "vscode-languageserver/node";
import type { PlanItem, Problem } from "../core/model.ts";
import { Refusal } from "../core/reclaim/home.ts";

/** Throws a {@link Refusal} for anything that is not a local directory. */
export function pathOf(uri: string): string {
  try {
    return path.resolve(fileURLToPath(uri));
  } catch {
    throw new Refusal(t("{0} is not on a disk; Offcut works on local files only", uri));
  }
}

export function uriOf(absolutePath: string): string {
  return pathToFileURL(absolutePath).href;
}

export function uriOfItem(item: PlanItem): string {
  return uriOf(path.join(item.root, item.path));
}

const SEVERITIES = { error: DiagnosticSeverity.Error, warning: DiagnosticSeverity.Warning, info: DiagnosticSeverity.Information } as const;

/** The whole line, because problems know only their line. */
export function diagnosticOf(problem: Problem, lines: readonly string[]): Diagnostic {
  const line = Math.min(Math.max((problem.line ?? 1) - 1, 0), Math.max(lines.length - 1, 0));
  const text = lines[line] ?? "";
  const start = text.length - text.trimStart().length;
  return {
    range: { start: { line, character: start }, end: { line, character: text.trimEnd().length } },
    severity: SEVERITIES[problem.severity],
    source: "offcut",
    message: problem.message,
  };
}
