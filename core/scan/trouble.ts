/**
 * What the walk could not look at. Threads note it without words, because only the calling thread knows the reader's language;
 * that thread words it.
 */
import { t } from "@vscode/l10n";
import type { Problem } from "../model.ts";

export type Trouble =
  | { readonly kind: "name-not-utf8" | "vanished" | "link-for-directory" | "file-is-mount" | "other-device"; readonly at: string }
  | { readonly kind: "not-looked-at" | "not-listed"; readonly at: string; readonly code: string }
  /** `sign` is what gives the repository away, e.g. `.git`. */
  | { readonly kind: "repository"; readonly at: string; readonly sign: string }
  | { readonly kind: "more-names"; readonly at: string; readonly count: number };

export function wordTrouble(trouble: Trouble): Problem {
  return { severity: "warning", source: trouble.at, message: explain(trouble) };
}

function explain(trouble: Trouble): string {
  switch (trouble.kind) {
    case "name-not-utf8":
      return t("Its name is not valid UTF-8 and may stand for another file, so it is skipped. Rename it.");
    case "vanished":
      return t("It vanished during the scan (ENOENT).");
    case "not-looked-at":
      return t("It cannot be looked at ({0}), so it is skipped.", trouble.code);
    case "link-for-directory":
      return t("A symbolic link stands where a directory may be; it is not followed.");
    case "file-is-mount":
      return t("The file is a mount point, so it is left alone (R4). Unmount it to have it counted.");
    case "other-device":
      return t("The directory is a mount point or on another device than its root, so it is not searched (R4). Give it a root of its own.");
    case "not-listed":
      return t("The directory cannot be listed ({0}), so what it holds is not known.", trouble.code);
    case "repository":
      return t("The directory holds {0}, so it is a repository and is not searched (R7). Move it out of the store.", trouble.sign);
    default:
      return trouble.count === 1
        ? t("1 more name in this directory was skipped for reasons of this kind.")
        : t("{0} more names in this directory were skipped for reasons of this kind.", trouble.count);
  }
}
