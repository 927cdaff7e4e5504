/** ungated-cleanup: automatic cleanup that ignores AUTO_CLEANUP_ENABLED, in a workspace that knows the switch. */
import { t } from "@vscode/l10n";
import { subjectOf } from "../describe.ts";
import { namesIn } from "../evaluate.ts";
import { functionOf, keyOf, type Program } from "../program.ts";
import type { Report } from "../solve.ts";
import { OUTPUT, READ } from "../summary.ts";
import type { Draft, RuleContext } from "./draft.ts";

export function ungatedCleanup({ program, report, gated }: RuleContext): readonly Draft[] {
  if (!gated) return [];
  const drafts: Draft[] = [];
  const automatic = isAutomatic(program, report);
  const assembles = [...report.frame.files.values()].some((record) => record.trace.output.some((step) => step.file === report.module.file));
  if ((!automatic && !assembles) || asksTheSwitch(program, report)) return [];
  for (const seen of report.frame.observed) {
    if (seen.what !== "delete" || seen.direct !== true || seen.caught === true) continue;
    const [value] = seen.values;
    const record = value && report.frame.files.get(value.key);
    if (!record || (!automatic && seen.recursive !== true && !(seen.ways[0] ?? []).some((way) => way & (READ | OUTPUT)))) continue;
    const subject = subjectOf(report, record);
    drafts.push({
      rule: "ungated-cleanup",
      file: seen.step.file,
      span: seen.step.span,
      subject,
      value: record.value,
      message: t("This cleanup runs by itself and does not ask AUTO_CLEANUP_ENABLED."),
      related: [],
    });
  }
  return drafts;
}

/** At start, or by the clock. */
function isAutomatic(program: Program, report: Report): boolean {
  return report.fn.index === 0 || program.scheduled.has(keyOf(report.ref));
}

function asksTheSwitch(program: Program, report: Report): boolean {
  let fn = functionOf(program, report.ref);
  for (let depth = 0; fn && depth < 10; depth += 1) {
    for (const block of fn.blocks) {
      for (const event of block.events) if (event.event === "call" && /auto_?clean/i.test(namesIn(event.callee).join("."))) return true;
      const { exit } = block;
      if (exit.exit !== "branch") continue;
      const operands =
        exit.test.test === "equal" ? [exit.test.left, exit.test.right] : exit.test.test === "unknown" ? exit.test.of : [exit.test.of];
      if (operands.some((operand) => /auto_?clean/i.test(namesIn(operand).join(".")))) return true;
    }
    fn = fn.parent === undefined || fn.parent === 0 ? undefined : functionOf(program, { file: report.module.file, index: fn.parent });
  }
  return false;
}
