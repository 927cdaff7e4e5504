/** Jobs and their files from start to end (S2.1). */
import path from "node:path";
import { t } from "@vscode/l10n";
import { cleanAfter } from "./cleanAfter.ts";
import { CleanupPolicy } from "./cleanupPolicy.ts";
import { DirectoryManager } from "./directoryManager.ts";
import { Ended, Held } from "./held.ts";
import { type JobContext, type JobWork, OpenJob, type StartOptions } from "./jobContext.ts";
import { JobRecords } from "./jobRecords.ts";
import { checkJobId, type JobStatus } from "./layout.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";
import { ManifestTracker } from "./manifestTracker.ts";
import type { PolicyValues } from "./policyValues.ts";
import { type CleanupResult, NOTHING_CLEANED } from "./result.ts";

export interface JobManagerOptions {
  /** The directory with `offcut.json`. Without that file the stores are those of the layout. */
  readonly root: string;
  /** Where jobs put their files. */
  readonly directories?: DirectoryManager;
  /** Default: `policy` of `offcut.json`. */
  readonly policy?: CleanupPolicy | Partial<PolicyValues>;
  /** Default: `console`. */
  readonly logger?: Logger;
  /** Stops cleaning; jobs go on. */
  readonly signal?: AbortSignal;
  /** How long a job counts as alive after its last sign of life. Default: `jobs.lease` of `offcut.json`, which is two minutes. */
  readonly leaseMs?: number;
  /** Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

/**
 * Functions throw a TypeError for an id or a type that is none, which is the caller's mistake, and nothing else: what goes wrong is
 * logged, the work goes on, and the job's files are kept.
 *
 * Invariants: a job has one run at a time, which is the one that its manifest names; a context adds to and ends only the run that it
 * was made for; who ends a job by its id ends the run that there is, unless another process is at work on it.
 */
export class JobManager implements AsyncDisposable {
  /** Absolute. */
  readonly root: string;
  private readonly options: JobManagerOptions;
  private readonly directories: DirectoryManager;
  private readonly tracker: ManifestTracker;
  private readonly policy: CleanupPolicy | undefined;
  private readonly logger: Logger;
  private readonly records: JobRecords;
  private readonly starts = new Map<string, Promise<OpenJob>>();
  private readonly ends = new WeakMap<OpenJob, Promise<CleanupResult>>();

  constructor(options: JobManagerOptions) {
    const { root, logger, leaseMs, now, policy } = options;
    this.options = options;
    this.logger = loggerOr(logger);
    this.directories = options.directories ?? new DirectoryManager({ root });
    this.root = this.directories.root;
    if (this.root !== path.resolve(root)) throw new TypeError(`the directories are those of ${this.root}, not of ${root}`);
    this.policy = policy === undefined || policy instanceof CleanupPolicy ? policy : new CleanupPolicy(policy, { logger: this.logger });
    this.tracker = new ManifestTracker({ root, logger: this.logger, ...(leaseMs !== undefined && { leaseMs }), ...(now && { now }) });
    this.records = new JobRecords({
      tracker: this.tracker,
      directories: this.directories,
      logger: this.logger,
      now: now ?? Date.now,
      onNoted: async (context) => this.mark(context, "processing"),
    });
  }

  /**
   * The job begins: it has a manifest, a lease that is renewed while this process lives, its directories, and a mark `_processing`. Of
   * a job that runs in this manager the same context comes back.
   */
  async startJob(jobId: string, jobType: string, options: StartOptions = {}): Promise<JobContext> {
    checkJobId(jobId);
    if (typeof jobType !== "string" || jobType === "" || jobType.length > 256)
      throw new TypeError(`${JSON.stringify(jobType)} is no type of job`);
    for (let start = this.starts.get(jobId); start; start = this.starts.get(jobId)) {
      const context = await start;
      if (context.state === "running") return this.greet(context);
    }
    const start = this.start(jobId, jobType, options).finally(() => this.starts.delete(jobId));
    this.starts.set(jobId, start);
    return start;
  }

  /** The job ended. What may go at once goes at once (R45); a job that failed keeps everything, unless the policy says otherwise. */
  async completeJob(jobId: string, success: boolean): Promise<CleanupResult> {
    const context = await this.find(jobId);
    if (context) return this.end(context, success, undefined);
    const message = t("there is no job {0}", jobId);
    this.logger.error(message, { job: jobId });
    return { ...NOTHING_CLEANED, errors: [{ path: "", message }] };
  }

  /** A job of this process, or of an earlier one, by its manifest. Undefined when there is none. */
  async getJobContext(jobId: string): Promise<JobContext | undefined> {
    return this.find(jobId);
  }

  /** Stops the signs of life; jobs that still run are left to their lease. Resolves when everything that was noted is on the disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.tracker.settle();
    this.records[Symbol.dispose]();
  }

  private async start(id: string, type: string, options: StartOptions): Promise<OpenJob> {
    const known = this.records.contextOf(id);
    if (known?.state === "running" && (await this.records.stillRuns(known))) return this.greet(known);
    const context = this.open(id, type, "running", options);
    await this.attempt(context, async () => this.records.enter(context));
    await this.attempt(context, async () => void (await this.directories.createJobDirectories(id, type)));
    if (context.problem === undefined) await this.mark(context, "processing");
    return context;
  }

  private greet(context: OpenJob): OpenJob {
    this.logger.warn(t("Job {0} is running here already", context.id), { job: context.id });
    return context;
  }

  private async find(id: string): Promise<OpenJob | undefined> {
    checkJobId(id);
    await this.starts.get(id);
    const known = this.records.contextOf(id);
    if (known && (known.state !== "running" || (await this.records.stillRuns(known)))) return known;
    return this.records.adopt(id, ({ type, state }) => this.open(id, type, state));
  }

  private open(id: string, type: string, state: JobContext["state"], options: StartOptions = {}): OpenJob {
    const work: JobWork = {
      pathOf: (kind) => (kind === undefined ? this.directories.jobDirectory(id) : this.directories.directoryOf(id, kind)),
      finalPathOf: (kind, name) => this.directories.finalPath(kind, name),
      promise: async (context, file) => this.records.promise(context, file),
      add: async (context, list, file, kind, role) =>
        this.attempt(context, async () => this.records.add(context, list, { path: file, kind, role })),
      end: async (context, success, error) => this.end(context, success, error),
      leave: async (context) => void (await this.end(context, false, new Error("it ended without complete()"), true)),
      complain: (error) => this.logger.error(t("Job {0}: {1}", id, messageOf(error)), { job: id }),
    };
    return new OpenJob(id, type, state, options, work);
  }

  /** Several ends of one run come one after the other, so that the later ones see what became of the first. */
  private async end(context: OpenJob, success: boolean, error: unknown, onlyRunning = false): Promise<CleanupResult> {
    const before = this.ends.get(context);
    const end = before
      ? before.then(async () => this.endNow(context, success, error, onlyRunning))
      : this.endNow(context, success, error, onlyRunning);
    this.ends.set(context, end);
    return end;
  }

  /** Never rejects. */
  private async endNow(context: OpenJob, success: boolean, error: unknown, onlyRunning: boolean): Promise<CleanupResult> {
    const { id, state: before } = context;
    const state = success ? "succeeded" : "failed";
    if (success && before === "failed") return this.refuseSuccess(context);
    context.state = state;
    try {
      const now = await this.records.end(context, { state, wasRunning: before === "running", onlyRunning, error });
      if (now !== undefined) context.state = now;
      if (now !== state) return NOTHING_CLEANED;
    } catch (problem) {
      if (problem instanceof Held) context.state = before;
      await this.records.learn(context, problem);
      if (problem instanceof Ended && success) return this.refuseSuccess(context);
      this.logger.error(t("Job {0}: its end could not be noted, so its files are kept: {1}", id, messageOf(problem)), { job: id });
      return { ...NOTHING_CLEANED, errors: [{ path: "", message: messageOf(problem) }] };
    }
    if (!success) this.logger.warn(t("Job {0} failed", id), { job: id, ...(error !== undefined && { error: messageOf(error) }) });
    await this.mark(context, success ? "completed" : "failed");
    return cleanAfter(id, success, {
      ...this.options,
      root: this.root,
      layout: this.directories.layout,
      policy: this.policy,
      logger: this.logger,
    });
  }

  private refuseSuccess({ id }: OpenJob): CleanupResult {
    this.logger.warn(t("Job {0} failed before; its files are kept until it is started again or released", id), { job: id });
    return NOTHING_CLEANED;
  }

  private async mark(context: OpenJob, status: JobStatus): Promise<void> {
    try {
      await this.directories.setStatus(context.id, status);
    } catch (error) {
      this.logger.warn(t("Job {0}: {1}", context.id, messageOf(error)), { job: context.id });
    }
  }

  /** What cannot be noted stays an error in the log, with what that means for the files, and the job goes on. */
  private async attempt(context: OpenJob, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      await this.records.learn(context, error);
      const message = t("Job {0}: {1}; {2}", context.id, messageOf(error), fateOf(context, error));
      this.logger.error(message, { job: context.id });
    }
  }
}

/** What becomes of the files of a job of which something could not be noted. */
function fateOf(context: OpenJob, error: unknown): string {
  if (error instanceof Held) return t("files in its directories go or stay with that one");
  if (context.tracked || context.guarded || context.noted) return t("its files are kept");
  return t("its files are kept only if no earlier run of the same job succeeded");
}
