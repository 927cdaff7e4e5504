/** One job, for the code that does its work. */
import fs from "node:fs";
import type { Heartbeat, Lease } from "../core/jobs/lease.ts";
import type { EntryRole } from "./manifestTracker.ts";
import type { CleanupResult } from "./result.ts";
import type { Run } from "./whoElse.ts";

export interface StartOptions {
  /** Whether the job makes a final that has to be verified before its temporary files go. Default: what its type says, else yes. */
  readonly makesFinal?: boolean;
  /**
   * Goes on with a job whose process is gone, instead of starting it anew. With it the caller also says that nobody is at work any
   * more where that cannot be seen from here, e.g. in a container that was replaced, once the lease is over.
   */
  readonly resume?: boolean;
}

/**
 * With `await using` a job that leaves its block without {@link complete} has failed. Functions throw a TypeError for names that may
 * not be part of a path and for kinds that the layout does not have; what cannot be noted is logged and keeps files.
 */
export interface JobContext extends AsyncDisposable {
  readonly id: string;
  readonly type: string;
  readonly state: "running" | "succeeded" | "failed";
  /**
   * Whether its files are on record: the manifest, where the settings say that it is, has this very run. If not, the work goes on, and
   * signs of life keep everything of it while it is tried again, unless somebody else has the job.
   */
  readonly tracked: boolean;
  /** Why it is not tracked, e.g. another process that is at work on the same job, or another run of it that began since. */
  readonly problem: string | undefined;
  /** Absolute path of the job's directory for a kind of file, made when it was not there; without a kind the job's own. */
  directory(kind?: string): string;
  /** Absolute path for a final. What is there when the job completes is a final of it, without {@link addFile}. */
  finalPath(kind: string, name: string): string;
  /** Notes a file, absolute or relative to the root. Kind and role are known by the directory that it lies in, unless told. */
  addFile(file: string, kind?: string, role?: EntryRole): Promise<void>;
  /** Notes a directory with everything in it. */
  addDirectory(directory: string, kind?: string, role?: EntryRole): Promise<void>;
  /**
   * The job is done: its temporary files may go, now or when the policy says so. Nothing happens but an error in the result while
   * another process is at work on the job, and when another run of it began.
   */
  complete(): Promise<CleanupResult>;
  /** The job failed: its files are kept for debugging, unless the policy says otherwise. */
  fail(error?: unknown): Promise<CleanupResult>;
}

/** What a context asks of its manager. */
export interface JobWork {
  pathOf(kind: string | undefined): string;
  finalPathOf(kind: string, name: string): string;
  promise(context: OpenJob, file: string): Promise<void>;
  add(context: OpenJob, list: "files" | "directories", file: string, kind: string | undefined, role: EntryRole | undefined): Promise<void>;
  end(context: OpenJob, success: boolean, error: unknown): Promise<CleanupResult>;
  /** The block of the context was left without an end. */
  leave(context: OpenJob): Promise<void>;
  /** A directory could not be made. */
  complain(error: unknown): void;
}

export class OpenJob implements JobContext {
  readonly id: string;
  readonly type: string;
  state: JobContext["state"];
  tracked = false;
  problem: string | undefined;
  /** Signs of life say that it runs, because its manifest could not. */
  guarded = false;
  /** Whether it is not tracked only because nobody can tell where the manifests are. */
  isPlaceUnknown = false;
  /** Which run of the job this is, and in which directory it is noted. It stays when the run is over: that one never begins again. */
  noted: { readonly run: Run; readonly directory: string } | undefined;
  /** Its first sign of life as long as it is not noted, and whose the job was before, with the last sign of that one. */
  begun: { readonly since: string; readonly lease: Lease | undefined; readonly sign: Heartbeat | undefined } | undefined;
  /** Finals that somebody asked the path of, absolute. */
  readonly promised = new Set<string>();
  /** How it was started, for another try. */
  readonly options: StartOptions;
  private readonly work: JobWork;
  private isEnding = false;

  constructor(id: string, type: string, state: JobContext["state"], options: StartOptions, work: JobWork) {
    this.options = options;
    this.id = id;
    this.type = type;
    this.state = state;
    this.work = work;
  }

  directory(kind?: string): string {
    const directory = this.work.pathOf(kind);
    try {
      fs.mkdirSync(directory, { recursive: true });
    } catch (error) {
      this.work.complain(error);
    }
    return directory;
  }

  finalPath(kind: string, name: string): string {
    const file = this.work.finalPathOf(kind, name);
    this.promised.add(file);
    void this.work.promise(this, file);
    return file;
  }

  async addFile(file: string, kind?: string, role?: EntryRole): Promise<void> {
    await this.work.add(this, "files", file, kind, role);
  }

  async addDirectory(directory: string, kind?: string, role?: EntryRole): Promise<void> {
    await this.work.add(this, "directories", directory, kind, role);
  }

  async complete(): Promise<CleanupResult> {
    this.isEnding = true;
    return this.work.end(this, true, undefined);
  }

  async fail(error?: unknown): Promise<CleanupResult> {
    this.isEnding = true;
    return this.work.end(this, false, error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isEnding && this.state === "running") await this.work.leave(this);
  }
}
