/** unverified-final: intermediates of an assembly are deleted without looking whether the output exists. */
import { t } from "@vscode/l10n";
import { subjectOf } from "../describe.ts";
import { FAILED, READ, sameStep, type Step } from "../summary.ts";
import type { Draft, RuleContext } from "./draft.ts";

export function unverifiedFinal({ report }: RuleContext): readonly Draft[] {
  const drafts: Draft[] = [];
  const { files } = report.frame;
  const told = new Set<number>();
  for (const record of files.values()) {
    if (record.trace.deleted.length === 0 || record.trace.read.length === 0 || record.lopsided) continue;
    if (record.trace.made.length === 0 && record.trace.output.length === 0) continue;
    const outputs = [...files.values()].filter(
      (other) =>
        other !== record &&
        !(other.value.kind === "derived" && other.value.name.startsWith("#")) &&
        other.trace.output.some((step) => record.trace.read.some((read) => sameStep(step, read))),
    );
    if (
      outputs.length === 0 ||
      outputs.some(
        (other) =>
          other.trace.checked.length > 0 ||
          other.trace.uploaded.length > 0 ||
          other.trace.read.length > 0 ||
          other.trace.used.length > 0 ||
          other.trace.deleted.length > 0,
      )
    )
      continue;
    if (isInFinally(report, record.value.key)) continue;
    for (const deleted of record.trace.deleted.slice(0, 1)) {
      if (!isAfterSuccess(report, deleted)) continue;
      if (deleted.file !== report.module.file || told.has(deleted.span.start)) continue;
      if (!report.exits.some((exit) => exit.how === "return" && (exit.state.ways.get(record.value.key) ?? []).some((way) => way & READ)))
        continue;
      told.add(deleted.span.start);
      const [output] = outputs;
      const subject = subjectOf(report, record);
      drafts.push({
        rule: "unverified-final",
        file: deleted.file,
        span: deleted.span,
        subject,
        value: record.value,
        message: t('"{0}" is deleted without a look whether "{1}" exists.', subject, output ? subjectOf(report, output) : ""),
        related: (output?.trace.output ?? [])
          .slice(0, 1)
          .map((step) => ({ file: step.file, span: step.span, message: t("the output is written here") })),
      });
    }
  }
  return drafts;
}

/** Whether the deletion runs when nothing has failed. */
function isAfterSuccess(report: RuleContext["report"], deleted: Step): boolean {
  const seen = report.frame.observed.filter((one) => one.what === "delete" && sameStep(one.step, deleted));
  return seen.length === 0 || seen.some((one) => [...one.ways, ...(one.below?.values() ?? [])].flat().some((way) => !(way & FAILED)));
}

/** The same deletion runs after an exception, too: there it is not the output's existence that decides. */
function isInFinally(report: RuleContext["report"], key: string): boolean {
  const deletes = report.frame.observed.filter((seen) => seen.what === "delete" && (seen.files.includes(key) || seen.recursive === true));
  return deletes.some(
    (seen) => seen.caught === true && deletes.some((other) => other !== seen && other.step.span.start === seen.step.span.start),
  );
}
