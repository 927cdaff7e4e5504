/** The fixes of a finding: what its plan says, written down by the front end, and tried out before it is offered. */
import { t } from "@vscode/l10n";
import { applyEdits } from "../applyEdits.ts";
import type { Finding, Fix } from "../finding.ts";
import type { FrontEnd } from "../frontEnd.ts";
import type { Draft } from "../rules/draft.ts";
import type { FixPlan } from "./plan.ts";

/** What was found before, and what would be found if a file had another text, in the files that this concerns. */
export interface Trial {
  readonly before: readonly Finding[];
  readonly after: readonly Finding[];
}

/** Nothing is offered that would leave the finding, or make another one that is at least a warning. */
export function fixesFor(
  frontEnd: FrontEnd,
  finding: Finding,
  draft: Draft,
  tryOut: (file: string, text: string) => Trial,
): readonly Fix[] {
  const { fix } = draft;
  if (!fix) return [];
  const changes = frontEnd.print(finding, fix, frontEnd.lower(fix.file));
  const [change, ...others] = changes ?? [];
  if (!changes || !change || others.length > 0) return [];
  const text = frontEnd.sources.read(change.file);
  if (!clears(finding, tryOut(change.file, applyEdits(text, change.edits)))) return [];
  return [{ title: titleOf(fix, finding.subject), kind: "quickfix", preferred: true, edits: changes }];
}

function clears(finding: Finding, { before, after }: Trial): boolean {
  const left = [...before.map(keyOf)];
  const at = left.indexOf(keyOf(finding));
  if (at >= 0) left.splice(at, 1);
  for (const one of after) {
    const known = left.indexOf(keyOf(one));
    if (known >= 0) left.splice(known, 1);
    else if (keyOf(one) === keyOf(finding) || one.severity === "error" || one.severity === "warning") return false;
  }
  return true;
}

/** The same for one finding in both texts: its lines may have moved. */
function keyOf({ rule, file, subject }: Finding): string {
  return `${rule}\0${file}\0${subject}`;
}

function titleOf(plan: FixPlan, subject: string): string {
  switch (plan.kind) {
    case "delete-after":
      return t("Delete {0} here once it is no longer needed", subject);
    case "delete-before":
      return t("Delete {0} before this way out, too", subject);
    case "await":
      return t("Wait for the upload");
    case "move-after":
      return t("Delete {0} after its last use", subject);
    case "move-before":
      return t("Delete {0} before the return", subject);
    case "guard":
      return t("Delete {0} only if the upload went well", subject);
    case "remove":
      return t("Remove this statement");
  }
}
