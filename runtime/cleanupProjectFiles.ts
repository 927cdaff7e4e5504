/** Cleans one project after its final was made (S0.12). */
import path from "node:path";
import { t } from "@vscode/l10n";
import { loadEngine } from "./load.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";
import { type CleanupResult, NOTHING_CLEANED, resultOf } from "./result.ts";

export interface CleanupOptions {
  /** The directory with `offcut.json`. Default: the working directory. */
  readonly root?: string;
  /** Default: `console`. */
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
  /** Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Cleans one project after its final was made (S0.12): obeys AUTO_CLEANUP_ENABLED, verifies the final, keeps what another project
 * needs, logs `Cleanup: Deleted {count} files, freed {space} MB` and each file that stayed. Call it after the record says that
 * the project is complete.
 *
 * Throws a TypeError for an id that is not a non-empty string, which is the caller's mistake; nothing else.
 */
export async function cleanupProjectFiles(projectId: string, options: CleanupOptions = {}): Promise<CleanupResult> {
  if (typeof projectId !== "string" || projectId === "") throw new TypeError("cleanupProjectFiles needs the id of a project");
  const logger = loggerOr(options.logger);
  const { signal } = options;
  try {
    const { clean, loadConfig, narrowTo } = await loadEngine();
    const whole = loadConfig(path.resolve(options.root ?? ""));
    const { result } = await clean({
      config: narrowTo(whole, projectId),
      whole,
      label: projectId,
      logger,
      environment: options.environment ?? process.env,
      mode: "automatic",
      owner: projectId,
      confirm: `offcut clean --project ${projectId}`,
      ...(signal && { signal }),
    });
    return resultOf(result);
  } catch (error) {
    const message = messageOf(error);
    logger.error(t("Cleanup of {0} failed: {1}", projectId, message));
    return { ...NOTHING_CLEANED, errors: [{ path: "", message }] };
  }
}
