/**
 * Path templates of the analysis against real paths. A hole `{}` stands for any characters within one part; a part that is
 * nothing but a hole and the last one stands for everything below. Fixed text is compared exactly, case included.
 */
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { PathTemplate } from "./finding.ts";

/** One part of a path between two `/`. */
export interface Part {
  /** The fixed text around the holes; a single piece when there is no hole. */
  readonly pieces: readonly string[];
  /** The longest piece that has a letter or digit, in characters; of the last part without its extension. */
  readonly said: number;
}

export interface Pattern {
  /** Absolute path with `/` that the parts start from; absent when only the end of the path is known. */
  readonly directory?: string;
  /** Whether the directory is the workspace, the directory for temporary files, or the file system's root. */
  readonly base: PathTemplate["base"];
  readonly parts: readonly Part[];
}

/** Absolute paths with `/`. */
export interface Places {
  readonly root: string;
  /** The directory for temporary files, under each name it has. */
  readonly tmp: readonly string[];
}

/** `file`: the path is what the template names. `below`: the template names a directory that holds it. */
export type Match = "file" | "below";

/** Fixed characters that make a name say something by itself: `tmp`, `raw`, `out`. */
const TELLING = 3;
/** The same for the end of a path that may start anywhere. */
const TELLING_END = 4;
const EXTENSION = /(?<=.)\.[\p{L}\p{N}]{1,5}$/u;

/** Absolute paths that name no files. */
const SYSTEM: ReadonlySet<string> = new Set(["dev", "proc", "sys"]);

/** Undefined when the template leaves its file system, or names nothing at all. */
export function parsePattern({ base, text }: PathTemplate, { root, tmp }: Places): Pattern | undefined {
  const start = base === "workspace" ? root : base === "tmp" ? (tmp[0] ?? "/") : "";
  const drive = base === "absolute" ? (/^[A-Za-z]:(?=\/)/.exec(text)?.[0] ?? "") : "";
  const written = text.slice(drive.length).split("/");
  const names = normalize([...start.split("/").slice(1), ...written]);
  if (names === undefined) return undefined;
  if (base === "unknown") {
    const first = names.findIndex((name) => !isHole(name));
    return first === -1 ? undefined : { base, parts: toParts(names.slice(first)) };
  }
  const startDrive = /^[A-Za-z]:/.exec(start)?.[0] ?? drive;
  const homes = [{ base: "workspace", directory: root }, ...tmp.map((directory) => ({ base: "tmp", directory }) as const)] as const;
  for (const home of homes) {
    const fixed = home.directory.split("/").slice(1);
    const inside =
      home.directory.startsWith(`${startDrive}/`) && names.length > fixed.length && fixed.every((name, i) => name === names[i]);
    if (inside) return { ...home, parts: toParts(names.slice(fixed.length)) };
  }
  return names.length === 0 ? undefined : { base: "absolute", directory: `${startDrive}/`, parts: toParts(names) };
}

/** Whether the template says too little for a number: what it matches would mostly be other people's files. */
export function isVague({ base, parts }: Pattern): boolean {
  const directories = parts.slice(0, -1).filter(isFixed).length;
  const name = parts.at(-1);
  if (name === undefined) return true;
  // Where the path starts is not known, so its end has to say more.
  if (base === "unknown") return directories < (name.said >= TELLING_END ? 1 : 2);
  return directories === 0 && parts.every((part) => part.said < TELLING);
}

/** Whether the template names the directory to begin in, so that no store is needed. */
export function canWalk({ base, parts }: Pattern): boolean {
  const [first] = parts;
  if (!first || base === "unknown" || isOpen(first)) return false;
  return base !== "absolute" || (isFixed(first) && parts.length > 1 && !SYSTEM.has(first.pieces[0] ?? ""));
}

export function isFixed(part: Part): boolean {
  return part.pieces.length === 1;
}

/** Whether the part is nothing but a hole. */
function isOpen(part: Part): boolean {
  return part.pieces.every((piece) => piece === "");
}

export function matchPart({ pieces }: Part, name: string): boolean {
  const first = pieces[0] ?? "";
  if (pieces.length === 1) return name === first;
  const last = pieces.at(-1) ?? "";
  let at = first.length;
  const end = name.length - last.length;
  if (end < at || !name.startsWith(first) || !name.endsWith(last)) return false;
  // The leftmost place for each piece leaves the most for the next ones, so there is nothing to try again.
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** `path` is absolute, with `/`. */
export function matchPath({ directory, parts }: Pattern, path: string): Match | undefined {
  if (directory === undefined) return matchEnd(parts, path.split("/"));
  const start = directory.endsWith("/") ? directory : `${directory}/`;
  return path.startsWith(start) ? matchFrom(parts, path.slice(start.length).split("/"), 0) : undefined;
}

/**
 * How certainly the template stands for this file (relative to the workspace, and absolute): higher is more certain, negative
 * when it names a directory around the file, -Infinity when it does not match or says too little.
 */
export function rankMatch(pattern: Pattern | undefined, absolute: string, file: string): number {
  if (!pattern || (pattern.base === "unknown" ? !tellsItsEnd(pattern) : isVague(pattern))) return -Infinity;
  const match = matchPath(pattern, pattern.base === "unknown" ? file : absolute);
  if (match === undefined) return -Infinity;
  return match === "file" ? fixedLength(pattern) : -1 / (1 + fixedLength(pattern));
}

/** The places that templates start from, for a workspace. */
export function placesOf(root: string): Places {
  return { root: toPosix(path.resolve(root)), tmp: [...new Set([realOf(tmpdir()), toPosix(path.resolve(tmpdir()))])] };
}

/** The absolute path with `/` that a directory has when links are resolved. */
export function realOf(directory: string): string {
  try {
    return toPosix(realpathSync.native(directory));
  } catch {
    // A directory that is not there holds no files under any name.
    return toPosix(path.resolve(directory));
  }
}

/** Both absolute, with `/`. */
export function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}

export function toPosix(native: string): string {
  return path.sep === "/" ? native : native.split(path.sep).join("/");
}

/** Whether the end of a path whose start is unknown says enough to recognise one file of the workspace by it. */
function tellsItsEnd({ parts }: Pattern): boolean {
  return parts.slice(0, -1).some(isFixed) || (parts.at(-1)?.said ?? 0) >= TELLING_END;
}

/** How much of the path is plain text, in characters. */
function fixedLength({ parts }: Pattern): number {
  return parts.reduce((sum, { pieces }) => sum + pieces.reduce((length, piece) => length + piece.length, 0), 0);
}

function matchEnd(parts: readonly Part[], names: readonly string[]): Match | undefined {
  const last = names.length - parts.length;
  for (let start = last; start >= 0; start--) {
    const match = matchFrom(parts, names, start);
    if (match !== undefined) return match;
  }
  return undefined;
}

function matchFrom(parts: readonly Part[], names: readonly string[], start: number): Match | undefined {
  const rest = names.length - start - parts.length;
  if (rest < 0 || !parts.every((part, i) => matchPart(part, names[start + i] ?? ""))) return undefined;
  const last = parts.at(-1);
  return rest === 0 || (last && isOpen(last)) ? "file" : "below";
}

/** Takes `.` and `..` out. Undefined when `..` leads out of what is known. */
function normalize(names: readonly string[]): readonly string[] | undefined {
  const kept: string[] = [];
  for (const name of names) {
    if (name === "" || name === ".") continue;
    if (name !== "..") kept.push(name);
    else if (kept.pop() === undefined) return undefined;
  }
  return kept;
}

function isHole(name: string): boolean {
  return name.replaceAll("{}", "") === "";
}

function toParts(names: readonly string[]): readonly Part[] {
  return names.map((name, i) => {
    const stem = i === names.length - 1 ? name.replace(EXTENSION, "") : name;
    const telling = stem.split("{}").filter((piece) => /[\p{L}\p{N}]/u.test(piece));
    return { pieces: name.split("{}"), said: Math.max(0, ...telling.map((piece) => piece.length)) };
  });
}
