/** What a job that ended leaves behind goes at once, where the policy lets it. */
import { t } from "@vscode/l10n";
import type { CleanupPolicy } from "./cleanupPolicy.ts";
import type { Layout } from "./layout.ts";
import { loadEngine } from "./load.ts";
import { type Logger, messageOf } from "./logger.ts";
import { type CleanupResult, NOTHING_CLEANED, resultOf } from "./result.ts";

export interface AfterOptions {
  /** Absolute. */
  readonly root: string;
  readonly layout: Layout;
  /** Default: `policy` of `offcut.json`. */
  readonly policy: CleanupPolicy | undefined;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly now?: () => number;
}

/** Never throws. What the policy keeps anyway is not even looked for. */
export async function cleanAfter(id: string, success: boolean, options: AfterOptions): Promise<CleanupResult> {
  const { root, layout, policy, logger, signal, environment = process.env, now } = options;
  try {
    const engine = await loadEngine();
    const written = engine.configOf(root, layout);
    const config = policy ? engine.withPolicy(written, await policy.current()) : written;
    if (!success && config.policy.preserveOnFailure) return NOTHING_CLEANED;
    if (engine.isRetained(config)) {
      // Nothing is looked for, so nothing else says what is wrong with the policy.
      for (const problem of config.problems.filter((one) => !written.problems.includes(one)))
        logger.warn(t("Cleanup: {0}: {1}", problem.source, problem.message));
      logger.info(t("Job {0}: its temporary files stay until their retention is over", id), { job: id });
      return NOTHING_CLEANED;
    }
    const { result } = await engine.clean({
      config: engine.narrowTo(config, id),
      whole: config,
      label: id,
      logger,
      environment,
      mode: "automatic",
      owner: id,
      narrowed: true,
      layout,
      ...(signal && { signal }),
      ...(now && { now }),
    });
    return resultOf(result);
  } catch (error) {
    const message = messageOf(error);
    logger.error(t("Cleanup of {0} failed: {1}", id, message), { job: id });
    return { ...NOTHING_CLEANED, errors: [{ path: "", message }] };
  }
}
