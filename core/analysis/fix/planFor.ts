/** Where a missing cleanup goes, and how: after the file's last use, on the successful way. */
import { templateOf } from "../describe.ts";
import type { FlowFunction, Span } from "../flow.ts";
import type { Observation } from "../frame.ts";
import { type Leak, look } from "../leaks.ts";
import type { RuleContext } from "../rules/draft.ts";
import { keyOf } from "../program.ts";
import { innermost, sameStep, type Step } from "../summary.ts";
import { isBelow } from "../paths.ts";
import type { Value } from "../value.ts";
import { directoryFor } from "./directory.ts";
import { asksTheSwitch, isGated } from "./gate.ts";
import { helperFor } from "./helper.ts";
import { isFromRequests, isNeededAbove } from "./kept.ts";
import { outcomeOf } from "./outcome.ts";
import { outputOf } from "./output.ts";
import type { Deletion, FixPlan } from "./plan.ts";
import { inlineOf, spell } from "./spell.ts";

/** Undefined: there is no name for the file where the cleanup would stand, or no telling whether the upload went well. */
export function planFor(context: RuleContext, leak: Leak, primary: Step, depth = 0): FixPlan | undefined {
  const { report, record } = leak;
  if (primary.file !== report.module.file || isFinal(leak) || isNeededAbove(context, report, record)) return undefined;
  const deletion = deletionOf(context, leak, primary);
  if (!deletion) return depth < DEEPEST ? planWithin(context, leak, primary, depth) : undefined;
  const uses = laterUses(leak, primary, deletion.directory === true);
  const dead = deadCleanup(leak);
  const [left] = leak.left;
  const leaves =
    leak.left.length === 1 &&
    left !== undefined &&
    isReturn(report.fn, left.span) &&
    !overlaps(left.span, [primary.statement, ...uses]) &&
    left.span.start > primary.statement.start;
  if (dead?.guarded && left && contains(report.fn.span, dead.step.statement) && isReturn(report.fn, left.span)) {
    if (leaves) return { kind: "move-before", file: primary.file, statement: dead.step.statement, before: left.span };
    return { kind: "delete-after", ...deletion, uses, instead: dead.step.statement };
  }
  const existing = record.trace.deleted.filter(
    (step) => step.inner === undefined && step.file === primary.file && contains(report.fn.span, step.statement),
  );
  const [like] = existing;
  const alike = like ? { like: like.statement } : {};
  if (leak.cleaned.length > 0 && leaves) return { kind: "delete-before", ...deletion, ...alike, before: left.span };
  const late = existing.length === 1 && record.trace.deleted.length === 1 && like && like.statement.start > primary.statement.start;
  // What deletes a request's file after a failure is right where it is.
  const stays = leak.cleaned.length === 0 && isFromRequests(context, report, record);
  return { kind: "delete-after", ...deletion, ...alike, uses, ...(late && !stays && { instead: like.statement }) };
}

/** What an assembly writes and nothing reads or uploads is what it is for: no fix deletes that. */
function isFinal({ report, record }: Leak): boolean {
  const below = [...report.frame.files.values()].filter(({ value }) => value.key === record.value.key || isBelow(value, record.value));
  return (
    record.trace.output.length > 0 &&
    below.every(({ trace }) => trace.read.length + trace.uploaded.length + trace.used.length + trace.deleted.length === 0)
  );
}

const DEEPEST = 6;

/** The same in the called function, if that makes the file, uses it up and neither deletes it nor hands it on. */
function planWithin(context: RuleContext, leak: Leak, { inner }: Step, depth: number): FixPlan | undefined {
  const report = inner && context.program.reports.get(keyOf(inner.function));
  if (!inner || !report || report.module.file !== inner.file) return undefined;
  for (const record of report.frame.files.values()) {
    const { made, output, uploaded, read } = record.trace;
    const uses = leak.kind === "upload" ? uploaded : [...read, ...output];
    if (made.length + output.length === 0 || !uses.some((step) => sameStep(step, inner)) || !mayBe(leak.record.value, record.value))
      continue;
    const ways = look(report, record);
    const plan =
      ways && ways.left.length > 0
        ? planFor({ ...context, report }, { ...leak, report, record, lopsided: false, ...ways }, inner, depth + 1)
        : undefined;
    if (plan) return plan;
  }
  return undefined;
}

/** Whether what the caller knows of the path fits what the called function makes. */
function mayBe(outer: Value, inner: Value): boolean {
  const pattern = templateOf(inner)
    .text.split("{}")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`${pattern.join(".*")}$`).test(templateOf(outer).text);
}

/** What is deleted and under which conditions, wherever it goes. */
function deletionOf(context: RuleContext, leak: Leak, primary: Step): Deletion | undefined {
  const { report, record } = leak;
  const { program } = context;
  const named = record.directory ? undefined : spell(program, report, record.value, primary.span);
  const directory = named === undefined ? directoryFor(report, record) : undefined;
  // In a directory that somebody handed in, a file without a name here may be what that one waits for.
  const composed = named === undefined && directory === undefined && !record.directory && templateOf(record.value).base !== "unknown";
  const inline = composed ? inlineOf(program, report, record.value, primary.span) : undefined;
  const subject = named ?? directory ?? (inline ? templateOf(record.value).text : undefined);
  if (subject === undefined) return undefined;
  const outcome = leak.kind === "upload" ? outcomeOf(context, record, primary) : { said: "thrown" as const };
  if (outcome.said === "untold") return undefined;
  const helper = directory === undefined ? helperFor(context) : undefined;
  const output = leak.kind === "assembly" ? outputOf(context, leak) : undefined;
  const gated = context.gated && isGated(context) && !asksTheSwitch(context);
  return {
    file: primary.file,
    subject,
    ...(inline && { inline }),
    ...(directory !== undefined && { directory: true as const }),
    upload: primary.statement,
    call: primary.span,
    settlesLater: !/Sync(?:\(\))?$/.test(innermost(primary).written),
    ...(outcome.said !== "thrown" && { success: outcome.said === "value" ? { onlyIf: outcome.onlyIf } : outcome.place }),
    ...(output && { output }),
    ...(gated && { gated }),
    ...(helper && { helper }),
    runtime: program.loader.uses(primary.file, "offcut") ? "yes" : "no",
  };
}

/** Statements that use the file, or something in the directory, after the call that uses it up. */
function laterUses(leak: Leak, primary: Step, directory: boolean): Span[] {
  const { report, record } = leak;
  const records = directory ? [...report.frame.files.values()] : [record];
  return records.flatMap(({ trace }) =>
    [...trace.used, ...trace.read, ...trace.uploaded, ...trace.output, ...trace.checked]
      .filter(
        (step) => step.file === primary.file && step.statement.start > primary.statement.start && contains(report.fn.span, step.statement),
      )
      .map((step) => step.statement),
  );
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
