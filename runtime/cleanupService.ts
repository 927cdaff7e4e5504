/** Cleaning of jobs by what a program asks for (S2.4). */
import path from "node:path";
import { t } from "@vscode/l10n";
import type { PlanItem } from "../core/model.ts";
import type { CleanRequest } from "./clean.ts";
import { CleanupPolicy } from "./cleanupPolicy.ts";
import type { PolicyChange } from "./configOf.ts";
import { compileGlob } from "./glob.ts";
import { checkJobId, type Layout, LAYOUT } from "./layout.ts";
import { loadEngine } from "./load.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";
import type { PolicyValues } from "./policyValues.ts";
import { type CleanupResult, NOTHING_CLEANED, resultOf } from "./result.ts";

export interface CleanupServiceOptions {
  /** The directory with `offcut.json`. Without that file the stores are those of the layout. */
  readonly root: string;
  /** Default: `policy` of `offcut.json`. */
  readonly policy?: CleanupPolicy | Partial<PolicyValues>;
  readonly layout?: Layout;
  /** Default: `console`. */
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
  /** Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

export interface ManualOptions {
  /** How many files the dry run named: needed where a cleanup takes surprisingly much (R20). */
  readonly confirmedFiles?: number;
}

export interface ManualResult extends CleanupResult {
  readonly dryRun: boolean;
  /** What would go, or was asked to go, relative to the root. */
  readonly files: readonly string[];
  /** Their sizes together. */
  readonly bytes: number;
}

/** Functions throw a TypeError for arguments that cannot be, and nothing else: what goes wrong is logged and is in the result. */
export class CleanupService {
  /** Absolute. */
  readonly root: string;
  private readonly options: CleanupServiceOptions;
  private readonly policy: CleanupPolicy | undefined;
  private readonly logger: Logger;

  constructor(options: CleanupServiceOptions) {
    const { policy } = options;
    this.root = path.resolve(options.root);
    this.options = options;
    this.logger = loggerOr(options.logger);
    this.policy = policy === undefined || policy instanceof CleanupPolicy ? policy : new CleanupPolicy(policy, { logger: this.logger });
  }

  /** What may go of one job, as automatic cleaning does it. A job that runs keeps everything; so does one that failed, unless told. */
  async cleanupJob(jobId: string, preserveOnFailure = true): Promise<CleanupResult> {
    checkJobId(jobId);
    const change = { preserveOnFailure };
    return this.clean(jobId, change, { mode: "automatic", owner: jobId, narrowed: true, confirm: `offcut clean --project ${jobId}` });
  }

  /**
   * What may go of all jobs that ended more than so many hours ago, if the policy keeps nothing longer; and the marks of jobs of which
   * nothing else is left.
   */
  async cleanupByAge(maxAgeHours: number): Promise<CleanupResult> {
    if (typeof maxAgeHours !== "number" || !Number.isFinite(maxAgeHours) || maxAgeHours < 0)
      throw new TypeError("cleanupByAge needs a number of hours, 0 or more");
    const marksOlderThanMs = maxAgeHours * 3_600_000;
    return this.clean(t("jobs"), { leastHours: maxAgeHours }, { mode: "automatic", confirm: "offcut clean", marksOlderThanMs });
  }

  /**
   * Whatever the automatic settings are: the files that match `pattern`, relative to the root, with `*`, `**` and `?`, and that may go.
   * An empty pattern selects nothing (R21). With `dryRun`, which is the default, nothing happens but that they are named.
   */
  async manualCleanup(pattern: string, dryRun = true, options: ManualOptions = {}): Promise<ManualResult> {
    const matches = compileGlob(pattern);
    let chosen: readonly PlanItem[] = [];
    const relative = (item: PlanItem): string => path.relative(this.root, path.join(item.root, item.path)).split(path.sep).join("/");
    const result = await this.clean(
      pattern,
      {},
      {
        mode: "manual",
        orphans: true,
        dryRun,
        only: (item) => matches(relative(item)),
        ...(options.confirmedFiles !== undefined && { confirmedFiles: options.confirmedFiles }),
      },
      (files) => (chosen = files),
    );
    return { ...result, dryRun, files: chosen.map(relative), bytes: chosen.reduce((sum, item) => sum + item.bytes, 0) };
  }

  /** Whether automatic cleaning is on, by environment, database and policy together. What cannot be known is off. */
  async isCleanupEnabled(): Promise<boolean> {
    try {
      const { isEnabled } = await loadEngine();
      return isEnabled(await this.config({}), this.options.environment ?? process.env);
    } catch (error) {
      this.logger.error(messageOf(error));
      return false;
    }
  }

  private async config(change: PolicyChange): Promise<CleanRequest["config"]> {
    const { configOf, withPolicy } = await loadEngine();
    const written = configOf(this.root, this.options.layout ?? LAYOUT);
    return withPolicy(written, { ...(await this.policy?.current()), ...change });
  }

  private async clean(
    label: string,
    change: PolicyChange,
    wanted: Omit<CleanRequest, "config" | "label" | "logger" | "environment" | "layout">,
    onFiles: (files: readonly PlanItem[]) => void = () => {},
  ): Promise<CleanupResult> {
    const { signal, environment = process.env, now } = this.options;
    try {
      const engine = await loadEngine();
      const config = await this.config(change);
      const cleaned = await engine.clean({
        config: wanted.owner === undefined ? config : engine.narrowTo(config, wanted.owner),
        whole: config,
        label,
        logger: this.logger,
        environment,
        layout: this.options.layout ?? LAYOUT,
        ...(signal && { signal }),
        ...(now && { now }),
        ...wanted,
      });
      onFiles(cleaned.files);
      return resultOf(cleaned.result);
    } catch (error) {
      const message = messageOf(error);
      this.logger.error(t("Cleanup of {0} failed: {1}", label, message));
      return { ...NOTHING_CLEANED, errors: [{ path: "", message }] };
    }
  }
}
