/** The manifests of jobs (S2.2): which files and directories a job has made, on disk before anybody needs to know. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Manifest, ManifestEntry } from "../core/jobs/manifest.ts";
import type * as Engine from "./engine.ts";
import { checkJobId } from "./layout.ts";
import { loadEngine } from "./load.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";
import type { Place } from "./place.ts";

export interface TrackerOptions {
  /** The directory with `offcut.json`. */
  readonly root: string;
  /** The directory of the manifests. Default: `jobs.directory` of `offcut.json`, which is `.offcut/jobs`. */
  readonly directory?: string;
  /** How long a job counts as alive after its last sign of life. Default: `jobs.lease` of `offcut.json`, which is two minutes. */
  readonly leaseMs?: number;
  /** Default: `console`. */
  readonly logger?: Logger;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

export type EntryRole = ManifestEntry["role"];

/** How a manifest becomes another one. Throws when it cannot. */
export type Change = (old: Manifest | undefined) => Manifest;

/** Changes of one manifest that wait to be written together. */
interface Line {
  readonly directory: string;
  readonly id: string;
  readonly changes: Waiting[];
}

interface Waiting {
  readonly change: Change;
  readonly resolve: (manifest: Manifest) => void;
  readonly reject: (error: unknown) => void;
}

/** Nobody can tell where the manifests are, because the settings cannot be read. */
export class PlaceUnknown extends Error {}

const LEASE_MS = 120_000;

/** Functions throw a TypeError for an id that is none, and nothing else: what cannot be noted is logged, and its files are kept. */
export class ManifestTracker {
  /** Absolute. */
  readonly root: string;
  private readonly options: TrackerOptions;
  private readonly logger: Logger;
  private readonly waiting = new Map<string, Line>();
  private found: { readonly place: Place; readonly signature: string } | undefined;

  constructor(options: TrackerOptions) {
    const { leaseMs } = options;
    if (leaseMs !== undefined && !(Number.isSafeInteger(leaseMs) && leaseMs >= 1))
      throw new TypeError(`leaseMs is ${String(leaseMs)}; write whole milliseconds from 1`);
    this.root = path.resolve(options.root);
    this.options = options;
    this.logger = loggerOr(options.logger);
  }

  /** Makes the manifest of a job that begins now. One that is there keeps its files, and the job starts anew. */
  async createManifest(jobId: string, jobType: string, options: { readonly makesFinal?: boolean } = {}): Promise<Manifest | undefined> {
    checkJobId(jobId);
    return this.note(jobId, ({ beginAfter, myLease }, { leaseMs }) => (old) => ({
      ...startedAnew(old, this.root),
      job: { id: jobId, type: jobType, state: "running", started: beginAfter(old, this.now()) },
      lease: myLease(leaseMs),
      makesFinal: options.makesFinal ?? true,
    }));
  }

  /** `file` is absolute or relative to the root. Resolves when it is on the disk; several at once are one write. */
  async addFile(jobId: string, file: string, kind = "other", role: EntryRole = "temp"): Promise<void> {
    await this.add(jobId, "files", file, kind, role);
  }

  /** Everything in the directory belongs to the job. */
  async addDirectory(jobId: string, directory: string, kind = "other", role: EntryRole = "temp"): Promise<void> {
    await this.add(jobId, "directories", directory, kind, role);
  }

  /** Undefined when there is none, or when neither it nor its backup can be read, which is logged. */
  async getManifest(jobId: string): Promise<Manifest | undefined> {
    checkJobId(jobId);
    return (await this.look(jobId))?.manifest;
  }

  /** As {@link getManifest}, with the directory that it is in. */
  async look(jobId: string): Promise<{ readonly manifest: Manifest; readonly directory: string } | undefined> {
    try {
      const { directory } = await this.place();
      const found = (await loadEngine()).readManifest(directory, jobId);
      if (found?.problem) this.logger.warn(t("Job {0}: {1}", jobId, found.problem.message), { job: jobId });
      return found?.manifest && { manifest: found.manifest, directory };
    } catch (error) {
      this.complain(jobId, error);
      return undefined;
    }
  }

  /** Takes one path out. Returns whether it was in. The file itself stays. */
  async removeFromManifest(jobId: string, file: string): Promise<boolean> {
    checkJobId(jobId);
    let was = false;
    await this.note(jobId, () => (old) => {
      const relative = this.relative(file);
      if (!old) return missing();
      const without = (entries: readonly ManifestEntry[]): readonly ManifestEntry[] => entries.filter((entry) => entry.path !== relative);
      was = [...old.files, ...old.directories].some((entry) => entry.path === relative);
      return was ? { ...old, files: without(old.files), directories: without(old.directories) } : old;
    });
    return was;
  }

  /**
   * Where the manifests are, and how long leases last. The settings are looked at each time, because whoever cleans goes by what they
   * say then. Throws {@link PlaceUnknown} while they cannot be read: a manifest at the usual place may be one that nobody reads.
   */
  async place(): Promise<Place> {
    const { directory, leaseMs } = this.options;
    const { placeOf, settingsSignature } = await loadEngine();
    const signature = settingsSignature(this.root);
    if (this.found?.signature === signature) return this.found.place;
    let written: Place | undefined;
    try {
      written = placeOf(this.root);
    } catch (error) {
      if (directory === undefined) throw new PlaceUnknown(messageOf(error), { cause: error });
    }
    const place = {
      directory: directory === undefined && written ? written.directory : path.resolve(this.root, directory ?? ""),
      leaseMs: leaseMs ?? written?.leaseMs ?? LEASE_MS,
    };
    if (written) this.found = { place, signature };
    return place;
  }

  /** Where the manifests were when the settings could be read, else where they usually are. */
  guessPlace(): Place {
    return this.found?.place ?? { directory: path.join(this.root, ".offcut/jobs"), leaseMs: this.options.leaseMs ?? LEASE_MS };
  }

  /**
   * One change, with all that come in the same moment as one write. Rejects with the reason when it cannot be made. For the classes of
   * this library; a pipeline has the functions above.
   */
  async change(directory: string, jobId: string, change: Change): Promise<Manifest> {
    return new Promise((resolve, reject) => {
      const key = path.join(directory, jobId);
      const line = this.waiting.get(key);
      if (line) line.changes.push({ change, resolve, reject });
      else {
        const first = { directory, id: jobId, changes: [{ change, resolve, reject }] };
        this.waiting.set(key, first);
        void this.drain(key, first);
      }
    });
  }

  /** Resolves when nothing waits to be written any more. */
  async settle(): Promise<void> {
    while (this.waiting.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The path as a manifest has it. Throws when it is outside of the root. */
  relative(file: string): string {
    const absolute = path.resolve(this.root, file);
    const inside = [this.root, realOrSame(this.root)].map((root) => path.relative(root, absolute));
    const relative = inside.find((one) => one !== "" && one !== ".." && !one.startsWith(`..${path.sep}`) && !path.isAbsolute(one));
    if (relative === undefined) throw new Error(t("{0} is not below {1}, so it cannot be tracked", file, this.root));
    return relative.split(path.sep).join("/");
  }

  private async add(jobId: string, list: "files" | "directories", file: string, kind: string, role: EntryRole): Promise<void> {
    checkJobId(jobId);
    try {
      await this.addEntry(jobId, list, { path: file, kind, role });
    } catch (error) {
      this.complain(jobId, error);
    }
  }

  /** As {@link addFile}, and rejects with the reason. `prepare` is what becomes of the manifest before. */
  async addEntry(
    jobId: string,
    list: "files" | "directories",
    entry: Pick<ManifestEntry, "path" | "kind" | "role">,
    prepare: Change = (old) => old ?? missing(),
    place?: Place,
  ): Promise<Manifest> {
    const relative = this.relative(entry.path);
    const { refuseEntryPath, refuseManifestTree } = await loadEngine();
    const { directory, leaseMs } = place ?? (await this.place());
    // Asked here, so that one bad path does not take the others of the same moment with it.
    const refused = refuseEntryPath(relative) ?? refuseManifestTree({ root: this.root, jobs: { directory, leaseMs } }, relative);
    if (refused !== undefined) throw new Error(`${JSON.stringify(relative)} ${refused}`);
    if (typeof entry.kind !== "string" || entry.kind === "" || entry.kind.length > 256) throw new Error(t("its kind is no text"));
    const added = this.date();
    return this.change(directory, jobId, (old) => withEntry(prepare(old), list, { ...entry, path: relative, added }));
  }

  private async note(jobId: string, changeOf: (engine: typeof Engine, place: Place) => Change): Promise<Manifest | undefined> {
    try {
      const place = await this.place();
      return await this.change(place.directory, jobId, changeOf(await loadEngine(), place));
    } catch (error) {
      this.complain(jobId, error);
      return undefined;
    }
  }

  private complain(jobId: string, error: unknown): void {
    this.logger.error(t("Job {0}: {1}", jobId, messageOf(error)), { job: jobId });
  }

  private async drain(key: string, { directory, id, changes }: Line): Promise<void> {
    for (;;) {
      await Promise.resolve(); // What comes in the same moment comes along.
      const some = changes.splice(0);
      if (some.length === 0) break;
      await write(directory, id, some);
    }
    this.waiting.delete(key);
  }

  private now(): number {
    return (this.options.now ?? Date.now)();
  }

  private date(): string {
    return new Date(this.now()).toISOString();
  }
}

async function write(directory: string, id: string, changes: readonly Waiting[]): Promise<void> {
  const refused = new Map<Waiting, unknown>();
  try {
    const { updateManifest } = await loadEngine();
    const written = await updateManifest(directory, id, (old) => {
      let manifest = old;
      for (const one of changes)
        try {
          manifest = one.change(manifest);
        } catch (error) {
          refused.set(one, error);
        }
      if (!manifest) throw refused.values().next().value;
      return manifest;
    });
    for (const one of changes) if (!refused.has(one)) one.resolve(written);
  } catch (error) {
    for (const one of changes) if (!refused.has(one)) one.reject(error);
  }
  for (const [one, error] of refused) one.reject(error);
}

/** A job that starts once more keeps what is left of its earlier try: it is cleaned, or protected, with the rest. */
export function startedAnew(old: Manifest | undefined, root: string): Pick<Manifest, "schema" | "sequence" | "files" | "directories"> {
  const left = (entries: readonly ManifestEntry[]): readonly ManifestEntry[] =>
    entries.filter((entry) => fs.existsSync(path.join(root, entry.path))).map((entry) => (isPromise(entry) ? entry : withoutSize(entry)));
  return { schema: 1, sequence: old?.sequence ?? 0, files: left(old?.files ?? []), directories: left(old?.directories ?? []) };
}

function withoutSize({ bytes: _bytes, ...entry }: ManifestEntry): ManifestEntry {
  return entry;
}

/** A final that somebody asked the path of: until the job ends it counts as one that has nothing in it yet. */
export function isPromise({ role, bytes }: ManifestEntry): boolean {
  return role === "final" && bytes === 0;
}

/** A path stands in a manifest once; what was said of it last counts, but a final does not become temporary by the way (R28). */
export function withEntry(manifest: Manifest, list: "files" | "directories", entry: ManifestEntry): Manifest {
  const known = [...manifest.files, ...manifest.directories].find((one) => one.path === entry.path);
  if (known?.role === entry.role && known.kind === entry.kind && manifest[list].includes(known) && isPromise(known) === isPromise(entry))
    return manifest;
  if (known?.role === "final" && entry.role !== "final")
    throw new Error(t("{0} is a final of the job; take it out of the manifest before it becomes temporary", entry.path));
  const others = (entries: readonly ManifestEntry[]): readonly ManifestEntry[] => entries.filter((one) => one !== known);
  const changed = { ...manifest, files: others(manifest.files), directories: others(manifest.directories) };
  return { ...changed, [list]: [...changed[list], entry] };
}

function missing(): never {
  throw new Error(t("it has no manifest"));
}

function realOrSame(directory: string): string {
  try {
    return fs.realpathSync.native(directory);
  } catch {
    return directory; // Not there: then nothing is below it.
  }
}
