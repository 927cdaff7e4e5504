/** What the templates say about one directory: which of its names are files of a store, and which are directories to enter. */
import { matchSegment, matchTemplate } from "../config/template.ts";
import type { Segment } from "../config/template.ts";
import { NEVER_ENTERED } from "./roots.ts";
import type { WalkRoot } from "./roots.ts";
import type { WalkStore } from "./walk.ts";

/** One template that is matched as far as this directory. */
interface Opening {
  /** Index into the stores of the walk. */
  readonly store: number;
  /** What the next name has to match; absent below a deep template, where every name does. */
  readonly segment?: Segment;
  /** The segment's captures are all new, so that its pattern alone decides and no record has to be built per file. */
  readonly free: boolean;
  readonly bound: Readonly<Record<string, string>>;
}

export interface Openings {
  /** For names of files, in the order of preference. */
  readonly files: readonly Opening[];
  /** For names of directories. */
  readonly directories: readonly Opening[];
}

/** Matches the templates of a root against a directory below it (`""` is the root itself). */
export function openingsAt(stores: readonly WalkStore[], root: WalkRoot, path: string): Openings {
  const names = path === "" ? [] : path.split("/");
  const files: Opening[] = [];
  const directories: Opening[] = [];
  for (const store of root.stores) {
    const template = stores[store]?.template;
    if (!template) continue;
    const { segments, deep } = template;
    if (!deep && names.length >= segments.length) continue;
    const depth = Math.min(names.length, segments.length);
    let bound: Readonly<Record<string, string>> | undefined = {};
    for (let i = 0; i < depth && bound; i++) bound = matchSegment(segments[i] as Segment, names[i] as string, bound);
    if (!bound) continue;
    const segment = segments[depth];
    const known = bound;
    const free =
      segment === undefined || (segment.literal === undefined && segment.captures.every((capture) => known[capture] === undefined));
    const opening: Opening = { store, ...(segment && { segment }), free, bound };
    if (segment === undefined || (!deep && depth === segments.length - 1)) files.push(opening);
    if (segment === undefined || deep || depth < segments.length - 1) directories.push(opening);
  }
  if (files.length > 1) files.sort((a, b) => compareStores(stores, a.store, b.store));
  return { files, directories };
}

/** What is left for a directory that some stores must not take. */
export function withoutStores({ files, directories }: Openings, closed: readonly number[]): Openings {
  const isOpen = (opening: Opening): boolean => !closed.includes(opening.store);
  return { files: files.filter(isOpen), directories: directories.filter(isOpen) };
}

/** The stores that take every file here. */
export function deepStores({ files }: Openings): readonly number[] {
  return files.filter((opening) => opening.segment === undefined).map((opening) => opening.store);
}

/** The only names that matter when every template goes on with plain text: then the directory need not be listed at all. */
export function literalNames({ files, directories }: Openings): readonly string[] | undefined {
  const names = new Set<string>();
  for (const opening of [...files, ...directories]) {
    if (opening.segment?.literal === undefined) return undefined;
    names.add(opening.segment.literal);
  }
  return [...names];
}

/** The store that a file of this name belongs to, or -1. */
export function storeOf({ files }: Openings, name: string): number {
  for (const opening of files) if (matches(opening, name)) return opening.store;
  return -1;
}

export function mayEnter({ directories }: Openings, name: string): boolean {
  return directories.some((opening) => matches(opening, name));
}

export function isNever(name: string): boolean {
  return name.startsWith(".") && NEVER_ENTERED.has(name);
}

/** Whether a store of an overlapping root has the better claim to this file; the walk of that root reports it then. */
export function belongsToKin(stores: readonly WalkStore[], root: WalkRoot, store: number, path: string): boolean {
  return root.kin.some(({ strip, add, stores: theirs }) => {
    if (!path.startsWith(strip)) return false;
    const there = add + path.slice(strip.length);
    return theirs.some((other) => {
      const template = stores[other]?.template;
      return template !== undefined && compareStores(stores, other, store) < 0 && matchTemplate(template, there) !== undefined;
    });
  });
}

const RANKS: Readonly<Partial<Record<string, number>>> = { final: 0, upload: 1 };

/**
 * Final outputs first, because a file that may be one must be protected as one; then uploads, of which only the remote copy says
 * whether they may go; then the order of the configuration.
 */
function compareStores(stores: readonly WalkStore[], a: number, b: number): number {
  const rank = (store: number) => RANKS[stores[store]?.role ?? ""] ?? 2;
  return rank(a) - rank(b) || a - b;
}

function matches({ segment, free, bound }: Opening, name: string): boolean {
  if (segment === undefined) return true;
  return free ? segment.pattern.test(name) : matchSegment(segment, name, bound) !== undefined;
}
