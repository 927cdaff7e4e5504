/** `--format text`: each finding with its code, the way of the file, and what helps. */
import { t } from "@vscode/l10n";
import type { Finding, Related, Severity } from "../../core/analysis/finding.ts";
import { countFiles, formatBytes } from "../../core/words.ts";
import { type Terminal, visible } from "../terminal.ts";
import { drawFrame } from "./frame.ts";
import { countSeverities, type Report } from "./report.ts";
import { addressOf } from "./rulePage.ts";
import type { Sources } from "./sources.ts";
import { cutTo, HARD_SPACE, widthOf, wrap } from "./width.ts";

type Screen = Pick<Terminal, "style" | "columns" | "link">;

const COLOUR = { error: "red", warning: "yellow", information: "blue", hint: "cyan" } as const;
const INDENT = "  ";
/** The code beside a step is shown where there is room for so many columns of it, and never more than so many. */
const LEAST_CODE = 20;
const MOST_CODE = 80;

export function formatReport(screen: Screen, report: Report, sources: Sources): readonly string[] {
  const fixed = report.fixed ?? [];
  return [
    ...fixed.map(({ finding, title }) => `${screen.style("green", t("fixed"))} ${placeOf(screen, finding)} ${screen.style("dim", title)}`),
    ...(fixed.length > 0 ? [""] : []),
    ...report.findings.flatMap((finding) => [...formatFinding(screen, finding, sources), ""]),
    ...formatSummary(screen, report),
    ...formatHelp(screen, report),
  ];
}

/** Once, however many findings there are. */
function formatHelp(screen: Screen, { findings }: Report): readonly string[] {
  const [rule, ...others] = new Set(findings.map((finding) => finding.rule));
  if (rule === undefined) return [];
  const command = `offcut check --explain ${others.length === 0 ? rule : "RULE"}`.replaceAll(" ", HARD_SPACE);
  return wrap(t("Why, and what is right: {0}", command), screen.columns - 1).map((line) => screen.style("dim", line));
}

function formatFinding(screen: Screen, finding: Finding, sources: Sources): readonly string[] {
  const { severity, rule, message, onDisk, path, fixable } = finding;
  const head = [
    `${placeOf(screen, finding)} ${screen.style([COLOUR[severity], "bold"], nameOf(severity))} ${screen.link(rule, addressOf(rule))}`,
    ...wrap(message, screen.columns - INDENT.length - 1).map((line) => `${INDENT}${screen.style("bold", line)}`),
  ];
  // A hint is said in passing.
  if (severity === "hint") return head;
  const facts = [
    ...(onDisk && onDisk.files > 0
      ? [[t("{0}, {1} on disk now", countFiles(onDisk.files), formatBytes(onDisk.bytes)), ...(path ? [path.text] : [])].join(": ")]
      : []),
    ...(fixable ? [t("offcut check --fix can mend this")] : []),
  ];
  return [
    ...head,
    ...separate(formatFrame(screen, finding, sources(finding.file))),
    ...formatSteps(screen, finding, sources),
    ...facts.flatMap((fact) =>
      wrap(fact, screen.columns - 2 * INDENT.length - 1).map((line, i) =>
        screen.style("dim", `${INDENT}${i === 0 ? "= " : INDENT}${line}`),
      ),
    ),
  ];
}

function separate(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", ...lines, ""];
}

function placeOf(screen: Screen, { file, range }: Finding): string {
  return screen.style("bold", `${file}:${range.start.line}:${range.start.column}`);
}

function nameOf(severity: Severity): string {
  return { error: t("error"), warning: t("warning"), information: t("information"), hint: t("hint") }[severity];
}

function formatFrame(screen: Screen, { severity, range }: Finding, lines: readonly string[]): readonly string[] {
  const gutter = `${INDENT}${range.start.line + 1} │ `.length;
  return drawFrame(lines, range, screen.columns - gutter - 1).map((line) => {
    const bar = screen.style("dim", `${INDENT}${line.gutter} │`);
    const text = line.kind === "carets" ? screen.style(COLOUR[severity], line.text) : line.text;
    return line.text === "" ? bar : `${bar} ${text}`;
  });
}

/** `1 made here  src/render.ts:12  const file = …`, with columns as far as they fit. */
function formatSteps(screen: Screen, finding: Finding, sources: Sources): readonly string[] {
  const related = finding.related.filter((step, i, all) => i === 0 || !isSameLine(step, all[i - 1]));
  const places = related.map((step) => `${step.file}:${step.line}`);
  const digits = String(related.length).length;
  const messages = related.map((step) => visible(step.message));
  const messageWidth = Math.max(...messages.map(widthOf));
  const placeWidth = Math.max(...places.map(widthOf));
  const used = INDENT.length + digits + 1 + messageWidth + 2 + placeWidth + 2;
  const room = Math.min(MOST_CODE, screen.columns - used - 1);
  return related.map((step, i) => {
    const number = screen.style("dim", `${INDENT}${String(i + 1).padStart(digits)}`);
    const [message, place] = [messages[i] ?? "", places[i] ?? ""];
    if (used - 2 > screen.columns) return `${number} ${message} ${screen.style("dim", place)}`;
    const code = room < LEAST_CODE ? "" : cutTo(codeOf(step, sources), room);
    const columns = [pad(message, messageWidth), code === "" ? place : pad(place, placeWidth), ...(code === "" ? [] : [code])];
    return `${number} ${columns[0]}  ${screen.style("dim", columns.slice(1).join(INDENT))}`;
  });
}

/** Two steps within a line read as one. */
function isSameLine(step: Related, before: Related | undefined): boolean {
  return step.file === before?.file && step.line === before.line && step.message === before.message;
}

function codeOf(step: Related, sources: Sources): string {
  return visible((sources(step.file)[step.line - 1] ?? "").trim().replaceAll("\t", " "));
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** `3 warnings in 2 files (1 can be fixed with --fix); looked through 512 files in 0.4 s`. */
export function formatSummary(screen: Screen, report: Report): readonly string[] {
  const { findings, files, durationMs, fixed, baseline } = report;
  const looked = t("looked through {0} in {1} s", countFiles(files), (durationMs / 1000).toFixed(durationMs < 100 ? 2 : 1));
  const fixable = fixed ? 0 : findings.filter((finding) => finding.fixable).length;
  const found = baseline?.written === undefined ? sayFound(report) : sayWritten(baseline.written, baseline.file);
  const mend = fixable === 0 ? "" : ` (${fixable === 1 ? t("1 can be fixed with --fix") : t("{0} can be fixed with --fix", fixable)})`;
  const worst = findings.some((one) => one.severity === "error")
    ? "red"
    : findings.some((one) => one.severity === "warning")
      ? "yellow"
      : "green";
  const lay = (lines: readonly string[], style: Parameters<Screen["style"]>[0]): readonly string[] =>
    lines.flatMap((line) => wrap(line, screen.columns - 1)).map((line) => screen.style(style, line));
  return [...lay([`${found}${mend}; ${looked}`], [worst, "bold"]), ...lay(baseline ? formatBaselineUse(baseline) : [], "dim")];
}

function sayFound({ findings, fixed = [] }: Report): string {
  const where =
    findings.length === 0 ? "" : t("{0} in {1}", countFindings(findings), countFiles(new Set(findings.map((one) => one.file)).size));
  if (fixed.length === 0) return where === "" ? t("No findings") : where;
  return [countFixed(fixed.length), where === "" ? t("none left") : t("{0} left", where)].join("; ");
}

function sayWritten(count: number, file: string): string {
  return count === 1 ? t("Wrote 1 finding to {0}", file) : t("Wrote {0} findings to {1}", count, file);
}

function formatBaselineUse({ file, known, unneeded, written }: NonNullable<Report["baseline"]>): readonly string[] {
  if (written !== undefined) return [];
  return [
    ...(known === 0
      ? []
      : [known === 1 ? t("1 finding is in the baseline {0}", file) : t("{0} findings are in the baseline {1}", known, file)]),
    ...(unneeded === 0
      ? []
      : [
          unneeded === 1
            ? t("1 entry of the baseline is no longer needed (run --update-baseline)")
            : t("{0} entries of the baseline are no longer needed (run --update-baseline)", unneeded),
        ]),
  ];
}

function countFindings(findings: readonly Finding[]): string {
  const { error, warning, information, hint } = countSeverities(findings);
  return [
    ...(error === 0 ? [] : [error === 1 ? t("1 error") : t("{0} errors", error)]),
    ...(warning === 0 ? [] : [warning === 1 ? t("1 warning") : t("{0} warnings", warning)]),
    ...(information === 0 ? [] : [information === 1 ? t("1 piece of information") : t("{0} pieces of information", information)]),
    ...(hint === 0 ? [] : [hint === 1 ? t("1 hint") : t("{0} hints", hint)]),
  ].join(", ");
}

function countFixed(count: number): string {
  return count === 1 ? t("Fixed 1 finding") : t("Fixed {0} findings", count);
}
