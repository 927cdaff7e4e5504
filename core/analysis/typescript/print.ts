/** Writes a fix down in TypeScript or JavaScript, in the style of the file. */
import type { Finding, TextEdit } from "../finding.ts";
import type { FixPlan } from "../fix/plan.ts";
import type { FlowModule } from "../flow.ts";

export function printFix(_finding: Finding, _plan: FixPlan, _module: FlowModule, _text: string): readonly { readonly file: string; readonly edits: readonly TextEdit[] }[] | undefined {
  return undefined;
}
