/** The directories of jobs (S2.3), and a mark beside each that says how the job stands (S2.6). */
import fs from "node:fs";
import path from "node:path";
import { createRetry } from "../core/reclaim/retry.ts";
import { checkJobId, checkLayout, checkName, JOB_TYPES, type JobStatus, type JobTypes, type Layout, LAYOUT, STATUSES } from "./layout.ts";

export interface DirectoryManagerOptions {
  /** The directory with `offcut.json`. */
  readonly root: string;
  /** Which kinds of file each type of job has. */
  readonly types?: JobTypes;
  readonly layout?: Layout;
}

export interface JobDirectories {
  /** The job's own directory, absolute. */
  readonly directory: string;
  /** Those that the type of job needs, absolute, by kind. */
  readonly kinds: Readonly<Record<string, string>>;
}

/** Functions throw a TypeError for ids and names that may not be part of a path, and the system's error when a directory cannot be made. */
export class DirectoryManager {
  /** Absolute. */
  readonly root: string;
  readonly layout: Layout;
  readonly types: JobTypes;

  constructor(options: DirectoryManagerOptions) {
    this.root = path.resolve(options.root);
    this.layout = options.layout ?? LAYOUT;
    this.types = options.types ?? JOB_TYPES;
    checkLayout(this.layout, this.types);
  }

  /** Whether files of this kind belong to this type of job. An unknown type needs nothing. */
  shouldCreateDirectory(jobType: string, kind: string): boolean {
    return Object.hasOwn(this.types, jobType) && (this.types[jobType]?.includes(kind) ?? false);
  }

  /** Makes the directories that the job needs, and no others (P1); those that exist stay as they are. */
  async createJobDirectories(jobId: string, jobType: string): Promise<JobDirectories> {
    const directory = this.jobDirectory(jobId);
    const needed = this.kinds().filter((kind) => this.shouldCreateDirectory(jobType, kind));
    const kinds = Object.fromEntries(needed.map((kind) => [kind, this.directoryOf(jobId, kind)]));
    for (const one of [directory, ...Object.values(kinds)]) await this.make(one);
    return { directory, kinds };
  }

  /** Where the files of a type of job lie, by kind, relative to the root, with `{job}` for the id (P4). */
  getSimplifiedStructure(jobType: string): Readonly<Record<string, string>> {
    const needed = this.kinds().filter((kind) => this.shouldCreateDirectory(jobType, kind));
    return Object.fromEntries(needed.map((kind) => [kind, this.layout.finals[kind] ?? `${this.layout.jobs}/{job}/${kind}`]));
  }

  /** Absolute path of the job's own directory, made or not. */
  jobDirectory(jobId: string): string {
    checkJobId(jobId);
    return path.join(this.root, this.layout.jobs, jobId);
  }

  /** Absolute path of the directory for a kind of file, made or not: of a final the flat one that all jobs share. */
  directoryOf(jobId: string, kind: string): string {
    const final = this.finalDirectory(kind);
    const directory = this.jobDirectory(jobId);
    if (final !== undefined) return final;
    if (!this.layout.temporary.includes(kind))
      throw new TypeError(`there is no kind ${JSON.stringify(kind)}; there are ${this.kinds().join(", ")}`);
    return path.join(directory, kind);
  }

  /** Absolute path of a final (P10). */
  finalPath(kind: string, name: string): string {
    const directory = this.finalDirectory(kind);
    if (directory === undefined)
      throw new TypeError(`${JSON.stringify(kind)} is no kind of final; there are ${Object.keys(this.layout.finals).join(", ") || "none"}`);
    checkName(name);
    return path.join(directory, name);
  }

  isFinal(kind: string): boolean {
    return this.finalDirectory(kind) !== undefined;
  }

  /** Makes one directory with those above it, but never the root: where a drive should be nothing is made (R76). */
  async make(directory: string): Promise<void> {
    if (!fs.statSync(this.root).isDirectory()) throw new Error(`${this.root} is not a directory`);
    await createRetry()(() => fs.promises.mkdir(directory, { recursive: true }));
  }

  /**
   * Marks how a job stands: an empty file beside its directory, `<id>_processing`, `<id>_completed` or `<id>_failed`. One mark
   * becomes the other in one step, and the directory itself keeps its name, because somebody may be at work in it.
   */
  async setStatus(jobId: string, status: JobStatus): Promise<void> {
    await this.make(path.join(this.root, this.layout.jobs));
    const wanted = this.mark(jobId, status);
    if (!isMark(wanted) && fs.lstatSync(wanted, { throwIfNoEntry: false }))
      throw new Error(`${wanted} is there already and no mark of a job`);
    const [first, ...others] = STATUSES.map((one) => this.mark(jobId, one)).filter((mark) => mark !== wanted && isMark(mark));
    await createRetry()(async () => {
      if (first !== undefined) await fs.promises.rename(first, wanted);
      else await fs.promises.writeFile(wanted, "", { flag: "a" });
      for (const other of others) await fs.promises.rename(other, wanted);
    });
  }

  /** The last word where a crash left two. */
  getStatus(jobId: string): JobStatus | undefined {
    checkJobId(jobId);
    return STATUSES.findLast((status) => isMark(this.mark(jobId, status)));
  }

  private mark(jobId: string, status: JobStatus): string {
    return `${this.jobDirectory(jobId)}_${status}`;
  }

  private finalDirectory(kind: string): string | undefined {
    const relative = Object.hasOwn(this.layout.finals, kind) ? this.layout.finals[kind] : undefined;
    return relative === undefined ? undefined : path.join(this.root, relative);
  }

  private kinds(): readonly string[] {
    return [...this.layout.temporary, ...Object.keys(this.layout.finals)];
  }
}

/** An empty file: anything else that has the name is somebody's and is left alone. */
function isMark(file: string): boolean {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  return stat !== undefined && stat.isFile() && stat.size === 0;
}
