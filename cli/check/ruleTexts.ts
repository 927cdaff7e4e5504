/** What each rule is about, for readers that show rules and not only findings. */
import { t } from "@vscode/l10n";
import type { RuleId } from "../../core/analysis/finding.ts";

export interface RuleText {
  /** One phrase. */
  readonly short: string;
  /** One or two sentences. */
  readonly full: string;
}

export function explainRules(): Readonly<Record<RuleId, RuleText>> {
  return {
    "missing-cleanup-after-upload": {
      short: t("Uploaded file is left on the disk"),
      full: t("A local file was uploaded, and on a successful way out of the function that made it nobody deletes it or hands it on."),
    },
    "missing-cleanup-after-assembly": {
      short: t("Intermediate file of an assembly is left on the disk"),
      full: t("An assembly read or wrote an intermediate file, and on a successful way out nobody deletes it or hands it on."),
    },
    "partial-cleanup": {
      short: t("File is deleted on some ways out only"),
      full: t("The file is cleaned up on some successful ways out of the function, and left on the disk on others."),
    },
    "delete-despite-failed-upload": {
      short: t("The only copy is deleted although the upload failed"),
      full: t(
        "The local file is deleted although the upload may have failed: in a finally, after a swallowed error, or with an untested result.",
      ),
    },
    "delete-before-upload-settles": {
      short: t("File is deleted while it is being uploaded"),
      full: t("Nobody waits for the upload, so the file may be gone before it was read."),
    },
    "use-after-delete": {
      short: t("File is read after it was deleted"),
      full: t("The path is read after the file was deleted."),
    },
    "ineffective-cleanup": {
      short: t("Cleanup that never takes effect"),
      full: t("There is a cleanup, but it cannot work: it is out of reach, runs on errors only, or deletes something else."),
    },
    "unverified-final": {
      short: t("Intermediates are deleted without looking at the result"),
      full: t("The intermediate files of an assembly are deleted although nobody looked whether its output exists."),
    },
    "cleanup-can-fail-job": {
      short: t("A failing cleanup fails the whole job"),
      full: t("An error of the deletion would make a job fail whose work was done."),
    },
    "unsafe-cleanup-path": {
      short: t("Recursive delete of an unchecked path"),
      full: t("A directory is deleted with everything in it, and its path is built from an id that nobody checked."),
    },
    "ungated-cleanup": {
      short: t("Automatic cleanup ignores AUTO_CLEANUP_ENABLED"),
      full: t("The code cleans up by itself without asking whether AUTO_CLEANUP_ENABLED allows it."),
    },
  };
}
