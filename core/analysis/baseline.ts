/**
 * The baseline: findings that were there when an old repository was first looked at, and that are not told again. An entry counts
 * findings of one rule and one fingerprint in one file, so that a copy of old code is still a new finding.
 */
import { t } from "@vscode/l10n";
import { ConfigError } from "../config/config.ts";
import { parseDocument } from "../config/document.ts";
import type { Problem } from "../model.ts";
import type { Finding } from "./finding.ts";

export const BASELINE_FILE = "offcut-baseline.json";

const SCHEMA = 1;

export interface BaselineEntry {
  /** Not a `RuleId`: a rule of another version is no longer needed, and no mistake. */
  readonly rule: string;
  readonly file: string;
  readonly fingerprint: string;
  readonly count: number;
}

export interface Baseline {
  readonly schema: typeof SCHEMA;
  readonly findings: readonly BaselineEntry[];
}

export interface Comparison {
  /** Findings that the baseline does not have, in their order. */
  readonly fresh: readonly Finding[];
  readonly known: readonly Finding[];
  /** Entries that count more than what was found. */
  readonly unneeded: readonly BaselineEntry[];
}

/** Throws a {@link ConfigError} that names the lines when the text is no baseline. */
export function readBaseline(text: string, label: string = BASELINE_FILE): Baseline {
  if (text.trim() === "") throw new ConfigError([problemAt(label, 1, t("is empty; write it with {0}", updateCommand(label)))]);
  const document = parseDocument(text, label);
  const { value } = document;
  if (!isRecord(value) || !Array.isArray(value["findings"]))
    throw new ConfigError([
      problemAt(label, 1, t('is no baseline: it has no "findings"; take it away and write another with {0}', updateCommand(label))),
    ]);
  if (value["schema"] !== SCHEMA)
    throw new ConfigError([
      problemAt(
        label,
        document.lineOf(["schema"]),
        t("schema is {0}, and this version of Offcut reads {1}", JSON.stringify(value["schema"]) ?? t("missing"), SCHEMA),
      ),
    ]);
  const problems: Problem[] = [];
  const findings = value["findings"].flatMap((entry: unknown, i): BaselineEntry[] => {
    const fault = faultOf(entry);
    if (fault === undefined) {
      const { rule, file, fingerprint, count } = entry as BaselineEntry;
      return [{ rule, file, fingerprint, count }];
    }
    const line = document.lineOf(["findings", i, fault]);
    problems.push(problemAt(label, line, t("findings[{0}].{1} is missing or of the wrong type", i, fault)));
    return [];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return { schema: SCHEMA, findings };
}

/** Takes away what the baseline has. Which of several equal findings are the old ones nobody can tell: the first. */
export function applyBaseline(findings: readonly Finding[], baseline: Baseline): Comparison {
  const left = new Map<string, number>();
  for (const entry of baseline.findings) left.set(keyOf(entry), (left.get(keyOf(entry)) ?? 0) + entry.count);
  const fresh: Finding[] = [];
  const known: Finding[] = [];
  for (const finding of findings) {
    const count = left.get(keyOf(finding)) ?? 0;
    if (count > 0) left.set(keyOf(finding), count - 1);
    (count > 0 ? known : fresh).push(finding);
  }
  return { fresh, known, unneeded: baseline.findings.filter((entry) => (left.get(keyOf(entry)) ?? 0) > 0) };
}

/** With `kept`, entries of an older baseline that were not looked at this time. */
export function makeBaseline(findings: readonly Finding[], kept: readonly BaselineEntry[] = []): Baseline {
  const entries = new Map<string, BaselineEntry>();
  for (const { rule, file, fingerprint, count } of [...kept, ...findings.map((finding) => ({ ...finding, count: 1 }))]) {
    const key = keyOf({ rule, file, fingerprint });
    entries.set(key, { rule, file, fingerprint, count: (entries.get(key)?.count ?? 0) + count });
  }
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  return { schema: SCHEMA, findings: sorted };
}

/** One line for each entry, so that a change is one line in a diff and merges seldom collide. */
export function formatBaseline(baseline: Baseline): string {
  const entries = baseline.findings.map(
    ({ rule, file, fingerprint, count }) =>
      `    { "rule": ${JSON.stringify(rule)}, "file": ${JSON.stringify(file)}, "fingerprint": ${JSON.stringify(fingerprint)}, "count": ${count} }`,
  );
  const list = entries.length === 0 ? "[]" : `[\n${entries.join(",\n")}\n  ]`;
  return `{\n  "schema": ${baseline.schema},\n  "findings": ${list}\n}\n`;
}

function keyOf({ rule, file, fingerprint }: Pick<BaselineEntry, "rule" | "file" | "fingerprint">): string {
  return [file, rule, fingerprint].join("\0");
}

function updateCommand(label: string): string {
  return label === BASELINE_FILE ? "offcut check --update-baseline" : `offcut check --baseline ${label} --update-baseline`;
}

function faultOf(entry: unknown): keyof BaselineEntry | undefined {
  if (!isRecord(entry)) return "rule";
  const text = (["rule", "file", "fingerprint"] as const).find((name) => typeof entry[name] !== "string" || entry[name] === "");
  return text ?? (Number.isInteger(entry["count"]) && (entry["count"] as number) > 0 ? undefined : "count");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function problemAt(source: string, line: number, message: string): Problem {
  return { severity: "error", source, line, message };
}
