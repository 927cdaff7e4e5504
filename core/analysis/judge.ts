/** Asks the rules about the functions that were run. */
import type { AnalysisOptions } from "./check.ts";
import type { Finding } from "./finding.ts";
import type { FrontEnd } from "./frontEnd.ts";
import { ownLeaks } from "./leaks.ts";
import { follow, gather, sweptBy } from "./overview.ts";
import type { Program } from "./program.ts";
import { createReporter } from "./report.ts";
import type { Draft } from "./rules/draft.ts";
import { RULE_LIST } from "./rules/rules.ts";
import type { Report } from "./solve.ts";

export interface Verdict {
  readonly found: readonly Found[];
  /** Of the functions that do something with files. */
  readonly reports: readonly Report[];
}

/** A finding with what it was made of. Nobody has tried yet whether it can be fixed. */
export interface Found {
  readonly draft: Draft;
  readonly finding: Finding;
}

export type JudgeOptions = AnalysisOptions & {
  /** Whether the workspace knows the switch for automatic cleanup. */
  readonly gated: boolean;
};

/** Of the files that count, those within `paths` are asked about. */
export function judge(
  program: Program,
  frontEnd: FrontEnd,
  judged: ReadonlySet<string>,
  options: JudgeOptions,
  paths: readonly string[] | undefined,
): Verdict {
  const { reports: visited, callers } = follow(program);
  gather(program);
  const { gated } = options;
  const swept = sweptBy(program);
  const asked = new Set([...judged].filter((file) => isWithinPaths(file, paths)));
  const reports = visited.filter((report) => asked.has(report.module.file) && touchesFiles(report));
  const leaks = ownLeaks(program, judged, reports, callers);
  const drafts: Draft[] = [];
  for (const [index, report] of reports.entries()) {
    const context = { program, report, reports: visited, callers, leaks: leaks[index] ?? [], gated, swept };
    for (const rule of RULE_LIST) drafts.push(...rule(context));
  }
  return { found: createReporter(frontEnd, options).findings(drafts), reports };
}

function touchesFiles({ frame }: Report): boolean {
  return frame.files.size > 0 || frame.observed.length > 0;
}

export function isWithinPaths(file: string, paths: readonly string[] | undefined): boolean {
  return (
    paths === undefined ||
    paths.some((path) => path === "" || path === "." || file === path || file.startsWith(path.endsWith("/") ? path : `${path}/`))
  );
}
