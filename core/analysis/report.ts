/** Makes findings of drafts: lines and columns, severities, silence, fingerprints. */
import { createHash } from "node:crypto";
import type { AnalysisOptions } from "./check.ts";
import { templateOf } from "./describe.ts";
import { DEFAULT_SEVERITY, type Finding, type Position, type Range, type Related, type RuleId, type Severity } from "./finding.ts";
import type { FlowModule, Span } from "./flow.ts";
import type { FrontEnd } from "./frontEnd.ts";
import type { Draft } from "./rules/draft.ts";
import { describePlace } from "./sources.ts";

export interface Reporter {
  findings(drafts: readonly Draft[]): readonly { readonly draft: Draft; readonly finding: Finding }[];
}

export function createReporter(frontEnd: FrontEnd, { settings }: AnalysisOptions): Reporter {
  return {
    findings(drafts) {
      const result: { draft: Draft; finding: Finding }[] = [];
      const counts = new Map<string, number>();
      const sorted = merged(drafts).toSorted((a, b) =>
        a.file < b.file ? -1 : a.file > b.file ? 1 : a.span.start - b.span.start || (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : 0),
      );
      for (const draft of sorted) {
        const severity = settings.rules[draft.rule] ?? lenient(draft, DEFAULT_SEVERITY[draft.rule]);
        const module = frontEnd.lower(draft.file);
        const range = rangeOf(module, draft.span);
        if (severity === "off" || isSilenced(module, range, draft.rule)) continue;
        const base = fingerprintOf(frontEnd, draft);
        const count = counts.get(base) ?? 0;
        counts.set(base, count + 1);
        const fingerprint = count === 0 ? base : `${base}-${count + 1}`;
        const path = draft.value === undefined ? undefined : templateOf(draft.value);
        result.push({
          draft,
          finding: {
            rule: draft.rule,
            severity,
            file: draft.file,
            range,
            message: draft.message,
            subject: draft.subject,
            related: draft.related.map((mark) => relatedOf(frontEnd, mark.file, mark.span, mark.message)),
            ...(path && /[^{}/.]/.test(path.text) && { path }),
            fingerprint,
            fixable: false,
          },
        });
      }
      return result;
    },
  };
}

/** Several files that one call leaves behind are told together. */
function merged(drafts: readonly Draft[]): Draft[] {
  const groups = new Map<string, Draft[]>();
  const early = new Set(drafts.filter((draft) => draft.rule === "delete-before-upload-settles").map(placeOf));
  for (const draft of drafts) {
    // A deletion that nothing has waited for comes too early, whether or not the upload will fail, or it will.
    if (LESS.has(draft.rule) && early.has(placeOf(draft))) continue;
    const key = `${draft.rule}|${draft.file}|${draft.span.start}|${draft.span.end}`;
    const group = groups.get(key);
    if (!group) groups.set(key, [draft]);
    else if (LEAVES.has(draft.rule) && !group.some((other) => other.subject === draft.subject)) group.push(draft);
  }
  return [...groups.values()].flatMap((all) => {
    const [first, ...rest] = all.filter((draft) => !all.some((other) => other !== draft && standsFor(other, draft)));
    if (!first) return [];
    if (rest.length === 0) return [first];
    const related = [...first.related];
    for (const mark of rest.flatMap((one) => one.related))
      if (related.length < 24 && !related.some((other) => other.file === mark.file && other.span.start === mark.span.start))
        related.push(mark);
    return [first, ...rest].map((one, index) => (index === 0 ? { ...one, related } : one));
  });
}

/** `frame{}.png` is told for `frame0.png`, too. */
function standsFor(draft: Draft, other: Draft): boolean {
  if (draft.value === undefined || other.value === undefined) return false;
  const [pattern, one] = [templateOf(draft.value).text, templateOf(other.value).text];
  if (pattern === one || !pattern.includes("{}")) return false;
  const parts = pattern.split("{}").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(String.raw`(?:\d+|\{\})+`)}$`).test(one);
}

/** What is said of a deletion that comes too early only once that is mended. */
const LESS: ReadonlySet<RuleId> = new Set<RuleId>(["delete-despite-failed-upload", "cleanup-can-fail-job"]);

/** A call may leave several files; a deletion is told once, whoever sees it. */
const LEAVES: ReadonlySet<RuleId> = new Set<RuleId>([
  "missing-cleanup-after-upload",
  "missing-cleanup-after-assembly",
  "partial-cleanup",
  "ineffective-cleanup",
]);

function placeOf(draft: Draft): string {
  return `${draft.file}|${draft.span.start}`;
}

/** In examples, scripts and containers that run once, what is left behind weighs less. */
function lenient(draft: Draft, severity: Severity): Severity {
  if (draft.mild !== true && !describePlace(draft.file).lenient) return severity;
  return severity === "warning" ? "information" : severity;
}

function isSilenced(module: FlowModule, range: Range, rule: string): boolean {
  return module.ignores.some(
    (ignore) => (ignore.line === 0 || ignore.line === range.start.line) && (ignore.rules.length === 0 || ignore.rules.includes(rule)),
  );
}

export function rangeOf(module: FlowModule, span: Span): Range {
  return { start: positionOf(module, span.start), end: positionOf(module, span.end) };
}

function positionOf(module: FlowModule, offset: number): Position {
  const starts = module.lineStarts;
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
}

function relatedOf(frontEnd: FrontEnd, file: string, span: Span, message: string): Related {
  const range = rangeOf(frontEnd.lower(file), span);
  return { file, line: range.start.line, range, message };
}

/** The rule, the call's own text, and how the code calls the file: not where it stands. */
function fingerprintOf(frontEnd: FrontEnd, draft: Draft): string {
  const text = frontEnd.sources.read(draft.file).slice(draft.span.start, draft.span.end).replaceAll(/\s+/g, " ");
  return createHash("sha256").update(`${draft.rule}\0${draft.file}\0${draft.subject}\0${text}`).digest("hex").slice(0, 16);
}
