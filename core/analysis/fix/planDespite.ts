/** A delete that runs although the upload failed: asks the upload's result, or goes where the upload is known to be over. */
import type { FileRecord, Observation } from "../frame.ts";
import type { RuleContext } from "../rules/draft.ts";
import { FAILED, REFUSED, type Step } from "../summary.ts";
import { outcomeOf } from "./outcome.ts";
import { planFor } from "./planFor.ts";
import type { FixPlan } from "./plan.ts";

export function planDespite(context: RuleContext, record: FileRecord, seen: Observation, upload: Step): FixPlan | undefined {
  const { key } = record.value;
  const { step } = seen;
  if (step.inner !== undefined || upload.inner?.file === step.file) return undefined;
  const refused = (seen.ways[seen.values.findIndex((value) => value.key === key)] ?? []).filter((way) => way & REFUSED);
  const silent = refused.some((way) => !(way & FAILED));
  const outcome = outcomeOf(context, record, upload);
  if (outcome.said === "untold") return undefined;
  if (outcome.said !== "thrown" && (silent || upload.inner !== undefined))
    return {
      kind: "guard",
      file: step.file,
      statement: step.statement,
      upload: upload.statement,
      success: outcome.said === "value" ? { onlyIf: outcome.onlyIf } : outcome.place,
    };
  if (silent) return { kind: "chain", file: step.file, statement: step.statement, call: upload.span };
  if (seen.caught !== true) return { kind: "move-after", file: step.file, statement: step.statement, after: upload.statement };
  // After success nothing deletes the file yet: the deletion goes over there.
  const leak = context.leaks.find((one) => one.record.value.key === key);
  const plan = leak && planFor(context, leak, upload);
  if (plan?.kind === "delete-after") return { ...plan, instead: step.statement };
  return { kind: "remove", file: step.file, statement: step.statement };
}
