import fs from "node:fs";
import { t } from "@vscode/l10n";
import type { Analysis, AnalysisSettings, CheckProgress, CheckResult } from "../../core/analysis/check.ts";
import { measure } from "../../core/analysis/disk.ts";
import { DEFAULT_SEVERITY, type Finding, type RuleId } from "../../core/analysis/finding.ts";
import { describePlace, listSources } from "../../core/analysis/sources.ts";
import type { Config } from "../../core/config/config.ts";
import { loadConfig } from "../../core/config/load.ts";
import type { Problem } from "../../core/model.ts";
import { countFiles } from "../../core/words.ts";
import { UsageError } from "../args.ts";
import { compareWith, openBaseline, updateBaseline } from "../check/baselineFile.ts";
import { fixFindings } from "../check/fix.ts";
import { toWorkflowCommands } from "../check/github.ts";
import { toJson } from "../check/json.ts";
import { type CheckOptions, explainedRule, readOptions } from "../check/options.ts";
import { countSeverities, type Report, sortFindings, tryFixes } from "../check/report.ts";
import { formatPage, readPage, toJsonPage } from "../check/rulePage.ts";
import { printable, toSarif } from "../check/sarif.ts";
import { openSources } from "../check/sources.ts";
import { formatReport, formatSummary } from "../check/text.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { formatProblem } from "../terminal.ts";

declare const OFFCUT_VERSION: string | undefined;

/** Finds the code that leaves files behind. Writes nothing but what `--fix` and `--update-baseline` ask for. */
export async function check(context: Context): Promise<ExitCode> {
  const { args, signal } = context;
  const explained = explainedRule(args);
  if (explained !== undefined) return explain(context, explained);
  const root = realRoot(context.root);
  const options = readOptions(args, root);
  const config = loadConfig(root);
  const baseline = openBaseline(args, root);
  const began = performance.now();
  const analysis = await startAnalysis(root, withRules(config.analysis, options.rules));
  signal.throwIfAborted();
  const look = (): CheckResult => lookThrough(context, analysis, options);
  const chosen = (result: CheckResult): readonly Finding[] => result.findings.filter(({ rule }) => options.rules?.has(rule) ?? true);
  const choose = (result: CheckResult): readonly Finding[] => compareWith(baseline, chosen(result), options).fresh;
  const mending = args.has("fix") ? await fixFindings({ root, analysis, signal, check: look, choose }) : undefined;
  const result = mending?.result ?? look();
  const { fresh, known, unneeded } = compareWith(baseline, chosen(result), options);
  const updated = args.has("update-baseline") && !signal.aborted ? updateBaseline(baseline, chosen(result), options) : undefined;
  const shown = updated ? [] : signal.aborted ? fresh : tryFixes(analysis, fresh);
  const findings = await withSizes(context, config, options, shown);
  context.terminal.progress(undefined);
  const originals = new Map(findings.map((finding, i) => [finding, shown[i] ?? finding]));
  const use = { file: baseline.label, known: known.length, unneeded: unneeded.length };
  show(context, options, {
    root,
    findings: sortFindings(findings, options.sort),
    problems: [...noticed(config), ...result.problems, ...(mending?.problems ?? []), ...missed(result, config, options)],
    files: result.files,
    parsed: result.parsed,
    durationMs: performance.now() - began,
    ...(mending && { fixed: mending.fixed }),
    ...((updated ?? baseline.baseline) && { baseline: updated ?? use }),
    fixes: (finding, most) => analysis.fixes(originals.get(finding) ?? finding, most),
  });
  if (signal.aborted) return EXIT.interrupted;
  const { error, warning } = countSeverities(shown);
  return error > 0 || warning > options.maxWarnings ? EXIT.findings : EXIT.done;
}

function explain({ args, terminal }: Context, rule: RuleId): ExitCode {
  if (args.json || args.format === "json") terminal.printJson(toJsonPage(rule));
  else terminal.print(...formatPage(terminal, readPage(rule)));
  return EXIT.done;
}

/** Looking through a link is no danger, unlike cleaning through one. */
function realRoot(root: string): string {
  const stat = fs.statSync(root, { throwIfNoEntry: false });
  if (!stat) throw new UsageError(t("{0} is not there; give the workspace with --root DIR", root));
  if (!stat.isDirectory()) throw new UsageError(t("{0} is not a directory; give the workspace with --root DIR", root));
  return fs.realpathSync(root);
}

/** The parser is large, and no other command needs it. */
async function startAnalysis(root: string, settings: AnalysisSettings): Promise<Analysis> {
  const { openAnalysis } = await import("../../core/analysis/analysis.ts");
  return openAnalysis({ root, settings });
}

/** Who asks for a rule by its name gets it, even where it is off. */
function withRules(settings: AnalysisSettings, rules: ReadonlySet<RuleId> | undefined): AnalysisSettings {
  const off = [...(rules ?? [])].filter((rule) => settings.rules[rule] === "off");
  return { ...settings, rules: { ...settings.rules, ...Object.fromEntries(off.map((rule) => [rule, DEFAULT_SEVERITY[rule]])) } };
}

function lookThrough({ terminal, signal, stoppable }: Context, analysis: Analysis, { paths }: CheckOptions): CheckResult {
  const onProgress = ({ done, total }: CheckProgress): void =>
    terminal.progress(t("Looking through the code … {0} of {1}", done, countFiles(total)));
  return stoppable(() => analysis.check({ ...(paths && { paths }), signal, onProgress }));
}

/** With what lies on the disk. The text has a line of its own for that, so its messages stay as they are. */
async function withSizes(
  { args, signal }: Context,
  { root, stores }: Config,
  { format }: CheckOptions,
  findings: readonly Finding[],
): Promise<readonly Finding[]> {
  try {
    const measured = await measure(root, findings, { stores, signal });
    return format === "text" ? measured.map((one, i) => Object.assign({}, one, { message: findings[i]?.message })) : measured;
  } catch (error) {
    if (!signal.aborted || !args.has("fix")) throw error;
    return findings; // What was mended before Ctrl-C is told all the same.
  }
}

/** That there is no `offcut.json` is normal here. */
function noticed(config: Config): readonly Problem[] {
  return config.file === undefined ? [] : config.problems.filter((problem) => problem.severity !== "info");
}

/** Paths without code, which are a slip more often than not. */
function missed({ files, findings }: CheckResult, { root, analysis }: Config, { paths = [""] }: CheckOptions): readonly Problem[] {
  if (files > 0 && (findings.length > 0 || paths.includes(""))) return [];
  const sources = files === 0 ? [] : listSources(root, { exclude: analysis.exclude });
  const isLookedAt = (path: string): boolean =>
    sources.some((file) => file === path || (file.startsWith(`${path}/`) && !describePlace(file).test));
  const message = t("has no code to look at; tests, fixtures, what git ignores and what is excluded in offcut.json are left out");
  return paths.filter((path) => !isLookedAt(path)).map((path): Problem => ({ severity: "warning", source: path || ".", message }));
}

function show(context: Context, { format }: CheckOptions, report: Report): void {
  const { terminal } = context;
  if (format === "json") return terminal.printJson(toJson(report));
  if (format !== "sarif") for (const problem of report.problems) terminal.warn(formatProblem(problem));
  // One by one: there may be more lines than a call takes arguments.
  for (const line of linesOf(context, format, report)) terminal.print(line);
  if (format === "github") terminal.warn(...formatSummary(terminal, report));
}

function linesOf({ terminal, environment }: Context, format: Exclude<CheckOptions["format"], "json">, report: Report): readonly string[] {
  if (format === "sarif") return printable(toSarif(report, typeof OFFCUT_VERSION === "string" ? OFFCUT_VERSION : undefined));
  if (format === "github") return toWorkflowCommands(report, environment["GITHUB_WORKSPACE"]);
  return formatReport(terminal, report, openSources(report.root));
}
