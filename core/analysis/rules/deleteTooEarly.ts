/** delete-before-upload-settles: an upload that nobody waits for, then the delete. */
import { t } from "@vscode/l10n";
import { subjectOf } from "../describe.ts";
import { DELETED, FAILED, PENDING, UPLOADED } from "../summary.ts";
import type { Draft, RuleContext } from "./draft.ts";

export function deleteTooEarly({ report }: RuleContext): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const seen of report.frame.observed) {
    if (seen.what !== "delete") continue;
    const files = [...seen.values.map((value, index) => [value.key, seen.ways[index] ?? []] as const), ...(seen.below ?? [])];
    for (const [key, before] of files) {
      const record = report.frame.files.get(key);
      const ways = before.filter((way) => way & UPLOADED && !(way & (FAILED | DELETED)));
      if (!record || ways.length === 0 || !ways.every((way) => way & PENDING)) continue;
      const [upload] = record.trace.uploaded;
      if (!upload) continue;
      const subject = subjectOf(report, record);
      drafts.push({
        rule: "delete-before-upload-settles",
        file: seen.step.file,
        span: seen.step.span,
        subject,
        value: record.value,
        message: t('"{0}" is deleted while it is still being uploaded: nothing waits for "{1}".', subject, upload.written),
        related: [{ file: upload.file, span: upload.span, message: t("this upload is not waited for") }],
        ...(upload.file === report.module.file && { fix: () => ({ kind: "await", file: upload.file, call: upload.span }) }),
      });
    }
  }
  return drafts;
}
