/** cleanup-can-fail-job: the deletion's error would fail the job whose work was done. */
import { t } from "@vscode/l10n";
import { subjectOf } from "../describe.ts";
import { FAILED, OUTPUT, READ, UPLOADED } from "../summary.ts";
import type { Draft, RuleContext } from "./draft.ts";

export function cleanupCanFail({ report }: RuleContext): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const seen of report.frame.observed) {
    if (seen.what !== "delete" || seen.escapes !== true || seen.awaited !== true || seen.direct !== true) continue;
    const index = seen.values.findIndex(
      (value, at) =>
        report.frame.files.has(value.key) && (seen.ways[at] ?? []).some((way) => way & (UPLOADED | READ | OUTPUT) && !(way & FAILED)),
    );
    const value = seen.values[index];
    const record = value && report.frame.files.get(value.key);
    if (!record) continue;
    const subject = subjectOf(report, record);
    drafts.push({
      rule: "cleanup-can-fail-job",
      file: seen.step.file,
      span: seen.step.span,
      subject,
      value: record.value,
      message: t('If "{0}" cannot be deleted, the error fails a job whose work is done.', subject),
      related: [...record.trace.uploaded, ...record.trace.read]
        .slice(0, 1)
        .map((step) => ({ file: step.file, span: step.span, message: t("the work is done here") })),
    });
  }
  return drafts;
}
