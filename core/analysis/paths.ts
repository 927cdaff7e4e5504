/** Paths as values: joined, taken apart and compared as far as their parts are known. */
import { type Atom, atomsOf, derived, joined, text, TMP, type Value } from "./value.ts";

/** Removes `./`, doubled slashes and what `..` takes back. */
export function normalized(value: Value): Value {
  if (value.kind !== "joined" && value.kind !== "text") return value;
  const parts = atomsOf(value).map((part, index, all) => {
    if (part.kind !== "text") return part;
    let content = part.text.replaceAll("\\", "/").replaceAll(/\/{2,}/g, "/");
    if (index === 0) content = content.replace(/^(?:\.\/)+/, "");
    content = content.replaceAll(/\/(?:\.\/)+/g, "/");
    for (let before = ""; before !== content;) {
      before = content;
      content = content.replace(/(^|\/)(?!\.\.?\/)[^/]+\/\.\.(?=\/|$)/, "$1").replaceAll(/\/{2,}/g, "/");
      if (index === 0 && before.startsWith("/") !== content.startsWith("/")) content = content.replace(/^\//, "");
    }
    if (index === all.length - 1 && content.length > 1) content = content.replace(/\/\.?$/, "");
    return text(content);
  });
  return joined(parts);
}

const SLASH = text("/");

export function joinPath(parts: readonly Value[]): Value {
  const atoms: Atom[] = [];
  for (const part of parts) {
    if (part.kind === "literal" && (part.value === null || part.value === undefined)) continue;
    const own = atomsOf(part);
    const [first] = own;
    if (first?.kind === "text" && first.text === "") continue;
    const last = atoms.at(-1);
    if (atoms.length > 0 && !(last?.kind === "text" && last.text.endsWith("/")) && !(first?.kind === "text" && first.text.startsWith("/")))
      atoms.push(SLASH);
    atoms.push(...own);
  }
  return normalized(joined(atoms));
}

/** As {@link joinPath}, but an absolute part starts anew. */
export function resolvePath(parts: readonly Value[]): Value {
  let from = 0;
  for (const [index, part] of parts.entries()) {
    const [first] = atomsOf(part);
    if (first?.kind === "text" && first.text.startsWith("/")) from = index;
    if (first?.key === TMP.key) from = index;
  }
  return joinPath(parts.slice(from));
}

export function dirnameOf(value: Value): Value {
  const atoms = atomsOf(value);
  for (let index = atoms.length - 1; index >= 0; index -= 1) {
    const part = atoms[index];
    if (part?.kind !== "text") continue;
    const slash = part.text.lastIndexOf("/");
    if (slash < 0) continue;
    const rest = joined([...atoms.slice(0, index), text(part.text.slice(0, slash))]);
    return rest.key === '""' ? text(slash === 0 && index === 0 ? "/" : ".") : rest;
  }
  if (value.kind === "text") return text(".");
  // The whole of a longer text has no slash that is known: its directory is that of what it begins with.
  const [first] = atoms;
  return first === undefined || atoms.length === 1 ? derived("dirname", value) : dirnameOf(first);
}

export function basenameOf(value: Value): Value {
  const atoms = atomsOf(value);
  for (let index = atoms.length - 1; index >= 0; index -= 1) {
    const part = atoms[index];
    if (part?.kind !== "text") continue;
    const slash = part.text.lastIndexOf("/");
    if (slash >= 0) return joined([text(part.text.slice(slash + 1)), ...atoms.slice(index + 1)]);
  }
  return value.kind === "text" ? value : derived("basename", value);
}

/** Whether `directory` is a directory above `path`, or `path` is one entry of a listing of it. */
export function isBelow(path: Value, directory: Value): boolean {
  const inner = atomsOf(path);
  const outer = atomsOf(directory);
  if (outer.length === 0 || inner.length < outer.length) return dirOf(path, directory);
  for (const [index, part] of outer.entries()) {
    const other = inner[index];
    if (other === undefined) return false;
    if (index < outer.length - 1) {
      if (part.key !== other.key) return false;
      continue;
    }
    if (part.kind !== "text") {
      const next = inner[index + 1];
      if (part.key !== other.key) return dirOf(path, directory);
      return next?.kind === "text" && next.text.startsWith("/");
    }
    if (other.kind !== "text") return false;
    const stem = part.text === "." || part.text === "" ? "" : part.text.endsWith("/") ? part.text : `${part.text}/`;
    if (stem === "") return false;
    return other.text.startsWith(stem) && (other.text.length > stem.length || inner.length > outer.length);
  }
  return false;
}

/** Whether the text has places for any name: `*`, and ffmpeg's `%03d`. */
export function isPattern(value: Value): boolean {
  return atomsOf(value).some((part) => part.kind === "text" && WILD.test(part.text));
}

const WILD = /\*|%0?\d*d/;

/** Whether a path fits a pattern of the same parts. */
export function fits(path: Value, pattern: Value): boolean {
  let matcher = matchers.get(pattern);
  if (!matcher) matchers.set(pattern, (matcher = matcherOf(pattern)));
  let spelled = spellings.get(path);
  if (spelled === undefined) {
    spelled = atomsOf(path)
      .map((part) => (part.kind === "text" ? part.text : marked(part)))
      .join("");
    spellings.set(path, spelled);
  }
  return matcher.test(spelled);
}

const matchers = new WeakMap<Value, RegExp>();
const spellings = new WeakMap<Value, string>();

function matcherOf(pattern: Value): RegExp {
  const parts = atomsOf(pattern).map((part) =>
    part.kind === "text"
      ? part.text
          .split(/(\*+|%0?\d*d)/)
          .map((piece, index) => (index % 2 === 1 ? "[^/]*" : piece.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)))
          .join("")
      : marked(part).replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`),
  );
  return new RegExp(`^${parts.join("")}$`);
}

function marked(part: Atom): string {
  return `\u0001${part.key.replaceAll("/", "\u0002")}\u0001`;
}

/** `rm(dirname(p))` takes `p` with it. */
function dirOf(path: Value, directory: Value): boolean {
  let outer = directory;
  for (let depth = 0; depth < 4; depth += 1) {
    if (outer.kind !== "derived" || outer.how !== "dirname") return false;
    if (outer.of.key === path.key) return true;
    const base = outer.of;
    if (dirnameOf(path).key === outer.key || isStem(path, base)) return true;
    outer = outer.of;
  }
  return false;
}

/** `p + ".mp3"` lies in the directory of `p`. */
function isStem(path: Value, base: Value): boolean {
  const [first] = atomsOf(path);
  return first !== undefined && path.kind === "joined" && first.key === base.key;
}

/** The directory whose listing the path is an entry of: `join(dir, name)` with a name that `readdir(dir)` gave. */
export function listedIn(path: Value): Value | undefined {
  if (path.kind === "derived" && path.how === "entry") return path.of;
  if (path.kind !== "joined") return undefined;
  const last = path.parts.at(-1);
  if (last?.kind !== "derived" || last.how !== "entry") return undefined;
  return last.of;
}

/** What the path starts from: decides who owns it. */
export function rootOf(value: Value): Atom | undefined {
  let root: Atom | undefined = atomsOf(value)[0];
  while (root?.kind === "derived") {
    const next: Atom | undefined = atomsOf(root.of)[0];
    if (next === undefined) break;
    root = next;
  }
  return root;
}

/** Whether the path is another one each time: nobody can ask for the file again. */
export function isUnique(value: Value): boolean {
  return atomsOf(value).some((part) => {
    const root = rootOf(part);
    return root?.kind === "symbol" && (root.unique === true || root.temporary === true) && root.key !== TMP.key;
  });
}

/** Whether the value is nothing but what somebody else handed in. */
export function isHandedIn(value: Value): boolean {
  if (value.kind === "joined" || value.kind === "text") return false;
  const root = rootOf(value);
  return root?.kind === "symbol" && (root.root === "parameter" || root.root === "this" || root.root === "captured");
}

/** The texts of a path, with a hole for each part that is not known. */
export function shapeOfPath(value: Value): string {
  return atomsOf(value)
    .map((part) => (part.kind === "text" ? part.text : "*"))
    .join("");
}
