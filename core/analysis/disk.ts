/**
 * The link between code and disk: which files lie where a path of the code leads, and which code makes a file. Only looks,
 * never follows links, and rather says nothing than something wrong: a template that says too little matches nothing.
 */
import { type Dirent, lstatSync, opendirSync, type Stats } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { t } from "@vscode/l10n";
import { NEVER_ENTERED } from "../scan/roots.ts";
import { walkStores, type WalkStore } from "../scan/walk.ts";
import { countFiles, formatBytes } from "../words.ts";
import type { CallSite, Finding, OnDisk, PathTemplate } from "./finding.ts";
import { canWalk, isFixed, isVague, isWithin, matchPart, matchPath, parsePattern } from "./template.ts";
import { type Pattern, type Places, placesOf, rankMatch, realOf, toPosix } from "./template.ts";

export interface FilesOnDisk extends OnDisk {
  /** The limits ended the search, or something could not be read: there may be more. */
  readonly atLeast?: true;
  /** Absolute paths, sorted, as many as were asked for. */
  readonly paths: readonly string[];
}

export interface DiskOptions {
  /** Stores of `offcut.json`: what they hold is searched where the template does not say where to begin. */
  readonly stores?: readonly WalkStore[];
  /** How many paths to list, none unless told; all files are counted. */
  readonly limit?: number;
  /** False in a workspace that the user does not trust: nothing outside of it is looked at (R82). */
  readonly outside?: boolean;
  readonly signal?: AbortSignal;
  /** Remembers listings from one call to the next; see {@link startListings}. */
  readonly listings?: Listings;
  /** Most names to look at for one template, 200,000 unless told. */
  readonly names?: number;
  /** Most milliseconds to spend on one template, 2000 unless told. */
  readonly milliseconds?: number;
}

/** Listings of directories, valid as long as their directories did not change. Sizes are never remembered. */
export interface Listings {
  readonly byDirectory: Map<string, Listing>;
  /** A directory that changed more recently is not remembered: it may change again within the same tick of its clock. */
  readonly settledMs: number;
  names: number;
}

interface Listing {
  /** Inode, mtime and ctime. */
  readonly state: string;
  readonly entries: readonly Entry[];
}

interface Entry {
  readonly name: string;
  readonly isDirectory: boolean;
}

interface Looked {
  readonly entries: readonly Entry[];
  /** There may be more. */
  readonly partial: boolean;
}

/** A directory that is there, with those that lead through it. */
interface Task {
  readonly directory: string;
  readonly actives: readonly Active[];
}

/** One template on its way through the tree: the part that comes next, or beyond the last one when all below counts. */
interface Active {
  readonly search: Search;
  readonly part: number;
}

interface Search {
  readonly pattern: Pattern;
  files: number;
  bytes: number;
  atLeast: boolean;
  readonly paths: string[];
  names: number;
  milliseconds: number;
}

const MOST_NAMES = 200_000;
const MOST_MS = 2000;
/** After this many milliseconds the event loop gets its turn. */
const SLICE_MS = 10;
/** FAT's clock ticks every two seconds. */
const SETTLED_MS = 2000;
const REMEMBERED_NAMES = 500_000;
/** Packages are no leftovers, and the others belong to tools or are our own holds. */
const NEVER: ReadonlySet<string> = new Set([...NEVER_ENTERED, "node_modules"]);
/** Codes that mean that no file can be there; the last is Node's for a name with a NUL character. */
const NOTHING_THERE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ERR_INVALID_ARG_VALUE"]);
/** Elsewhere file systems ignore case, and only a listing tells how a name is spelled. */
const CAN_LOOK_UP = process.platform === "linux";

/** For a session that measures again and again: pass it as `listings` each time. */
export function startListings(settledMs = SETTLED_MS): Listings {
  return { byDirectory: new Map(), names: 0, settledMs };
}

/**
 * What lies on the disk for one template now: from a call site, "Show its files". Searched are only the directories that the
 * template names; where it begins with something unknown, the files of the stores. A directory that the whole template matches
 * counts with all that is below. Throws the signal's reason when it is aborted, and nothing for what it finds on the disk.
 */
export async function filesOf(root: string, template: PathTemplate, options: DiskOptions = {}): Promise<FilesOnDisk> {
  const [found] = await search(root, [template], options);
  return found ?? { files: 0, bytes: 0, paths: [] };
}

/**
 * The findings of a check with `onDisk`, and with the figures in their messages where there are files. A finding whose path
 * is not known well enough stays as it is, and so does one that was measured before. All findings share one walk.
 */
export async function measure(root: string, findings: readonly Finding[], options: DiskOptions = {}): Promise<readonly Finding[]> {
  const templates = new Map<string, PathTemplate>();
  for (const finding of findings) if (finding.path && !finding.onDisk) templates.set(keyOf(finding.path), finding.path);
  if (templates.size === 0) return findings;
  const results = await search(root, [...templates.values()], { ...options, limit: 0 });
  const found = new Map([...templates.keys()].map((key, i) => [key, results[i]]));
  return findings.map((finding) => {
    const here = finding.path && !finding.onDisk ? found.get(keyOf(finding.path)) : undefined;
    if (!here) return finding;
    const { paths: _, ...onDisk } = here;
    return { ...finding, onDisk, message: here.files === 0 ? finding.message : sayFigures(finding.message, here) };
  });
}

/**
 * The call sites whose path may be this file (relative to the workspace, with `/`): from a file, "Show the code that makes it".
 * Those that say most of the path come first; those that name a directory around the file come last.
 */
export function makersOf(sites: readonly CallSite[], file: string, root: string): readonly CallSite[] {
  const places = placesOf(root);
  const absolute = toPosix(path.resolve(root, file));
  const ranked = sites.flatMap((site) => {
    const ranks = site.paths.map((template) => rankMatch(parsePattern(template, places), absolute, file));
    const rank = Math.max(-Infinity, ...ranks);
    return rank === -Infinity ? [] : [{ site, rank }];
  });
  return ranked.sort((a, b) => b.rank - a.rank).map(({ site }) => site);
}

/** One result for each template; undefined where the template says too little or leads where nothing may be looked at. */
async function search(
  root: string,
  templates: readonly PathTemplate[],
  options: DiskOptions,
): Promise<readonly (FilesOnDisk | undefined)[]> {
  options.signal?.throwIfAborted();
  const places = placesOf(root);
  const searches = templates.map((template): Search | undefined => {
    const pattern = parsePattern(template, places);
    if (!pattern || isVague(pattern) || (options.outside === false && ["tmp", "absolute"].includes(pattern.base))) return undefined;
    return { pattern, files: 0, bytes: 0, atLeast: false, paths: [], names: 0, milliseconds: 0 };
  });
  const asked = searches.filter((one) => one !== undefined);
  const stores = (options.stores ?? []).filter((store) => options.outside !== false || isWithin(realOf(store.root), realOf(root)));
  const elsewhere = asked.filter(({ pattern }) => !canWalk(pattern));
  await walkDirectories(
    asked.filter(({ pattern }) => canWalk(pattern)),
    places,
    options,
  );
  if (stores.length > 0 && elsewhere.length > 0) await searchStores(elsewhere, stores, places, options);
  return searches.map((one) => {
    // Without a store there was nowhere to look, which is no count of zero.
    if (!one || (stores.length === 0 && !canWalk(one.pattern))) return undefined;
    return toResult(one);
  });
}

function toResult({ files, bytes, atLeast, paths }: Search): FilesOnDisk {
  return { files, bytes, ...(atLeast && { atLeast }), paths: paths.sort() };
}

/** All templates in one walk: each directory is listed once, however many lead through it. */
async function walkDirectories(searches: readonly Search[], places: Places, options: DiskOptions): Promise<void> {
  const starts = new Map<string, Active[]>();
  for (const one of searches) {
    const start = one.pattern.directory ?? "/";
    starts.set(start, [...(starts.get(start) ?? []), { search: one, part: 0 }]);
  }
  const tasks = [...starts].map(([directory, actives]): Task => ({ directory, actives }));
  const breathe = startBreathing(options.signal);
  for (let task = tasks.pop(); task; task = tasks.pop()) {
    const { directory, actives } = withoutSpent(task, options);
    if (actives.length === 0) continue;
    const began = performance.now();
    const { looked, partial } = await visit({ directory, actives }, tasks, places, options, breathe);
    const spent = performance.now() - began;
    for (const { search: one } of actives) {
      one.names += looked;
      one.milliseconds += spent;
      one.atLeast ||= partial;
    }
    await breathe();
  }
}

/** Counts the files of one directory and adds the directories in it to the tasks. */
async function visit(
  { directory, actives }: Task,
  tasks: Task[],
  places: Places,
  { names = MOST_NAMES, milliseconds = MOST_MS, limit = 0, listings }: DiskOptions,
  breathe: () => Promise<void>,
): Promise<{ readonly looked: number; readonly partial: boolean }> {
  const end = performance.now() + milliseconds;
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  const { entries, partial } = look(prefix, actives, names, listings);
  for (const [i, { name, isDirectory }] of entries.entries()) {
    if (i % 64 === 63) {
      await breathe();
      if (performance.now() > end) return { looked: i, partial: true };
    }
    const matching = actives.filter(({ search: one, part }) => {
      const next = one.pattern.parts[part];
      return next === undefined || matchPart(next, name);
    });
    if (isDirectory) {
      const inner = NEVER.has(name) ? [] : matching.filter((active) => mayEnter(prefix + name, active, places));
      if (inner.length > 0)
        tasks.push({ directory: prefix + name, actives: inner.map(({ search: one, part }) => ({ search: one, part: part + 1 })) });
    } else {
      const ending = matching.filter(({ search: one, part }) => part >= one.pattern.parts.length - 1);
      if (ending.length > 0) count(prefix + name, ending, limit);
    }
  }
  return { looked: entries.length, partial };
}

/** Those that used up what they may take stay behind. */
function withoutSpent({ directory, actives }: Task, { names = MOST_NAMES, milliseconds = MOST_MS }: DiskOptions): Task {
  const going = actives.filter(({ search: one }) => {
    const spent = one.names > names || one.milliseconds > milliseconds;
    one.atLeast ||= spent;
    return !spent;
  });
  return { directory, actives: going };
}

/**
 * A directory that a whole template matches counts with all below, unless that is too much to be left behind: one that holds
 * the workspace, the home or all temporary files, or one directly below the root of the file system.
 */
function mayEnter(directory: string, { search: { pattern }, part }: Active, { root, tmp }: Places): boolean {
  if (part < pattern.parts.length - 1) return true;
  if (pattern.base === "absolute" && pattern.parts.length < 3) return false;
  return ![root, toPosix(homedir()), ...tmp].some((place) => isWithin(place, directory));
}

function startBreathing(signal: AbortSignal | undefined): () => Promise<void> {
  let end = performance.now() + SLICE_MS;
  return async () => {
    if (performance.now() > end) {
      await turn();
      end = performance.now() + SLICE_MS;
    }
    signal?.throwIfAborted();
  };
}

async function searchStores(
  searches: readonly Search[],
  stores: readonly WalkStore[],
  { root }: Places,
  options: DiskOptions,
): Promise<void> {
  const { signal, limit = 0, names: mostNames = MOST_NAMES, milliseconds: mostMs = MOST_MS } = options;
  const began = performance.now();
  let names = 0;
  for await (const { files, problems } of walkStores(stores, { ...(signal && { signal }) })) {
    for (const file of files) {
      if (file.type !== "file") continue;
      const native = path.join(file.root, file.path);
      const absolute = toPosix(native);
      // The end of a path must not match the directories that lead to the workspace.
      const inside = isWithin(absolute, root) ? path.posix.relative(root, absolute) : absolute;
      for (const one of searches)
        if (matchPath(one.pattern, one.pattern.directory === undefined ? inside : absolute) !== undefined)
          add(one, native, file.bytes, limit);
    }
    names += files.length;
    const ended = names > mostNames || performance.now() - began > mostMs;
    if (ended || problems.some((problem) => problem.severity !== "info")) for (const one of searches) one.atLeast = true;
    if (ended) return;
  }
}

/** The names in a directory that matter. What cannot be read is `partial`; what is not there is nothing. */
function look(prefix: string, actives: readonly Active[], most: number, listings: Listings | undefined): Looked {
  const nexts = actives.map(({ search: one, part }) => one.pattern.parts[part]);
  try {
    if (CAN_LOOK_UP && nexts.every((next) => next !== undefined && isFixed(next))) {
      return lookUp(prefix, [...new Set(nexts.map((next) => next?.pieces[0] ?? ""))]);
    }
    const stats = lstatSync(prefix);
    const state = `${stats.ino} ${stats.mtimeMs} ${stats.ctimeMs}`;
    const known = listings?.byDirectory.get(prefix);
    if (known?.state === state) return { entries: known.entries, partial: false };
    const lastChange = Math.max(stats.mtimeMs, stats.ctimeMs);
    const settled = listings && lastChange < Date.now() - listings.settledMs;
    const listed = list(prefix, most);
    if (settled && !listed.partial) remember(listings, prefix, { state, entries: listed.entries });
    return listed;
  } catch (error) {
    return { entries: [], partial: isHidden(error) };
  }
}

function lookUp(prefix: string, names: readonly string[]): Looked {
  const entries: Entry[] = [];
  let partial = false;
  for (const name of names) {
    try {
      entries.push(...toEntries(name, lstatSync(prefix + name, { throwIfNoEntry: false })));
    } catch (error) {
      partial ||= isHidden(error);
    }
  }
  return { entries, partial };
}

/** Whether something may be there although it cannot be seen. */
function isHidden(error: unknown): boolean {
  return !NOTHING_THERE.has((error as NodeJS.ErrnoException).code ?? "");
}

function list(directory: string, most: number): Looked {
  const entries: Entry[] = [];
  const stream = opendirSync(directory, { bufferSize: 1024 });
  try {
    for (let entry = stream.readSync(); entry; entry = stream.readSync()) {
      if (entries.length > most) return { entries, partial: true };
      entries.push(...toEntries(entry.name, entry));
    }
  } finally {
    stream.closeSync();
  }
  return { entries, partial: false };
}

function toEntries(name: string, what: Dirent | Stats | undefined): readonly Entry[] {
  return what && (what.isFile() || what.isDirectory()) ? [{ name, isDirectory: what.isDirectory() }] : [];
}

function remember(listings: Listings, directory: string, listing: Listing): void {
  if (listings.names + listing.entries.length > REMEMBERED_NAMES) {
    listings.byDirectory.clear();
    listings.names = 0;
  }
  listings.names += listing.entries.length - (listings.byDirectory.get(directory)?.entries.length ?? 0);
  listings.byDirectory.set(directory, listing);
}

function count(file: string, owners: readonly Active[], limit: number): void {
  try {
    const stats = lstatSync(file, { throwIfNoEntry: false });
    if (stats?.isFile()) for (const owner of owners) add(owner.search, path.normalize(file), stats.size, limit);
  } catch {
    // Its directory may be listed but not entered: then the file is there, and its size is not known.
    for (const { search: one } of owners) one.atLeast = true;
  }
}

function add(one: Search, file: string, bytes: number, limit: number): void {
  one.files++;
  one.bytes += bytes;
  if (one.paths.length < limit) one.paths.push(file);
}

function keyOf({ base, text }: PathTemplate): string {
  return `${base}\0${text}`;
}

/** The figures go before the full stop, where there is one. */
function sayFigures(message: string, { files, bytes, atLeast }: FilesOnDisk): string {
  const [, sentence = message, stop = ""] = /^(.*?)([.。]?)$/su.exec(message) ?? [];
  const figures = atLeast
    ? t("at least {0}, {1} on disk now", countFiles(files), formatBytes(bytes))
    : t("{0}, {1} on disk now", countFiles(files), formatBytes(bytes));
  return `${sentence} (${figures})${stop}`;
}
