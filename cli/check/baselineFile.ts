/** The baseline of a workspace as a file. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import {
  applyBaseline,
  type Baseline,
  BASELINE_FILE,
  type BaselineEntry,
  type Comparison,
  formatBaseline,
  makeBaseline,
  readBaseline,
} from "../../core/analysis/baseline.ts";
import type { Finding } from "../../core/analysis/finding.ts";
import { replaceFile } from "../../core/reclaim/home.ts";
import { type Arguments, UsageError } from "../args.ts";
import type { CheckOptions } from "./options.ts";
import type { BaselineUse } from "./report.ts";

export interface BaselineFile {
  /** Absolute path. */
  readonly file: string;
  /** As people look for it. */
  readonly label: string;
  /** Absent when the file is not there. */
  readonly baseline?: Baseline;
}

/** Throws a `ConfigError` when it is malformed, and a {@link UsageError} when the one that was asked for is not there. */
export function openBaseline(args: Arguments, root: string): BaselineFile {
  if (args.baseline === "") throw new UsageError(t("--baseline needs the name of a file"));
  const file = args.baseline === undefined ? path.join(root, BASELINE_FILE) : path.resolve(args.baseline);
  const label = args.baseline ?? BASELINE_FILE;
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw new UsageError(t("the baseline {0} cannot be read: {1}", label, (error as Error).message));
    if (args.baseline !== undefined && !args.has("update-baseline"))
      throw new UsageError(t("the baseline {0} is not there; write it with offcut check --baseline {0} --update-baseline", label));
    return { file, label };
  }
  // That an empty file is no baseline is said to those who want to use it.
  if (text.trim() === "" && args.has("update-baseline")) return { file, label };
  return { file, label, baseline: readBaseline(text, label) };
}

/** What counts of a baseline when only some paths or rules are looked at. */
export function compareWith({ baseline }: BaselineFile, findings: readonly Finding[], options: CheckOptions): Comparison {
  const entries = (baseline?.findings ?? []).filter((entry) => isChosen(entry, options));
  return applyBaseline(findings, { schema: 1, findings: entries });
}

/** Entries about what was not looked at stay. */
export function updateBaseline(place: BaselineFile, findings: readonly Finding[], options: CheckOptions): BaselineUse {
  const kept = (place.baseline?.findings ?? []).filter((entry) => !isChosen(entry, options));
  const text = formatBaseline(makeBaseline(findings, kept));
  try {
    replaceFile(fs.existsSync(place.file) ? fs.realpathSync(place.file) : place.file, text);
  } catch (error) {
    throw new UsageError(t("the baseline {0} cannot be written: {1}", place.label, (error as Error).message));
  }
  return { file: place.label, known: findings.length, unneeded: 0, written: findings.length };
}

function isChosen({ rule, file }: BaselineEntry, { rules, paths }: CheckOptions): boolean {
  const ruleChosen = rules === undefined || [...rules].some((one) => one === rule);
  return ruleChosen && (paths === undefined || paths.some((one) => file === one || file.startsWith(`${one}/`)));
}
