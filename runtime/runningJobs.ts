/**
 * The jobs that a manager runs, and their signs of life. Invariants: a sign is given for one's own run only; the sign of a start that
 * somebody could not note is never overwritten or removed by anybody else, because it is all that keeps the files of that start.
 */
import fs from "node:fs";
import { t } from "@vscode/l10n";
import type { Heartbeat } from "../core/jobs/lease.ts";
import type { Manifest } from "../core/jobs/manifest.ts";
import type * as Engine from "./engine.ts";
import { Ended, Held } from "./held.ts";
import type { OpenJob } from "./jobContext.ts";
import { type Logger, messageOf } from "./logger.ts";
import type { Place } from "./place.ts";

interface Heart extends Disposable {
  readonly directory: string;
  /** It says that the start is not noted. */
  readonly isGuard: boolean;
}

/** Signs of life in one lease. */
const BEATS = 4;

export class RunningJobs implements Disposable {
  private readonly logger: Logger;
  private readonly jobs = new Map<string, { readonly context: OpenJob; readonly heart: Heart | undefined }>();

  constructor(logger: Logger) {
    this.logger = logger;
  }

  contextOf(id: string): OpenJob | undefined {
    return this.jobs.get(id)?.context;
  }

  has(context: OpenJob): boolean {
    return this.contextOf(context.id) === context;
  }

  /** From now on this is the context of the job. */
  enter(context: OpenJob): void {
    if (!this.has(context)) this.put(context, undefined);
  }

  /**
   * Before anything waits for a lock or for space: an earlier run of the same job may have ended, and only a sign of life keeps what
   * this one makes from going with it. Throws {@link Held} for a job that somebody else runs, which has signs enough.
   */
  guard(context: OpenJob, engine: typeof Engine, place: Place, date: string): void {
    const { id } = context;
    const { directory } = place;
    const { heart } = this.jobs.get(id) ?? {};
    if (this.has(context) && heart?.directory === directory && heart.isGuard) return;
    let old: Manifest | undefined;
    try {
      old = engine.readManifest(directory, id)?.manifest;
    } catch {
      // Who writes the manifest is told why it cannot be read.
    }
    const sign = engine.readHeartbeat(directory, id);
    const holder = old && engine.whoElse(old, sign, context.options.resume === true);
    if (holder !== undefined) throw new Held(holder);
    const since = context.begun?.since ?? date;
    context.begun = { since, lease: old?.lease, sign };
    let told = false;
    const onError = (error: unknown): void => {
      context.guarded = false;
      // Without the directory no manifest says anything of the job either.
      if (!told && (error as NodeJS.ErrnoException).code !== "ENOENT") this.complain(id, error);
      told = true;
    };
    context.guarded = true;
    this.removeSign(context, engine);
    this.put(context, {
      ...engine.startHeartbeat(directory, id, beatMs(place), { onError, notNotedSince: since }),
      directory,
      isGuard: true,
    });
  }

  /** The manifest says that it runs: signs of life until it does not any more, or names another run. */
  keepAlive(context: OpenJob, engine: typeof Engine, place: Place): void {
    const { id } = context;
    const { directory } = place;
    let told = false;
    const onError = (error: unknown): void => {
      if (!told) this.complain(id, error);
      told = true;
    };
    let isOver = false;
    const isWanted = (): boolean => {
      const found = engine.readManifest(directory, id);
      if (!found) return false; // Without its manifest a job has no sign to give.
      if (found.manifest && this.isGivenUp(context, found.manifest, engine)) return true;
      isOver ||= found.manifest !== undefined && !this.isStill(context, found.manifest, engine);
      if (isOver) return false;
      return !isForeign(found.heartbeat, context) || !isFresh(found.heartbeat, place);
    };
    if (this.jobs.get(id)?.heart?.directory !== directory) this.removeSign(context, engine);
    const heart = engine.startHeartbeat(directory, id, beatMs(place), { onError, isWanted });
    if (isOver) heart[Symbol.dispose]();
    else this.put(context, { ...heart, directory, isGuard: false });
  }

  /** People took it for dead, and it is not: its next sign says so, and then nobody cleans what it has (R39). */
  private isGivenUp(context: OpenJob, manifest: Manifest, engine: typeof Engine): boolean {
    if (manifest.job.abandoned !== true || !(whyNot(context, manifest, engine) instanceof Ended)) return false;
    if (context.problem === undefined) {
      context.problem = t("somebody said that it is over, and it is not; its files are kept");
      this.logger.warn(t("Job {0}: {1}", context.id, context.problem), { job: context.id });
    }
    return true;
  }

  /** Whether the manifest still has the run of this context as running. If not, the context is told. */
  isStill(context: OpenJob, manifest: Manifest, engine: typeof Engine): boolean {
    const problem = whyNot(context, manifest, engine);
    if (!problem) return true;
    this.logger[problem instanceof Ended ? "info" : "warn"](t("Job {0}: {1}", context.id, problem.message), { job: context.id });
    this.letGo(context, problem, engine);
    return false;
  }

  /** Its run is over, or the job is somebody else's, whose signs of life are theirs. */
  letGo(context: OpenJob, problem: Held | Ended, engine: typeof Engine): void {
    if (problem instanceof Ended) context.state = problem.state;
    else {
      context.tracked = false;
      context.problem = problem.message;
    }
    this.removeSign(context, engine);
    this.leave(context);
  }

  /** No signs of life any more. */
  leave(context: OpenJob): void {
    context.guarded = false;
    if (!this.has(context)) return;
    this.jobs.get(context.id)?.heart?.[Symbol.dispose]();
    this.jobs.delete(context.id);
  }

  /** Jobs that still run are left to their lease. */
  [Symbol.dispose](): void {
    for (const { heart } of this.jobs.values()) heart?.[Symbol.dispose]();
    this.jobs.clear();
  }

  private put(context: OpenJob, heart: Heart | undefined): void {
    this.jobs.get(context.id)?.heart?.[Symbol.dispose]();
    this.jobs.set(context.id, { context, heart });
  }

  /** The sign of this context's start: where that is noted, or is none any more, it would say that somebody else began. */
  private removeSign(context: OpenJob, engine: typeof Engine): void {
    const directory = this.has(context) ? this.jobs.get(context.id)?.heart?.directory : undefined;
    if (directory === undefined || !context.begun) return;
    try {
      if (engine.readHeartbeat(directory, context.id)?.notNotedSince === context.begun.since)
        fs.rmSync(engine.heartbeatFile(directory, context.id), { force: true });
    } catch (error) {
      this.complain(context.id, error);
    }
  }

  private complain(id: string, error: unknown): void {
    this.logger.warn(t("Job {0}: its sign of life cannot be written: {1}", id, messageOf(error)), { job: id });
  }
}

/** Undefined when the manifest has the run of this context as running. */
export function whyNot({ noted }: OpenJob, manifest: Manifest, engine: typeof Engine): Held | Ended | undefined {
  const { state, started } = manifest.job;
  if (noted && !engine.isRunOf(manifest, noted.run)) return new Held(t("another run of it began at {0}", started));
  return state === "running" ? undefined : new Ended(state, t("it ended already"));
}

/** The last sign of life of the one whom the manifest names: this context's own beats may have replaced it. */
export function signOfHolder({ id, begun }: OpenJob, manifest: Manifest, directory: string, engine: typeof Engine): Heartbeat | undefined {
  const sign = engine.readHeartbeat(directory, id);
  const isOwn = begun !== undefined && sign?.notNotedSince === begun.since;
  // Who has taken the job over meanwhile may live; with one's own fresh sign it counts as alive.
  return isOwn && JSON.stringify(begun.lease) === JSON.stringify(manifest.lease) ? begun.sign : sign;
}

/** The last sign of life may not be later than the end, by whatever clock: that would look like a job that runs once more. */
export function silence(context: OpenJob, directory: string, engine: typeof Engine): void {
  if (!isForeign(engine.readHeartbeat(directory, context.id), context))
    fs.rmSync(engine.heartbeatFile(directory, context.id), { force: true });
}

/** Of somebody who began and could not note it. */
function isForeign(sign: Heartbeat | undefined, { begun }: OpenJob): boolean {
  return sign?.notNotedSince !== undefined && sign.notNotedSince !== begun?.since;
}

function isFresh(sign: Heartbeat | undefined, { leaseMs }: Place): boolean {
  return sign !== undefined && Math.abs(Date.now() - Date.parse(sign.at)) <= leaseMs;
}

function beatMs({ leaseMs }: Place): number {
  return Math.max(1, Math.floor(leaseMs / BEATS));
}
