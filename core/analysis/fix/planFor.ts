/** Where a missing cleanup goes, and how: after the file's last use, on the successful way. */
import { nameOf } from "../describe.ts";
import type { FlowFunction, Span } from "../flow.ts";
import type { Observation } from "../frame.ts";
import type { Leak } from "../leaks.ts";
import type { RuleContext } from "../rules/draft.ts";
import type { Report } from "../solve.ts";
import { innermost, type Step } from "../summary.ts";
import { isBelow, type Value } from "../value.ts";
import { helperFor } from "./helper.ts";
import { outcomeOf } from "./outcome.ts";
import type { Deletion, FixPlan } from "./plan.ts";

/** Undefined: there is no name for the file where the cleanup would stand, or no telling whether the upload went well. */
export function planFor(context: RuleContext, leak: Leak, primary: Step): FixPlan | undefined {
  const { report, record } = leak;
  if (primary.file !== report.module.file || record.directory) return undefined;
  const subject = spell(report, record.value);
  if (subject === undefined) return undefined;
  const outcome = leak.kind === "upload" ? outcomeOf(context, primary) : { said: "thrown" as const };
  const helper = helperFor(context);
  const deletion: Deletion = {
    file: primary.file,
    subject,
    upload: primary.statement,
    owner: report.fn.span,
    settlesLater: leak.kind === "upload" && !/Sync(?:\(\))?$/.test(innermost(primary).written),
    ...(outcome.said !== "thrown" && { success: outcome.said === "value" ? { onlyIf: outcome.onlyIf } : outcome.place }),
    ...(helper && { helper }),
  };
  const uses = laterUses(leak, primary);
  const dead = deadCleanup(leak);
  const [left] = leak.left;
  if (dead && left && contains(report.fn.span, dead.step.statement) && isReturn(report.fn, left.span)) {
    if (!overlaps(left.span, [primary.statement, ...uses]))
      return { kind: "move-before", file: primary.file, statement: dead.step.statement, before: left.span };
    return { kind: "delete-after", ...deletion, uses, instead: dead.step.statement };
  }
  if (
    leak.cleaned.length > 0 &&
    leak.left.length === 1 &&
    left &&
    isReturn(report.fn, left.span) &&
    left.span.start > primary.statement.start &&
    !overlaps(left.span, [primary.statement, ...uses])
  )
    return { kind: "delete-before", ...deletion, before: left.span };
  return { kind: "delete-after", ...deletion, uses };
}

/** The file as an expression: a name that holds its path, or fields of one. An element of a list has no spelling without a name. */
function spell(report: Report, value: Value): string | undefined {
  const fields: string[] = [];
  let at = value;
  for (let depth = 0; depth < 8; depth += 1) {
    const name = nameOf(report, at);
    if (name !== undefined) return [name, ...fields].join(".");
    if (at.kind !== "derived" || at.how !== "member" || !/^#?[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(at.name)) break;
    fields.unshift(at.name);
    at = at.of;
  }
  if (at.kind !== "symbol" || fields.length === 0) return undefined;
  const root =
    at.root === "this"
      ? "this"
      : at.root === "captured" && at.name !== undefined
        ? report.module.written[at.name]
        : at.root === "parameter"
          ? report.fn.parameters[at.index ?? -1]?.written
          : undefined;
  return root !== undefined && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(root) ? [root, ...fields].join(".") : undefined;
}

/** Statements that use the file after the call that uses it up. */
function laterUses(leak: Leak, primary: Step): Span[] {
  const { trace } = leak.record;
  const steps = [...trace.used, ...trace.read, ...trace.uploaded, ...trace.output, ...trace.checked];
  return steps
    .filter(
      (step) =>
        step.file === primary.file && step.statement.start > primary.statement.start && contains(leak.report.fn.span, step.statement),
    )
    .map((step) => step.statement);
}

function deadCleanup({ report, record }: Leak): Observation | undefined {
  return report.frame.dead.find(
    (one) =>
      one.step.file === report.module.file &&
      one.step.inner === undefined &&
      one.values.some((value) => value.key === record.value.key || isBelow(record.value, value)),
  );
}

function isReturn(fn: FlowFunction, span: Span): boolean {
  return fn.blocks.some(({ exit }) => exit.exit === "return" && exit.span.start === span.start && exit.span.end === span.end);
}

function contains(outer: Span, inner: Span): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

function overlaps(span: Span, others: readonly Span[]): boolean {
  return others.some((other) => other.start < span.end && span.start < other.end);
}
