/** Whether a deletion has to ask the workspace's switch for automatic cleanup. */
import { namesIn } from "../evaluate.ts";
import { functionOf, keyOf } from "../program.ts";
import type { RuleContext } from "../rules/draft.ts";

const SWITCH = /auto_?clean/i;

/** What runs by itself does, and what follows an assembly. */
export function isGated({ program, report }: RuleContext): boolean {
  return (
    report.fn.index === 0 ||
    program.scheduled.has(keyOf(report.ref)) ||
    [...report.frame.files.values()].some((record) => record.trace.output.some((step) => step.file === report.module.file))
  );
}

/** Whether the function, or one around it, does so already. */
export function asksTheSwitch({ program, report }: RuleContext): boolean {
  let fn = functionOf(program, report.ref);
  for (let depth = 0; fn && depth < 10; depth += 1) {
    for (const { events, exit } of fn.blocks) {
      if (events.some((event) => event.event === "call" && SWITCH.test(namesIn(event.callee).join(".")))) return true;
      if (exit.exit !== "branch") continue;
      const { test } = exit;
      const operands = test.test === "equal" ? [test.left, test.right] : test.test === "unknown" ? test.of : [test.of];
      if (operands.some((operand) => SWITCH.test(namesIn(operand).join(".")))) return true;
    }
    fn = fn.parent === undefined || fn.parent === 0 ? undefined : functionOf(program, { file: report.module.file, index: fn.parent });
  }
  return false;
}
