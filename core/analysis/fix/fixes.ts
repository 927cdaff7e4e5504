/** The fixes of a finding: what its plan says, written down by the front end. */
import { t } from "@vscode/l10n";
import type { Finding, Fix } from "../finding.ts";
import type { FrontEnd } from "../frontEnd.ts";
import type { Program } from "../program.ts";
import type { Draft } from "../rules/draft.ts";

export function fixesFor(frontEnd: FrontEnd, finding: Finding, draft: Draft, _program: Program): readonly Fix[] {
  const { fix } = draft;
  if (!fix) return [];
  const edits = frontEnd.print(finding, fix, frontEnd.lower(fix.file));
  if (!edits) return [];
  const title =
    fix.kind === "delete-after"
      ? t("Delete {0} here once it is no longer needed", finding.subject)
      : fix.kind === "await"
        ? t("Wait for the upload")
        : fix.kind === "move-after"
          ? t("Delete {0} after its last use", finding.subject)
          : t("Remove this statement");
  return [{ title, kind: "quickfix", preferred: true, edits }];
}
