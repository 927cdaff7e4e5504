/** use-after-delete: the path is read after it was deleted. */
import { t } from "@vscode/l10n";
import { subjectOf } from "../describe.ts";
import type { Report } from "../solve.ts";
import { DELETED, FAILED, LATER, type Step } from "../summary.ts";
import type { FileRecord } from "../frame.ts";
import { isBelow, listedIn } from "../paths.ts";
import type { Draft, RuleContext } from "./draft.ts";

/** A directory that went may have been filled again by a program of which nothing is known. */
function isFilledAgain(report: Report, { value, trace }: FileRecord, use: Step): boolean {
  const removals = report.frame.observed.filter((seen) => seen.what === "delete");
  // Whatever lay in a directory was deleted one by one: nothing says that this was there.
  if (removals.some((seen) => seen.values.some((one) => listedIn(one) !== undefined && isBelow(value, listedIn(one) ?? one)))) return true;
  if (removals.some((seen) => seen.values.some((one) => one.key === value.key))) return false;
  return report.frame.obscure.some((ran) => ran.start < use.span.start && trace.deleted.some((step) => step.span.start < ran.start));
}

export function useAfterDelete({ report }: RuleContext): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const seen of report.frame.observed) {
    if (seen.what !== "use") continue;
    for (const [index, value] of seen.values.entries()) {
      const record = report.frame.files.get(value.key);
      const ways = seen.ways[index] ?? [];
      if (
        !record ||
        isFilledAgain(report, record, seen.step) ||
        ways.length === 0 ||
        !ways.every((way) => way & DELETED && !(way & (LATER | FAILED)))
      )
        continue;
      const [deleted] = record.trace.deleted;
      const subject = subjectOf(report, record);
      const own = deleted?.inner === undefined;
      const move = deleted && deleted.file === report.module.file && seen.step.file === report.module.file;
      drafts.push({
        rule: "use-after-delete",
        file: seen.step.file,
        span: seen.step.span,
        subject,
        value: record.value,
        message: t('"{0}" is read here, but was deleted before.', subject),
        related: deleted ? [{ file: deleted.file, span: deleted.span, message: t("deleted here") }] : [],
        ...(move && {
          fix: () =>
            own
              ? { kind: "move-after", file: report.module.file, statement: deleted.statement, after: seen.step.statement }
              : { kind: "move-before", file: report.module.file, statement: seen.step.statement, before: deleted.statement },
        }),
      });
    }
  }
  return drafts;
}
