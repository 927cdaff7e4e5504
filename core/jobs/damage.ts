/** Manifests that nobody can read, for good: only those may be set aside. */
import fs from "node:fs";
import { t } from "@vscode/l10n";
import { isSafeId } from "../config/template.ts";
import type { Problem } from "../model.ts";
import { Refusal } from "../reclaim/home.ts";
import { manifestFile, readManifest } from "./manifests.ts";

/** Throws a {@link Refusal} for a manifest that can be read, is newer than this Offcut, or may only not be opened: those protect files. */
export function requireDamage(directory: string, job: string): Problem {
  const found = readManifest(directory, job);
  if (!found) throw new Refusal(t('there is no manifest of "{0}" in {1}', job, directory));
  const { manifest, problem, from } = found;
  if (manifest || !problem) throw new Refusal(t("the manifest of {0} can be read, so it is not set aside", job));
  if (from !== "nothing" || !mayRead(manifestFile(directory, job))) throw new Refusal(problem.message);
  return problem;
}

export function isDamaged(directory: string, job: string): boolean {
  if (!isSafeId(job)) return false;
  try {
    requireDamage(directory, job);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

function mayRead(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.R_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
