/** Where jobs put their files (S2.3): the layout of the preset `job-manifests`, and which kinds of file a type of job has. */
import path from "node:path";
import { isSafeId } from "../core/config/template.ts";

export interface Layout {
  /** The directory that has one directory per job, relative to the root. */
  readonly jobs: string;
  /** Kinds of temporary files: each has a directory of its own name below that of the job. */
  readonly temporary: readonly string[];
  /** Kinds of finals, and the flat directory where each lies, relative to the root. */
  readonly finals: Readonly<Record<string, string>>;
}

export const LAYOUT: Layout = {
  jobs: "output/jobs",
  temporary: ["slides", "expressions", "subtitles", "videos"],
  finals: { long_form: "output/long_form", short_form: "output/short_form" },
};

/** Which kinds a type of job needs. */
export type JobTypes = Readonly<Record<string, readonly string[]>>;

export const JOB_TYPES: JobTypes = {
  full: ["slides", "expressions", "subtitles", "videos", "long_form", "short_form"],
  long_form: ["slides", "expressions", "subtitles", "videos", "long_form"],
  short_form: ["slides", "expressions", "subtitles", "videos", "short_form"],
  expressions: ["expressions", "subtitles"],
  subtitles: ["subtitles"],
};

export type JobStatus = "processing" | "completed" | "failed";

export const STATUSES: readonly JobStatus[] = ["processing", "completed", "failed"];

/** Throws a TypeError for what is no id (R6), and for one whose directory could be taken for the mark of another job. */
export function checkJobId(jobId: unknown): asserts jobId is string {
  if (typeof jobId !== "string" || !isSafeId(jobId))
    throw new TypeError(`${JSON.stringify(jobId)} is no job id: up to 128 letters, digits, ".", "_" and "-", a letter or digit first`);
  const status = STATUSES.find((one) => jobId.endsWith(`_${one}`));
  if (status !== undefined) throw new TypeError(`${jobId} is no job id: "_${status}" at the end marks the status of a job`);
}

/** Throws a TypeError for a name that would lead out of its directory (R6). */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== "string" || !isSafeName(name)) throw new TypeError(`${JSON.stringify(name)} is no file name`);
}

/** A plain name of one file, in any script. */
function isSafeName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  return name !== "" && name.length <= 255 && !name.startsWith(".") && !/[/\\\x00-\x1f]/.test(name) && !/\p{Surrogate}/u.test(name);
}

/** Throws a TypeError when a layout could lead out of the root or mix temporary files with finals (P10). */
export function checkLayout(layout: Layout, types: JobTypes): void {
  const directories = [layout.jobs, ...Object.values(layout.finals)];
  for (const directory of directories) {
    const parts = directory.split("/");
    if (path.isAbsolute(directory) || parts.some((part) => part === "" || part === "." || part === ".." || /[\\{}*\0]/.test(part)))
      throw new TypeError(`the layout has the directory ${JSON.stringify(directory)}: write a plain path relative to the root`);
  }
  for (const kind of layout.temporary)
    if (!isSafeId(kind)) throw new TypeError(`the layout has the kind ${JSON.stringify(kind)}, which cannot be the name of a directory`);
  const mixed = Object.values(layout.finals).find(
    (final) => final === layout.jobs || final.startsWith(`${layout.jobs}/`) || layout.jobs.startsWith(`${final}/`),
  );
  if (mixed !== undefined) throw new TypeError(`the layout has finals in ${mixed} and jobs in ${layout.jobs}: keep them apart`);
  const kinds = [...layout.temporary, ...Object.keys(layout.finals)];
  for (const [type, needed] of Object.entries(types)) {
    const foreign = needed.find((kind) => !kinds.includes(kind));
    if (foreign !== undefined)
      throw new TypeError(`the job type ${type} needs ${JSON.stringify(foreign)}; the layout has ${kinds.join(", ")}`);
  }
}
