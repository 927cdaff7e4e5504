/**
 * What pipelines import. Cleaning never throws into the pipeline (R88): a video that was made stays made, whatever happens here.
 */
import path from "node:path";
import { t } from "@vscode/l10n";
import { cleanUp } from "../core/cleanUp.ts";
import { ConfigError } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { makePlan } from "../core/makePlan.ts";
import type { ItemError, Plan } from "../core/model.ts";
import { purge } from "../core/runs.ts";
import { cleanupLine, formatBytes } from "../core/words.ts";

export { deleteLocalFileAfterUpload } from "./deleteLocalFileAfterUpload.ts";

export interface CleanupResult {
  /** Files that are no longer at their place. */
  readonly deletedFiles: number;
  /** Bytes measured as freed; 0 while the files are held for undo. */
  readonly freedSpace: number;
  /** Bytes held for undo (`policy.undo`). */
  readonly heldSpace: number;
  readonly errors: readonly ItemError[];
}

/** Where the lines go. `console` has this shape. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface CleanupOptions {
  /** The directory with `offcut.json`. Default: the working directory. */
  readonly root?: string;
  /** Default: `console`. */
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
  /** Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const NOTHING: CleanupResult = { deletedFiles: 0, freedSpace: 0, heldSpace: 0, errors: [] };

/**
 * Cleans one project after its final was made (S0.12): obeys AUTO_CLEANUP_ENABLED, verifies the final, keeps what another project
 * needs, logs `Cleanup: Deleted {count} files, freed {space} MB` and each file that stayed. Call it after the record says that
 * the project is complete.
 *
 * Throws a TypeError for an id that is not a non-empty string, which is the caller's mistake; nothing else.
 */
export async function cleanupProjectFiles(projectId: string, options: CleanupOptions = {}): Promise<CleanupResult> {
  if (typeof projectId !== "string" || projectId === "") throw new TypeError("cleanupProjectFiles needs the id of a project");
  const logger = options.logger ?? console;
  try {
    return await cleanProject(projectId, options, logger);
  } catch (error) {
    const message = error instanceof ConfigError ? error.message : error instanceof Error ? error.message : String(error);
    logger.error(t("Cleanup of {0} failed: {1}", projectId, message));
    return { ...NOTHING, errors: [{ path: "", message }] };
  }
}

async function cleanProject(projectId: string, options: CleanupOptions, logger: Logger): Promise<CleanupResult> {
  const config = loadConfig(path.resolve(options.root ?? ""));
  const planOptions = {
    mode: "automatic",
    environment: options.environment ?? process.env,
    selection: { projects: [projectId] },
    ...(options.signal && { signal: options.signal }),
  } as const;
  const plan = await makePlan(config, planOptions);
  if (!plan.autoCleanup.enabled) {
    logger.info(t("Cleanup of {0}: automatic cleanup is off ({1})", projectId, plan.autoCleanup.source));
    return NOTHING;
  }
  for (const problem of plan.problems)
    if (problem.severity !== "info") logger.warn(t("Cleanup: {0}: {1}", problem.source, problem.message));
  const known = plan.owners.some((owner) => owner.id === projectId) || plan.items.some((item) => item.owner === projectId);
  if (!known && plan.problems.every((problem) => problem.severity !== "error")) {
    const message = t('no database lists a project "{0}", and no file is of it', projectId);
    logger.warn(t("Cleanup of {0}: nothing was touched: {1}", projectId, message));
    return { ...NOTHING, errors: [{ path: "", message }] };
  }
  if (plan.brake.length > 0) {
    const message = t("{0}. Confirm it by hand: offcut clean --project {1}", plan.brake.join("; "), projectId);
    logger.warn(t("Cleanup of {0} stopped: {1}", projectId, message));
    return { ...NOTHING, errors: [{ path: "", message }] };
  }
  await purge(config.root, { expiredAt: Date.now() });
  const result = await cleanUp(config, plan, planOptions);
  for (const one of result.errors) logger.error(t("Cleanup: {0}: {1}", one.path, one.message));
  for (const one of result.skipped) logger.warn(t("Cleanup: kept {0}: {1}", one.path, one.reason));
  logger.info(
    cleanupLine(result.deletedFiles, result.freedSpace) +
      (result.heldSpace > 0
        ? ` (${t("{0} held for undo until {1}", formatBytes(result.heldSpace), result.undoUntil ?? "")})`
        : whyNothing(plan)),
  );
  return { deletedFiles: result.deletedFiles, freedSpace: result.freedSpace, heldSpace: result.heldSpace, errors: result.errors };
}

/** Nothing freed is explained (R84). */
function whyNothing(plan: Plan): string {
  if (plan.totals.reclaim.files > 0) return "";
  const kept = plan.items.find((item) => item.role !== "final");
  return kept ? ` (${kept.evidence[0] ?? kept.reason})` : "";
}
