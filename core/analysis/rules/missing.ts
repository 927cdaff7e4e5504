/** missing-cleanup-after-upload, missing-cleanup-after-assembly, partial-cleanup, and ineffective-cleanup where the attempt is to be seen. */
import { t } from "@vscode/l10n";
import { marksOf, subjectOf } from "../describe.ts";
import type { RuleId } from "../finding.ts";
import { isInStore, isKept } from "../fix/kept.ts";
import { planFor } from "../fix/planFor.ts";
import { isSingle, type Leak } from "../leaks.ts";
import { type Step, sameStep } from "../summary.ts";
import { isBelow, isPattern } from "../paths.ts";
import { type Draft, type Mark, once, type RuleContext } from "./draft.ts";
import { attemptAt } from "./attempt.ts";
import { unevenBranch } from "./unevenBranch.ts";

export function missingCleanup(context: RuleContext): readonly Draft[] {
  return context.leaks.flatMap((leak) => {
    const primary = primaryOf(leak);
    return primary ? [draftOf(context, leak, primary)] : [];
  });
}

/** The call that the file was used up by, in the function that owns it. */
function primaryOf(leak: Leak): Step | undefined {
  const { trace } = leak.record;
  if (leak.kind === "assembly") return trace.read.at(-1) ?? trace.output.at(-1);
  return (leak.cleaned.length > 0 ? trace.uploaded.find((step) => !isCleanedAfter(leak, step)) : undefined) ?? trace.uploaded[0];
}

/** Of several uploads: whether a deletion is written between this one and the next. */
function isCleanedAfter({ record }: Leak, upload: Step): boolean {
  const next = record.trace.uploaded
    .filter((step) => step.file === upload.file && step.span.start > upload.span.start)
    .reduce((first, step) => Math.min(first, step.span.start), Number.POSITIVE_INFINITY);
  return record.trace.deleted.some((step) => step.file === upload.file && step.span.start > upload.span.start && step.span.start < next);
}

function draftOf(context: RuleContext, leak: Leak, primary: Step): Draft {
  const { report, record } = leak;
  const subject = subjectOf(report, record);
  const attempt = attemptAt(context, leak);
  const partial = leak.cleaned.length > 0;
  const rule: RuleId = attempt
    ? "ineffective-cleanup"
    : partial
      ? "partial-cleanup"
      : leak.kind === "upload"
        ? "missing-cleanup-after-upload"
        : "missing-cleanup-after-assembly";
  const leave = waysOutMarks(leak);
  const callee = primary.written.replaceAll("()", "");
  const message = attempt
    ? attempt.message(subject)
    : partial
      ? partialMessage(leak, subject, primary)
      : leak.kind === "upload"
        ? t('"{0}" stays on disk after "{1}" has uploaded it: no successful way out deletes it or hands it on.', subject, callee)
        : t('"{0}" stays on disk after "{1}" has used it: no successful way out deletes it or hands it on.', subject, callee);
  // A file of which there is only one, or whose name is kept, may be the data itself: only its owner can say that it may go.
  const stored = record.trace.deleted.length === 0 && isInStore(record.value);
  // And no call deletes the files that a pattern stands for.
  const fixable = !isSingle(record.value) && !leak.named && !isPattern(record.value) && !stored && !isKept(context, record);
  const marks = marksOf(record, primary);
  const later = usedLater(leak, primary);
  return {
    rule,
    file: primary.file,
    span: primary.span,
    subject,
    message,
    value: record.value,
    step: primary,
    ...((stored || context.swept.some((directory) => isBelow(record.value, directory))) && { mild: true as const }),
    related: [...marks, ...later, ...(attempt?.marks ?? []), ...leave],
    ...(fixable && { fix: once(() => planFor(context, leak, primary)) }),
  };
}

function partialMessage(leak: Leak, subject: string, primary: Step): string {
  // Where one way out is reached with and without the file, the branch before it tells more than its end.
  const branch = leak.left.every((exit) => leak.cleaned.includes(exit)) ? unevenBranch(leak, primary) : undefined;
  if (branch)
    return t(
      '"{0}" is deleted on some successful ways out only: one side of the branch at line {1} leaves it on disk.',
      subject,
      lineOf(leak, branch.start),
    );
  const line = leak.left.map((exit) => lineOf(leak, exit.span.start)).find((one) => one > 0);
  return line === undefined
    ? t('"{0}" is deleted on some successful ways out only.', subject)
    : t('"{0}" is deleted on some successful ways out only: the one that ends at line {1} leaves it on disk.', subject, line);
}

function lineOf(leak: Leak, offset: number): number {
  const starts = leak.report.module.lineStarts;
  let line = 0;
  while (line < starts.length && (starts[line] ?? 0) <= offset) line += 1;
  return line;
}

function waysOutMarks(leak: Leak): Mark[] {
  return leak.left
    .slice(0, 3)
    .map((exit) => ({ file: leak.report.module.file, span: exit.span, message: t("leaves here without deleting it") }));
}

/** Calls that get the file, or something that holds it, after it was used up. */
function usedLater(leak: Leak, primary: Step): Mark[] {
  const { trace } = leak.record;
  return [...trace.used, ...trace.checked]
    .filter((step) => !sameStep(step, primary) && step.file === primary.file && step.span.start > primary.span.start)
    .slice(0, 3)
    .map((step) => ({ file: step.file, span: step.span, message: t("used here") }));
}
