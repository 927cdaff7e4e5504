/**
 * `--format github`: workflow commands, which GitHub Actions shows beside the code.
 * https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
 */
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Finding, Severity } from "../../core/analysis/finding.ts";
import { visible } from "../terminal.ts";
import type { Report } from "./report.ts";

const COMMAND: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", information: "notice", hint: "notice" };

/** `workspace` is where the repository was checked out, which annotations start from: `GITHUB_WORKSPACE`. */
export function toWorkflowCommands(report: Report, workspace: string | undefined): readonly string[] {
  const base = workspace === undefined ? "" : toPosix(path.relative(workspace, report.root));
  const prefix = base === "" || base === ".." || base.startsWith("../") || path.isAbsolute(base) ? "" : `${base}/`;
  return report.findings.map((finding) => toCommand(finding, prefix));
}

function toCommand({ rule, severity, file, range, message, related }: Finding, prefix: string): string {
  const { start, end } = range;
  const properties: readonly (readonly [string, string | number])[] = [
    ["file", prefix + file],
    ["line", start.line],
    // Columns are refused where the lines differ.
    ...(start.line === end.line ? ([["col", start.column]] as const) : []),
    ["endLine", end.line],
    ...(start.line === end.line ? ([["endColumn", end.column]] as const) : []),
    ["title", `offcut: ${rule}`],
  ];
  const steps = related.map((step, i) => t("{0}. {1}: {2}", i + 1, step.message, `${prefix}${step.file}:${step.line}`));
  const list = properties.map(([name, value]) => `${name}=${escapeProperty(String(value))}`).join(",");
  return `::${COMMAND[severity]} ${list}::${escapeData([message, ...steps].join("\n"))}`;
}

/** The log shows it too, where control characters would be obeyed. */
function escapeData(text: string): string {
  return visible(text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A"));
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

function toPosix(file: string): string {
  return file.split(path.sep).join("/");
}
