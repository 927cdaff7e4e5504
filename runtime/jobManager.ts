/** Jobs and their files from start to end (S2.1). */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Manifest, ManifestEntry } from "../core/jobs/manifest.ts";
import { changedAt, isSince } from "./changed.ts";
import { cleanAfter } from "./cleanAfter.ts";
import { CleanupPolicy } from "./cleanupPolicy.ts";
import { DirectoryManager } from "./directoryManager.ts";
import { type JobContext, type JobWork, OpenJob, type StartOptions } from "./jobContext.ts";
import { checkJobId, type JobStatus } from "./layout.ts";
import { beatMs, holdLease, type LeaseHeld } from "./lease.ts";
import { loadEngine } from "./load.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";
import { type EntryRole, ManifestTracker, type Place, startedAnew, withEntry } from "./manifestTracker.ts";
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

/** Between two tries to note that a job began. */
const RETRY_MS = 1000;

/**
 * Functions throw a TypeError for an id or a type that is none, which is the caller's mistake, and nothing else: what goes wrong is
 * logged, the work goes on, and the job's files are kept.
 */
export class JobManager implements AsyncDisposable {
  /** Absolute. */
  readonly root: string;
  private readonly options: JobManagerOptions;
  private readonly directories: DirectoryManager;
  private readonly tracker: ManifestTracker;
  private readonly policy: CleanupPolicy | undefined;
  private readonly logger: Logger;
  private readonly running = new Map<string, { readonly context: OpenJob; readonly lease: LeaseHeld }>();
  private isCompared = false;
  private readonly starting = new Map<OpenJob, Promise<void>>();

  constructor(options: JobManagerOptions) {
    const { root, logger, leaseMs, now, policy } = options;
    this.options = options;
    this.logger = loggerOr(logger);
    this.directories = options.directories ?? new DirectoryManager({ root });
    this.root = this.directories.root;
    if (this.root !== path.resolve(root)) throw new TypeError(`the directories are those of ${this.root}, not of ${root}`);
    this.policy = policy === undefined || policy instanceof CleanupPolicy ? policy : new CleanupPolicy(policy, { logger: this.logger });
    this.tracker = new ManifestTracker({ root, logger: this.logger, ...(leaseMs !== undefined && { leaseMs }), ...(now && { now }) });
  }

  /** The job begins: it has a manifest, a lease that is renewed while this process lives, its directories, and a mark `_processing`. */
  async startJob(jobId: string, jobType: string, options: StartOptions = {}): Promise<JobContext> {
    checkJobId(jobId);
    if (typeof jobType !== "string" || jobType === "" || jobType.length > 256)
      throw new TypeError(`${JSON.stringify(jobType)} is no type of job`);
    const known = this.running.get(jobId)?.context;
    if (known?.state === "running") {
      this.logger.warn(t("Job {0} is running here already", jobId), { job: jobId });
      return known;
    }
    const context = this.open(jobId, jobType, "running", options);
    await this.attempt(context, async () => this.begin(context));
    this.tryAgain(context);
    await this.attempt(context, async () => void (await this.directories.createJobDirectories(jobId, jobType)));
    if (context.problem === undefined) await this.mark(context, "processing");
    return context;
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
    for (const { lease } of this.running.values()) lease[Symbol.dispose]();
    this.running.clear();
  }

  private async find(jobId: string): Promise<OpenJob | undefined> {
    checkJobId(jobId);
    const known = this.running.get(jobId);
    if (known) return known.context;
    const manifest = await this.tracker.getManifest(jobId);
    if (!manifest) return undefined;
    const context = this.open(jobId, manifest.job.type, manifest.job.state);
    context.tracked = true;
    return context;
  }

  private open(id: string, type: string, state: JobContext["state"], started: StartOptions = {}): OpenJob {
    const work: JobWork = {
      pathOf: (kind) => (kind === undefined ? this.directories.jobDirectory(id) : this.directories.directoryOf(id, kind)),
      finalPathOf: (kind, name) => this.directories.finalPath(kind, name),
      add: async (context, list, file, kind, role) => this.add(context, list, file, kind, role),
      end: async (context, success, error) => this.end(context, success, error),
      complain: (error) => this.logger.error(t("Job {0}: {1}", id, messageOf(error)), { job: id }),
    };
    return new OpenJob(id, type, state, started, work);
  }

  /** Several who find a job that is not noted wait for one note. */
  private async begin(context: OpenJob): Promise<void> {
    let start = this.starting.get(context);
    if (!start) {
      start = this.note(context).finally(() => this.starting.delete(context));
      this.starting.set(context, start);
    }
    await start;
  }

  private async note(context: OpenJob): Promise<void> {
    const { id, type } = context;
    const { makesFinal, resume = false } = context.started;
    const engine = await loadEngine();
    const place = await this.tracker.place();
    const lease = engine.myLease(place.leaseMs);
    const started = this.date();
    const kinds = Object.keys(this.directories.getSimplifiedStructure(type));
    const directories = kinds.flatMap((kind): ManifestEntry[] =>
      this.directories.isFinal(kind)
        ? []
        : [{ path: this.tracker.relative(this.directories.directoryOf(id, kind)), kind, role: "temp", added: started }],
    );
    this.guard(context, engine, place, started);
    this.compareLayout(engine);
    const ends = kinds.length === 0 || kinds.some((kind) => this.directories.isFinal(kind));
    await this.tracker.change(id, (old) => {
      const holder = old && engine.whoElse(place.directory, old, resume);
      if (holder !== undefined) throw new Held(holder);
      const goesOn = resume && old?.job.state === "running" ? old.job : undefined;
      const manifest: Manifest = {
        ...startedAnew(old, this.root),
        job: { id, type, state: "running", started: goesOn?.started ?? started },
        lease,
        makesFinal: makesFinal ?? ends,
      };
      return directories.reduce((sum, entry) => withEntry(sum, "directories", entry), manifest);
    });
    this.keepAlive(context, engine);
  }

  /** Said once: what the file of the root says of other directories than those of the layout cleans nothing of these jobs. */
  private compareLayout(engine: Awaited<ReturnType<typeof loadEngine>>): void {
    if (this.isCompared) return;
    this.isCompared = true;
    try {
      for (const problem of engine.layoutProblems(engine.configOf(this.root, this.directories.layout), this.directories.layout))
        this.logger.warn(problem, { root: this.root });
    } catch {
      // A configuration that cannot be read is told by whoever needs it.
    }
  }

  /**
   * Before anything waits for a lock or for space: an earlier run of the same job may have ended, and only a sign of life keeps what
   * this one makes from going with it. A job that somebody else runs has signs enough.
   */
  private guard(context: OpenJob, engine: Awaited<ReturnType<typeof loadEngine>>, place: Place, since: string): void {
    const { id } = context;
    const known = this.running.get(id);
    if (known?.context === context) return;
    let old: Manifest | undefined;
    try {
      old = engine.readManifest(place.directory, id)?.manifest;
    } catch {
      // Who writes the manifest is told why it cannot be read.
    }
    const holder = old && engine.whoElse(place.directory, old, context.started.resume === true);
    if (holder !== undefined) throw new Held(holder);
    let told = false;
    const onError = (error: unknown): void => {
      context.guarded = false;
      // Without the directory no manifest says anything of the job either.
      if (!told && (error as NodeJS.ErrnoException).code !== "ENOENT")
        this.logger.warn(t("Job {0}: its sign of life cannot be written: {1}", id, messageOf(error)), { job: id });
      told = true;
    };
    context.guarded = true;
    known?.lease[Symbol.dispose]();
    this.running.set(id, {
      context,
      lease: engine.startHeartbeat(place.directory, id, beatMs(place.leaseMs), { onError, notNotedSince: since }),
    });
  }

  /** Until the start is noted, the job ends, or somebody else has it. */
  private tryAgain(context: OpenJob): void {
    const { id } = context;
    const mayNote = (): boolean => !context.tracked && context.state === "running" && this.running.get(id)?.context === context;
    if (!mayNote()) return;
    const again = async (): Promise<void> => {
      if (!mayNote()) return;
      try {
        await this.begin(context);
        this.logger.info(t("Job {0}: its start is noted now", id), { job: id });
        if (context.state === "running") await this.mark(context, "processing");
      } catch (error) {
        if (error instanceof Held) this.letGo(context, error);
        this.tryAgain(context);
      }
    };
    setTimeout(() => void again(), RETRY_MS).unref();
  }

  /** Somebody else runs it: the signs of life are theirs. */
  private letGo(context: OpenJob, held: Held): void {
    context.tracked = false;
    context.problem = held.message;
    context.guarded = false;
    const known = this.running.get(context.id);
    if (known?.context !== context) return;
    known.lease[Symbol.dispose]();
    this.running.delete(context.id);
  }

  private keepAlive(context: OpenJob, engine: Awaited<ReturnType<typeof loadEngine>>): void {
    const { id } = context;
    context.tracked = true;
    context.problem = undefined;
    this.running.get(id)?.lease[Symbol.dispose]();
    this.running.set(id, { context, lease: holdLease(this.tracker, engine, id, this.logger) });
  }

  /** Who writes files for a job is at work on it: after a restart its lease is this process's from then on. */
  private async add(
    context: OpenJob,
    list: "files" | "directories",
    file: string,
    kind: string | undefined,
    role: EntryRole | undefined,
  ): Promise<void> {
    const { id } = context;
    await this.attempt(context, async () => {
      if (!context.tracked) await this.begin(context);
      const guessed = this.guess(id, file);
      const entry = {
        path: file,
        kind: kind ?? guessed.kind,
        role: role ?? (kind !== undefined && this.directories.isFinal(kind) ? "final" : guessed.role),
      };
      const engine = await loadEngine();
      const place = await this.tracker.place();
      const lease = engine.myLease(place.leaseMs);
      await this.tracker.addEntry(id, list, entry, (old) => {
        if (!old) throw new Error(t("it has no manifest any more"));
        if (old.job.state !== "running") throw new Error(t("it ended already, so {0} is kept", file));
        const holder = engine.whoElse(place.directory, old, true);
        if (holder !== undefined) throw new Held(holder);
        return JSON.stringify(old.lease) === JSON.stringify(lease) ? old : { ...old, lease };
      });
      if (this.running.get(id)?.context !== context) this.keepAlive(context, engine);
    });
  }

  /** The kind by the directory that the file lies in. */
  private guess(id: string, file: string): { readonly kind: string; readonly role: EntryRole } {
    const directory = path.dirname(path.resolve(this.root, file));
    const { temporary, finals } = this.directories.layout;
    const within = (kind: string): boolean => `${directory}${path.sep}`.startsWith(`${this.directories.directoryOf(id, kind)}${path.sep}`);
    const final = Object.keys(finals).find(within);
    return final === undefined ? { kind: temporary.find(within) ?? "other", role: "temp" } : { kind: final, role: "final" };
  }

  private async end(context: OpenJob, success: boolean, error: unknown): Promise<CleanupResult> {
    const { id } = context;
    const state = success ? "succeeded" : "failed";
    if (success && context.state === "failed") {
      this.logger.warn(t("Job {0} failed before; its files are kept until it is started again or released", id), { job: id });
      return NOTHING_CLEANED;
    }
    context.state = state;
    try {
      if (!context.tracked) await this.begin(context);
      await this.silence(context);
      const promised = [...context.promised].map((file) => ({ file, changedMs: changedAt(file) }));
      const ended = this.date();
      await this.tracker.change(id, (old) => {
        if (!old) throw new Error(t("it has no manifest"));
        // What an earlier run of the same job left at that path proves nothing about this one.
        const made = promised.filter((one) => isSince(one.changedMs, Date.parse(old.job.started)));
        const manifest = made.reduce((sum, { file }) => withEntry(sum, "files", this.finalEntry(id, file)), old);
        const said = error === undefined ? undefined : messageOf(error).slice(0, 2000);
        const { ended: _ended, error: _error, ...job } = manifest.job;
        return {
          ...manifest,
          job: { ...job, state, ended, ...(said !== undefined && { error: said }) },
          files: manifest.files.map((entry) => measured(this.root, entry)),
        };
      });
    } catch (problem) {
      this.logger.error(t("Job {0}: its end could not be noted, so its files are kept: {1}", id, messageOf(problem)), { job: id });
      return { ...NOTHING_CLEANED, errors: [{ path: "", message: messageOf(problem) }] };
    } finally {
      this.running.get(id)?.lease[Symbol.dispose]();
      this.running.delete(id);
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

  /** The last sign of life may not be later than the end, by whatever clock: that would look like a job that runs once more. */
  private async silence({ id }: OpenJob): Promise<void> {
    const known = this.running.get(id);
    if (!known) return;
    known.lease[Symbol.dispose]();
    const [{ heartbeatFile }, { directory }] = [await loadEngine(), await this.tracker.place()];
    fs.rmSync(heartbeatFile(directory, id), { force: true });
  }

  private finalEntry(id: string, file: string): ManifestEntry {
    return { path: this.tracker.relative(file), kind: this.guess(id, file).kind, role: "final", added: this.date() };
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
      const message = messageOf(error);
      if (error instanceof Held) this.letGo(context, error);
      if (!context.tracked) context.problem = message;
      this.logger.error(t("Job {0}: {1}; {2}", context.id, message, fateOf(context, error)), { job: context.id });
    }
  }

  private date(): string {
    return new Date((this.options.now ?? Date.now)()).toISOString();
  }
}

/** What becomes of the files of a job of which something could not be noted. */
function fateOf(context: OpenJob, error: unknown): string {
  if (error instanceof Held) return t("files in its directories go or stay with that one");
  if (context.tracked || context.guarded) return t("its files are kept");
  return t("its files are kept only if no earlier run of the same job succeeded");
}

/** Another process is at work on the job. */
class Held extends Error {}

/** A final as it was when the job ended: from then on it proves the job only with this size. */
function measured(root: string, entry: ManifestEntry): ManifestEntry {
  if (entry.role !== "final") return entry;
  const stat = fs.lstatSync(path.join(root, entry.path), { throwIfNoEntry: false });
  return stat?.isFile() ? { ...entry, bytes: stat.size } : entry;
}
