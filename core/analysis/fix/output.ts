/** What an assembly makes, as far as nobody looks at it: it has to be there before what it was made of goes. */
import type { FileRecord } from "../frame.ts";
import type { Leak } from "../leaks.ts";
import type { RuleContext } from "../rules/draft.ts";
import { sameStep } from "../summary.ts";
import type { Deletion } from "./plan.ts";
import { inlineOf, spell } from "./spell.ts";

export function outputOf({ program }: RuleContext, { report, record }: Leak): Deletion["output"] {
  const outputs = [...report.frame.files.values()].filter(
    (other) => other !== record && other.trace.output.some((step) => record.trace.read.some((read) => sameStep(step, read))),
  );
  if (outputs.some(isLookedAt)) return undefined;
  for (const output of outputs) {
    const [step] = output.trace.output;
    const written = step && spell(program, report, output.value, step.span);
    if (written !== undefined) return { written };
    if (output.value.kind === "text") return { text: output.value.text };
    const inline = step && inlineOf(program, report, output.value, step.span);
    if (inline) return { inline };
  }
  return undefined;
}

function isLookedAt({ trace }: FileRecord): boolean {
  return [trace.checked, trace.uploaded, trace.read, trace.used, trace.deleted].some((steps) => steps.length > 0);
}
