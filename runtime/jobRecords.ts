/** Keeps the jobs that a manager runs on record: which run it is, that it is noted where the settings say, what it has made. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Manifest, ManifestEntry } from "../core/jobs/manifest.ts";
import { changedAt } from "./changed.ts";
import type { DirectoryManager } from "./directoryManager.ts";
import type * as Engine from "./engine.ts";
import { Ended, Held } from "./held.ts";
import type { JobContext, OpenJob } from "./jobContext.ts";
import { addition, beginning, ending } from "./jobNotes.ts";
import { loadEngine } from "./load.ts";
import { type Logger, messageOf } from "./logger.ts";
import { type EntryRole, type ManifestTracker, PlaceUnknown, withEntry } from "./manifestTracker.ts";
import type { Place } from "./place.ts";
import { RunningJobs, whyNot } from "./runningJobs.ts";

export interface RecordsOptions {
  readonly tracker: ManifestTracker;
  readonly directories: DirectoryManager;
  readonly logger: Logger;
  readonly now: () => number;
  /** The start of a job is noted that could not be noted when it began. */
  readonly onNoted: (context: OpenJob) => Promise<void>;
}

/** What somebody wants to note of a file or directory. Kind and role are known by where it lies, unless told. */
export interface Addition {
  readonly path: string;
  readonly kind: string | undefined;
  readonly role: EntryRole | undefined;
}

/** Between two looks at whether a job that runs is on record. */
const LOOK_MS = 1000;

export class JobRecords implements Disposable {
  private readonly options: RecordsOptions;
  private readonly running: RunningJobs;
  private readonly notes = new Map<OpenJob, Promise<void>>();
  private readonly looks = new WeakMap<OpenJob, NodeJS.Timeout>();
  private isCompared = false;

  constructor(options: RecordsOptions) {
    this.options = options;
    this.running = new RunningJobs(options.logger);
  }

  /** The context of a job that runs here, as far as anybody here knows. */
  contextOf(id: string): OpenJob | undefined {
    return this.running.contextOf(id);
  }

  /** From now on this is the context of the job. Throws when it cannot be noted; then it is tried again as long as it runs. */
  async enter(context: OpenJob): Promise<void> {
    this.running.enter(context);
    try {
      await this.record(context);
    } finally {
      this.lookAgain(context);
    }
  }

  /** Jobs that still run are left to their lease. */
  [Symbol.dispose](): void {
    this.running[Symbol.dispose]();
  }

  /** By its manifest: another manager of this process, or another process, may have ended the run, or begun another one. */
  async stillRuns(context: OpenJob): Promise<boolean> {
    const { id, noted } = context;
    if (!noted) return true; // It is still to be noted.
    try {
      const engine = await loadEngine();
      const { directory } = await this.options.tracker.place();
      if (directory !== noted.directory) return true; // It is to be noted there.
      const found = engine.readManifest(directory, id);
      if (found) return !found.manifest || this.running.isStill(context, found.manifest, engine);
      const problem = new Held(t("it has no manifest any more"));
      this.options.logger.warn(t("Job {0}: {1}", id, problem.message), { job: id });
      this.running.letGo(context, problem, engine);
      return false;
    } catch {
      return context.state === "running"; // What cannot be read says nothing new.
    }
  }

  /** Makes the context that of the run in the manifest. Undefined when the job has none. */
  async adopt(id: string, open: (job: Manifest["job"]) => OpenJob): Promise<OpenJob | undefined> {
    const found = await this.options.tracker.look(id);
    if (!found) return undefined;
    const { manifest, directory } = found;
    const context = open(manifest.job);
    context.noted = { run: { started: manifest.job.started, lease: manifest.lease }, directory };
    const engine = await loadEngine();
    context.problem = engine.whoElse(manifest, engine.readHeartbeat(directory, id), true);
    context.tracked = context.problem === undefined;
    return context;
  }

  /** Throws when it cannot be noted. After a restart the job is this process's from then on. */
  async add(context: OpenJob, list: "files" | "directories", { path: file, kind, role }: Addition): Promise<void> {
    const { tracker, directories } = this.options;
    const place = await this.record(context);
    const guessed = kindOf(directories, context.id, file);
    const entry = {
      path: file,
      kind: kind ?? guessed.kind,
      role: role ?? (kind !== undefined && directories.isFinal(kind) ? "final" : guessed.role),
    };
    const engine = await loadEngine();
    await tracker.addEntry(context.id, list, entry, addition(context, engine, place, file), place);
    this.hold(context, engine, place);
  }

  /**
   * Notes that there may be a final at this path, so that whoever ends the job knows of it. The context remembers it, too: what stands
   * in the way is told when something is added or the job ends.
   */
  async promise(context: OpenJob, file: string): Promise<void> {
    try {
      if (!context.tracked || context.state !== "running") return;
      const [engine, place] = [await loadEngine(), await this.options.tracker.place()];
      if (context.noted?.directory !== place.directory) return;
      const entry = this.finalOf(context, file);
      const allowed = addition(context, engine, place, file);
      await this.options.tracker.change(place.directory, context.id, (old) => {
        const manifest = allowed(old);
        const isKnown = [...manifest.files, ...manifest.directories].some((one) => one.path === entry.path);
        return isKnown ? manifest : withEntry(manifest, "files", { ...entry, bytes: 0 });
      });
      this.hold(context, engine, place);
    } catch {
      // As said: nobody waits for this, and nothing is lost with it.
    }
  }

  /**
   * Notes the end and returns the state that the job has then; undefined when it ended before and nothing of it is left. Throws when it
   * cannot be noted.
   */
  async end(
    context: OpenJob,
    end: { readonly state: "succeeded" | "failed"; readonly wasRunning: boolean; readonly onlyRunning: boolean; readonly error: unknown },
  ): Promise<JobContext["state"] | undefined> {
    const { tracker } = this.options;
    let state: JobContext["state"] = end.state;
    try {
      const engine = await loadEngine();
      const place = await this.record(context);
      if ((!end.wasRunning || end.onlyRunning) && !engine.readManifest(place.directory, context.id)) return undefined;
      const promised = [...context.promised].map((file) => ({ entry: this.finalOf(context, file), changedMs: changedAt(file) }));
      const change = ending(context, engine, place, { ...end, root: tracker.root, promised, date: () => this.date() });
      this.running.leave(context);
      await tracker.change(place.directory, context.id, (old) => {
        const manifest = change(old);
        state = manifest.job.state;
        return manifest;
      });
      return state;
    } finally {
      this.running.leave(context);
    }
  }

  /** What a failure says of the context. */
  async learn(context: OpenJob, error: unknown): Promise<void> {
    if (error instanceof Held || error instanceof Ended) return this.running.letGo(context, error, await loadEngine());
    if (error instanceof PlaceUnknown && context.tracked) {
      context.tracked = false;
      context.isPlaceUnknown = true;
    }
    if (!context.tracked) context.problem = messageOf(error);
  }

  /** Sees to it that its run is noted where the settings say now, and returns where that is. Throws when it cannot be. */
  private async record(context: OpenJob): Promise<Place> {
    const place = await this.place(context);
    if (context.noted?.directory !== place.directory) await this.begin(context);
    if (context.isPlaceUnknown) {
      context.isPlaceUnknown = false;
      context.tracked = true;
      context.problem = undefined;
    }
    return place;
  }

  /** While nobody can tell where the manifests are, a sign of life lies where they probably are. */
  private async place(context: OpenJob): Promise<Place> {
    const { tracker } = this.options;
    try {
      return await tracker.place();
    } catch (error) {
      if (error instanceof PlaceUnknown && !context.noted && this.running.has(context))
        try {
          this.running.guard(context, await loadEngine(), tracker.guessPlace(), this.date());
        } catch (problem) {
          if (!(problem instanceof Held)) throw problem; // Whether it is held is to be seen in the right place.
        }
      throw error;
    }
  }

  /** Several who find a job that is not noted wait for one note. */
  private async begin(context: OpenJob): Promise<void> {
    let note = this.notes.get(context);
    if (!note) {
      note = this.note(context).finally(() => this.notes.delete(context));
      this.notes.set(context, note);
    }
    await note;
  }

  private async note(context: OpenJob): Promise<void> {
    const { id, type, noted } = context;
    const { tracker, directories } = this.options;
    const engine = await loadEngine();
    const place = await tracker.place();
    // Where the settings have moved, the manifest comes along.
    const moved = noted && engine.readManifest(noted.directory, id)?.manifest;
    const problem = moved && whyNot(context, moved, engine);
    if (problem) throw problem;
    this.running.guard(context, engine, place, this.date());
    this.compareLayout(engine);
    const kinds = Object.keys(directories.getSimplifiedStructure(type));
    const own = kinds.filter((kind) => !directories.isFinal(kind));
    const note = beginning(context, engine, place, {
      root: tracker.root,
      nowMs: this.options.now(),
      makesFinal: kinds.length === 0 || own.length < kinds.length,
      directories: own.map((kind) => ({ path: tracker.relative(directories.directoryOf(id, kind)), kind })),
      moved,
    });
    await tracker.change(place.directory, id, note.change);
    context.noted = { run: note.run(), directory: place.directory };
    this.keepAlive(context, engine, place);
    if (noted && moved) await removeMoved(noted.directory, id, moved, engine);
  }

  /** Said once: what the file of the root says of other directories than those of the layout cleans nothing of these jobs. */
  private compareLayout(engine: typeof Engine): void {
    if (this.isCompared) return;
    this.isCompared = true;
    const { logger, directories } = this.options;
    const { root, layout } = directories;
    try {
      for (const problem of engine.layoutProblems(engine.configOf(root, layout), layout)) logger.warn(problem, { root });
    } catch {
      // A configuration that cannot be read is told by whoever needs it.
    }
  }

  /** As long as it runs here: its start is noted where it could not be, and once more where the settings name another place. */
  private lookAgain(context: OpenJob): void {
    const { id } = context;
    const isAtWork = (): boolean => context.state === "running" && this.running.has(context);
    const look = async (): Promise<void> => {
      if (!isAtWork()) return;
      const { tracked } = context;
      try {
        const { directory } = await this.record(context);
        if (!fs.existsSync((await loadEngine()).manifestFile(directory, id))) await this.stillRuns(context);
        if (!tracked && context.tracked) {
          this.options.logger.info(t("Job {0}: its start is noted now", id), { job: id });
          if (isAtWork()) await this.options.onNoted(context);
        }
      } catch (error) {
        await this.learn(context, error);
        if (tracked !== context.tracked || error instanceof Held)
          this.options.logger.warn(t("Job {0}: {1}", id, messageOf(error)), { job: id });
      }
      this.lookAgain(context);
    };
    clearTimeout(this.looks.get(context));
    if (isAtWork()) this.looks.set(context, setTimeout(() => void look(), LOOK_MS).unref());
  }

  private hold(context: OpenJob, engine: typeof Engine, place: Place): void {
    if (this.running.has(context) || context.state !== "running") return;
    this.keepAlive(context, engine, place);
    this.lookAgain(context);
  }

  private keepAlive(context: OpenJob, engine: typeof Engine, place: Place): void {
    context.tracked = true;
    context.problem = undefined;
    this.running.keepAlive(context, engine, place);
  }

  private finalOf({ id }: OpenJob, file: string): ManifestEntry {
    const { tracker, directories } = this.options;
    return { path: tracker.relative(file), kind: kindOf(directories, id, file).kind, role: "final", added: this.date() };
  }

  private date(): string {
    return new Date(this.options.now()).toISOString();
  }
}

/** The kind by the directory that the file lies in. */
function kindOf(directories: DirectoryManager, id: string, file: string): { readonly kind: string; readonly role: EntryRole } {
  const directory = path.dirname(path.resolve(directories.root, file));
  const { temporary, finals } = directories.layout;
  const within = (kind: string): boolean => `${directory}${path.sep}`.startsWith(`${directories.directoryOf(id, kind)}${path.sep}`);
  const final = Object.keys(finals).find(within);
  return final === undefined ? { kind: temporary.find(within) ?? "other", role: "temp" } : { kind: final, role: "final" };
}

/** Unless it is the same file by another way, which then has changed since. */
async function removeMoved(directory: string, id: string, moved: Manifest, engine: typeof Engine): Promise<void> {
  using _turn = await engine.lockManifests(directory, [id]);
  if (engine.readManifest(directory, id)?.manifest?.sequence === moved.sequence) engine.removeManifest(directory, id);
}
