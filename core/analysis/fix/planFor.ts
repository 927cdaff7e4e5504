/** Where a missing cleanup goes, and how: after the file's last use, on the successful way. */
import { expressionOf, nameOf } from "../describe.ts";
import type { Block, CallEvent, Span } from "../flow.ts";
import type { Leak } from "../leaks.ts";
import type { RuleContext } from "../rules/draft.ts";
import type { Step } from "../summary.ts";
import type { FixPlan } from "./plan.ts";

/** Undefined: there is no name for the file where the cleanup would stand, or no single place for it. */
export function planFor(_context: RuleContext, leak: Leak, primary: Step): FixPlan | undefined {
  const { report, record } = leak;
  if (primary.file !== report.module.file) return undefined;
  const subject = nameOf(report, record.value) ?? expressionOf(report, record.value);
  if (subject === undefined || record.directory) return undefined;
  const last = lastUse(leak, primary);
  if (!last) return undefined;
  return { kind: "delete-after", file: report.module.file, after: last, subject, awaits: true };
}

/** The last statement that uses the file after the call that uses it up. */
function lastUse(leak: Leak, primary: Step): Span | undefined {
  const { report, record } = leak;
  const home = blockOf(report.fn.blocks, primary.span);
  if (home === undefined) return primary.statement;
  const steps = [primary, ...record.trace.used, ...record.trace.read, ...record.trace.uploaded].filter((step) => step.file === primary.file && step.statement.start >= primary.statement.start);
  let last = primary.statement;
  for (const step of steps) if (step.statement.end > last.end && blockOf(report.fn.blocks, step.span) !== undefined) last = step.statement;
  return last;
}

function blockOf(blocks: readonly Block[], span: Span): number | undefined {
  const at = blocks.findIndex((block) => block.events.some((event) => event.event === "call" && (event satisfies CallEvent).span.start === span.start && event.span.end === span.end));
  return at < 0 ? undefined : at;
}
