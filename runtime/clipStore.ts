/** A directory of temporary clips, one per event, that stays within limits of age and size (S4). */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { homeDirectory } from "../core/homeDirectory.ts";
import { isSafeId, parseTemplate, TemplateError } from "../core/config/template.ts";
import { parseSize } from "../core/config/units.ts";
import type { ClipLimits } from "./configOf.ts";
import { loadEngine } from "./load.ts";
import { type Logger, loggerOr, messageOf } from "./logger.ts";

export interface ClipStoreOptions {
  /** The directory that holds `{eventId}.mp4`: a real one, no link, with a plain name. */
  readonly directory: string;
  /**
   * The directory whose `.offcut` keeps the journal, above that of the clips and on the same filesystem; neither `/` nor a home directory.
   * Default: the working directory when the clips are below it and it may be one, else the directory that holds theirs.
   */
  readonly root?: string;
  /** Default 1. */
  readonly maxAgeHours?: number;
  /** Bytes, or text such as `"1GB"`, which is the default. */
  readonly maxBytes?: string | number;
  /** At most so much is left when the store was too large. Default `"900MB"`, or nine tenths of `maxBytes`. */
  readonly targetBytes?: string | number;
  /** How often the background looks. Default 15; 0 is never. */
  readonly everyMinutes?: number;
  /** Default: `console`. */
  readonly logger?: Logger;
  /** Ends the background and whatever it does. */
  readonly signal?: AbortSignal;
  /** Default: `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

const MINUTE = 60_000;
/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Waiting {
  readonly id: string;
  readonly resolve: (deleted: boolean) => void;
}

/**
 * Makes the directory, clears what is stale, and goes on doing so in the background until it is closed. The constructor throws a
 * TypeError for limits and directories that cannot be, {@link cleanupClip} one for an id that is none; nothing else throws.
 */
export class ClipStore implements AsyncDisposable {
  /** Absolute. */
  readonly directory: string;
  /** Absolute. */
  readonly root: string;
  /** Resolves when the directory is there and stale clips are gone, or it is told why not. Never rejects. */
  readonly ready: Promise<void>;
  private readonly options: ClipStoreOptions;
  private readonly limits: ClipLimits;
  private readonly logger: Logger;
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<number> | undefined;
  private waiting: Waiting[] = [];
  private deleting: Promise<void> | undefined;

  constructor(options: ClipStoreOptions) {
    this.options = options;
    this.logger = loggerOr(options.logger);
    this.directory = path.resolve(options.directory);
    this.root = path.resolve(options.root ?? rootOf(this.directory));
    if (!isBelow(this.directory, this.root)) throw new TypeError(`the clips in ${this.directory} are not below ${this.root}`);
    checkPlain(this.directory, this.root);
    const everyMs = hoursOrMinutes(options.everyMinutes ?? 15, "everyMinutes", 0) * MINUTE;
    this.limits = { directory: this.directory, every: `${Math.max(1000, Math.round(everyMs))}ms`, ...readLimits(options) };
    this.ready = this.start(everyMs);
  }

  /** A store whose directory is there and whose stale clips are gone. An error there is logged and does not fail the start. */
  static async open(options: ClipStoreOptions): Promise<ClipStore> {
    const store = new ClipStore(options);
    await store.ready;
    return store;
  }

  /** Deletes the clip of one event, whatever its age: true when it is deleted now, false when it was not there or could not go. */
  async cleanupClip(eventId: string): Promise<boolean> {
    if (typeof eventId !== "string" || !isSafeId(eventId))
      throw new TypeError(
        `${JSON.stringify(eventId)} is no id of an event: up to 128 letters, digits, ".", "_" and "-", a letter or digit first`,
      );
    if (!isThere(path.join(this.directory, `${eventId}.mp4`))) return false;
    const deleted = new Promise<boolean>((resolve) => this.waiting.push({ id: eventId, resolve }));
    this.deleting ??= this.deleteWaiting().finally(() => (this.deleting = undefined));
    return deleted;
  }

  /**
   * Deletes clips that are older than `maxAgeHours`; then, when the store is still larger than `maxBytes`, the oldest ones until at most
   * `targetBytes` are left. Returns how many. Obeys AUTO_CLEANUP_ENABLED and debug mode. One at a time: a second call gets the
   * answer of the first.
   */
  async cleanupOldClips(): Promise<number> {
    this.round ??= this.cleanOld().finally(() => (this.round = undefined));
    return this.round;
  }

  /** Stops the background and waits for what it does. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.ready;
    clearInterval(this.timer);
    await this.round;
    await this.deleting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async start(everyMs: number): Promise<void> {
    try {
      // A root that somebody named is a place that exists, or a drive that is away (R76).
      if (this.options.root !== undefined && !fs.statSync(this.root).isDirectory()) throw new Error(t("{0} is not a directory", this.root));
      fs.mkdirSync(this.directory, { recursive: true });
    } catch (error) {
      this.logger.error(t("Clips: {0}", messageOf(error)), { directory: this.directory });
    }
    await this.cleanupOldClips();
    const { signal } = this.options;
    if (everyMs === 0 || signal?.aborted === true) return;
    this.timer = setInterval(() => void this.cleanupOldClips(), Math.min(everyMs, LONGEST_TIMER_MS));
    this.timer.unref();
    signal?.addEventListener("abort", () => clearInterval(this.timer), { once: true });
  }

  private async cleanOld(): Promise<number> {
    try {
      const { clean, clipConfig } = await loadEngine();
      const { config, store } = clipConfig(this.root, this.limits);
      const { result } = await clean({
        ...this.request(config),
        mode: "automatic",
        selection: { stores: [store] },
        quiet: true,
      });
      return result.deletedFiles;
    } catch (error) {
      this.logger.error(t("Cleanup of clips failed: {0}", messageOf(error)), { directory: this.directory });
      return 0;
    }
  }

  /** Those that come while others are deleted go together: each run has a journal. */
  private async deleteWaiting(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MOST_AT_ONCE);
      const deleted = await this.deleteClips([...new Set(batch.map((one) => one.id))]);
      // Of two calls for one clip one has deleted it.
      for (const { id, resolve } of batch) resolve(deleted.delete(id));
    }
  }

  private async deleteClips(ids: readonly string[]): Promise<Set<string>> {
    try {
      const { clean, clipConfig } = await loadEngine();
      const { config } = clipConfig(this.root, this.limits, ids);
      const { files, kept } = await clean({ ...this.request(config), mode: "manual", orphans: true, narrowed: true, quiet: true });
      for (const { path: clip, reason, evidence } of kept)
        this.logger.warn(t("Cleanup: kept {0}: {1}", clip, evidence[0] ?? reason), { path: clip, reason });
      const asked = new Set(files.map((file) => path.posix.basename(file.path, ".mp4")));
      return new Set(ids.filter((id) => asked.has(id) && !isThere(path.join(this.directory, `${id}.mp4`))));
    } catch (error) {
      this.logger.error(t("Cleanup of clips failed: {0}", messageOf(error)), { clips: ids });
      return new Set();
    }
  }

  private request<Config>(config: Config) {
    const { signal, environment = process.env, now } = this.options;
    return { config, label: t("clips"), logger: this.logger, environment, ...(signal && { signal }), ...(now && { now }) };
  }
}

const MOST_AT_ONCE = 256;

/** Services are often started in `/` or in a home directory, and neither may be a root (R2). */
function rootOf(directory: string): string {
  const here = process.cwd();
  const mayBeRoot = here !== path.parse(here).root && here !== homeDirectory();
  return mayBeRoot && isBelow(directory, here) ? here : path.dirname(directory);
}

/** Stores are described by templates, and a path is a path (R8): no name in it may stand for other directories, too. */
function checkPlain(directory: string, root: string): void {
  const relative = path.relative(root, directory).split(path.sep).join("/");
  let why = "a placeholder or a wildcard in it would stand for other directories, too";
  try {
    if (parseTemplate(`${relative}/`).prefix === relative) return;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    why = error.message;
  }
  throw new TypeError(`clips cannot be in ${directory}: ${why}`);
}

function isBelow(directory: string, root: string): boolean {
  const relative = path.relative(root, directory);
  return relative !== "" && relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

function isThere(file: string): boolean {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true; // What cannot be looked at may well be there.
  }
}

/** Low must be below high (R53), and a limit of nothing would empty the store (R79). */
function readLimits(options: ClipStoreOptions): Pick<ClipLimits, "maxAge" | "maxBytes" | "targetBytes"> {
  const maxAge = hoursOrMinutes(options.maxAgeHours ?? 1, "maxAgeHours", Number.MIN_VALUE);
  const maxBytes = bytesOf(options.maxBytes ?? "1GB", "maxBytes");
  const usual = options.maxBytes === undefined ? "900MB" : Math.floor(maxBytes * 0.9);
  const targetBytes = bytesOf(options.targetBytes ?? usual, "targetBytes");
  if (targetBytes >= maxBytes) throw new TypeError(`targetBytes (${targetBytes}) must be less than maxBytes (${maxBytes})`);
  return { maxAge: `${Math.max(1, Math.round(maxAge * 60 * MINUTE))}ms`, maxBytes: `${maxBytes}b`, targetBytes: `${targetBytes}b` };
}

function bytesOf(value: string | number, name: string): number {
  const bytes = typeof value === "string" ? parseSize(value) : value;
  if (bytes === undefined || !Number.isSafeInteger(bytes) || bytes < 0 || (name === "maxBytes" && bytes === 0))
    throw new TypeError(`${name} is ${JSON.stringify(value)}; write bytes, or a size such as "900MB"`);
  return bytes;
}

function hoursOrMinutes(value: number, name: string, least: number): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < least)
    throw new TypeError(`${name} is ${String(value)}; write a positive number`);
  return value;
}
