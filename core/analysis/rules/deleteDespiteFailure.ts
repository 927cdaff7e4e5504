/** delete-despite-failed-upload: the only copy goes although the upload failed. */
import { t } from "@vscode/l10n";
import { subjectOf } from "../describe.ts";
import type { FileRecord, Observation } from "../frame.ts";
import { isHandedIn } from "../paths.ts";
import { isReceived } from "../leaks.ts";
import { isFromRequests } from "../fix/kept.ts";
import { planDespite } from "../fix/planDespite.ts";
import type { Report } from "../solve.ts";
import { DELETED, ESCAPED, FAILED, KEPT, REFUSED } from "../summary.ts";
import { type Draft, once, type RuleContext } from "./draft.ts";

export function deleteDespiteFailure(context: RuleContext): readonly Draft[] {
  const { program, report } = context;
  const drafts: Draft[] = [];
  for (const record of report.frame.files.values()) {
    const upload = record.trace.uploaded.find((step) => step.file === report.module.file);
    // That it goes after a failure only is told where it stays after success.
    if (!upload || record.lopsided || context.leaks.some((leak) => leak.record === record && leak.cleaned.length === 0)) continue;
    const owned =
      record.trace.made.length > 0 ||
      record.trace.output.length > 0 ||
      isReceived(program, report.frame, record.value) ||
      isHandedIn(record.value);
    if (!owned) continue;
    for (const seen of report.frame.observed) {
      if (seen.what !== "delete" || seen.direct !== true || !isWrong(report, record, seen)) continue;
      const subject = subjectOf(report, record);
      // Whoever sent the request can send it again: nobody needs the copy.
      const received = isFromRequests(context, report, record);
      drafts.push({
        rule: "delete-despite-failed-upload",
        file: seen.step.file,
        span: seen.step.span,
        subject,
        value: record.value,
        message: t('"{0}" is deleted here even if its upload failed, and then no copy is left.', subject),
        related: [{ file: upload.file, span: upload.span, message: t("this upload may have failed") }],
        ...(received ? { mild: true as const } : { fix: once(() => planDespite(context, record, seen, upload)) }),
      });
      break;
    }
  }
  return drafts;
}

function isWrong(report: Report, record: FileRecord, seen: Observation): boolean {
  const at = seen.values.findIndex((value) => value.key === record.value.key);
  if (at < 0) return false;
  const refused = (seen.ways[at] ?? []).filter((way) => way & REFUSED && !(way & (KEPT | ESCAPED)));
  if (refused.length === 0) return false;
  // By value, and nobody looked.
  if (refused.some((way) => !(way & FAILED))) return isReached(report, record, "return");
  if (isReached(report, record, "return")) return true;
  // A `finally` around the upload of something that was rendered: to render it again costs more than to send it again.
  return record.trace.output.length > 0 && (seen.caught === true || isReached(report, record, "throw"));
}

/** Whether the function ends like this with the upload failed and the file gone. */
function isReached(report: Report, record: FileRecord, how: "return" | "throw"): boolean {
  return report.exits.some(
    (exit) => exit.how === how && (exit.state.ways.get(record.value.key) ?? []).some((way) => way & REFUSED && way & DELETED),
  );
}
