/**
 * The two doors of the analysis: once over a workspace (the command line), and a long session that follows edits (the editor).
 */
import type { Problem } from "../model.ts";
import type { CallSite, Finding, Fix, RuleId, Severity } from "./finding.ts";

/** A function that the workspace's owner names: `offcut.json`, `analysis.uploads` and its sisters. */
export interface NamedCall {
  /** Module specifier as it is imported, or a path from the workspace root. Absent: any module. */
  readonly module?: string;
  /** `upload`, `Client.put`. */
  readonly name: string;
  /** Position of the path among the arguments (from 0), or a field of the options object: `file`, `0.path`. Default 0. */
  readonly argument?: number | string;
}

export interface AnalysisSettings {
  readonly uploads: readonly NamedCall[];
  readonly assemblies: readonly NamedCall[];
  readonly cleanups: readonly NamedCall[];
  /** Severities that differ from the defaults; `off` disables a rule. */
  readonly rules: Readonly<Partial<Record<RuleId, Severity | "off">>>;
  /** Globs of files that are not looked at, beside tests, fixtures and what git ignores. */
  readonly exclude: readonly string[];
}

export interface CheckResult {
  readonly findings: readonly Finding[];
  readonly sites: readonly CallSite[];
  readonly problems: readonly Problem[];
  /** How many source files were looked through, and how many of them had to be parsed. */
  readonly files: number;
  readonly parsed: number;
}

export interface CheckProgress {
  /** Files looked through so far, of how many. */
  readonly done: number;
  readonly total: number;
}

export interface AnalysisOptions {
  /** Absolute path of the workspace. */
  readonly root: string;
  readonly settings: AnalysisSettings;
}

/** Follows the files of one workspace. Not thread-safe; lives where its caller lives. */
export interface Analysis {
  /** The text that an editor shows instead of the one on disk; `undefined`: the disk counts again. */
  setText(file: string, text: string | undefined): void;
  /** Says that files appeared, changed or went on disk; without arguments: look at all of them again. */
  changed(files?: readonly string[]): void;
  /** Findings of the files (of all, when none are named). Files are paths from the root; directories stand for what is below. */
  check(options?: {
    readonly paths?: readonly string[];
    readonly signal?: AbortSignal;
    onProgress?(progress: CheckProgress): void;
  }): CheckResult;
  /** What would clear this finding, the preferred fix first; no more than `most`. */
  fixes(finding: Finding, most?: number): readonly Fix[];
}
