/** Which files of a workspace are source files, and what kind of place each lies in. */
import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface ListOptions {
  /** Patterns as in a `.gitignore` at the workspace's root. */
  readonly exclude: readonly string[];
  readonly signal?: AbortSignal;
  /** Is told directories that may not be read, without a trailing slash. */
  readonly onUnreadable?: (directory: string) => void;
}

/** What the place of a file says about it. */
export interface Place {
  /** Tests, fixtures, mocks, stories, configuration and deployment: not looked at unless someone asks. */
  readonly test: boolean;
  /** Examples, scripts, demos, trials and containers that run once: what they leave behind weighs less. */
  readonly lenient: boolean;
}

/** Patterns of one ignore file, with the directory that they start from: `""` or a path that ends in `/`. */
interface IgnoreFile {
  readonly base: string;
  readonly rules: readonly IgnoreRule[];
}

interface IgnoreRule {
  readonly negated: boolean;
  readonly directory: boolean;
  /** Matches the path from the ignore file, or the bare name. */
  readonly whole: boolean;
  readonly pattern: RegExp;
}

const SOURCE = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const GENERATED = /\.(?:d\.[cm]?ts|d\.[^./]+\.ts|min\.[cm]?js)$/;
/** Dependencies, products of builds and caches. What starts with a dot needs no mention. */
const SKIPPED = new Set(["node_modules", "dist", "build", "out", "coverage", "vendor", "bower_components", "__pycache__"]);

const TEST_DIRECTORY = /^(?:tests?|specs?|__tests?__|(?:__)?fixtures?(?:__)?|__mocks?__|__snapshots__|__stories__|e2e|cypress)$/i;
const DEPLOY_DIRECTORY = /^deploy(?:ments?|s)?(?:[-_.].*)?$/i;
/** `*.test.*` and the bare `test.ts` that test runners look for, too. */
const TEST_FILE = /^(?:.+\.)?(?:test|spec|e2e|cy)\.|\.(?:stories|story)\./i;
/** A tool's configuration lies at the top of a package; what is called so among the sources is part of the program. */
const CONFIGURATION_FILE = /^.+\.config\.[^.]+$/i;
const INNER_DIRECTORY = /^(?:src|app|lib|configs?|utils?|helpers?|middlewares?|services?|common|core)$/i;
const DEPLOY_FILE = /^deploy(?:[-_].*)?\.[^.]+$/i;
const PRODUCT_DIRECTORY = /^(?:src|app|lib|pages|server|api)$/i;
const LENIENT_DIRECTORY = /^(?:examples?|scripts?|demos?|samples?|bin|container|tools)$/i;
/** What somebody runs by hand to see whether something works: `test-captions.ts`, `diagnose_streams.js`. */
const LENIENT_FILE = /^(?:test|try|debug|diagnose|demo|example|bench(?:mark)?|poc)[-_]/i;

/**
 * The source files below a directory, as sorted paths from there with `/`. Links are not followed; what cannot be read is left out.
 * Throws the signal's reason when it is aborted.
 */
export function listSources(root: string, options: ListOptions): readonly string[] {
  const found: string[] = [];
  const excludes = parseIgnore(options.exclude.join("\n"), "");
  const visit = (directory: string, above: readonly IgnoreFile[]): void => {
    options.signal?.throwIfAborted();
    const entries = readDirectory(join(root, directory), () => options.onUnreadable?.(directory.slice(0, -1)));
    const ignores = entries.some((entry) => entry.name === ".gitignore") ? enterDirectory(root, directory, above) : above;
    for (const entry of entries) {
      const path = directory + entry.name;
      if (entry.isDirectory()) {
        if (!isSkipped(entry.name) && !isIgnored(path, true, ignores, excludes)) visit(`${path}/`, ignores);
      } else if (entry.isFile() && isSourceName(entry.name) && !isIgnored(path, false, ignores, excludes)) found.push(path);
    }
  };
  visit("", []);
  return found.sort();
}

/** Whether {@link listSources} would list this path if it were a file. */
export function isSource(root: string, file: string, options: ListOptions): boolean {
  const parts = file.split("/");
  const name = parts.pop() ?? "";
  if (!isSourceName(name) || parts.some((part) => isSkipped(part) || part === "")) return false;
  const excludes = parseIgnore(options.exclude.join("\n"), "");
  let directory = "";
  let ignores = enterDirectory(root, directory, []);
  for (const part of parts) {
    if (isIgnored(directory + part, true, ignores, excludes)) return false;
    directory += `${part}/`;
    ignores = enterDirectory(root, directory, ignores);
  }
  return !isIgnored(file, false, ignores, excludes);
}

/** `file` is a path from the workspace's root, so that the name of the workspace itself says nothing. */
export function describePlace(file: string): Place {
  const directories = file.split("/");
  const name = directories.pop() ?? "";
  const some = (pattern: RegExp): boolean => directories.some((directory) => pattern.test(directory));
  return {
    test:
      TEST_FILE.test(name) ||
      some(TEST_DIRECTORY) ||
      some(DEPLOY_DIRECTORY) ||
      (CONFIGURATION_FILE.test(name) && !some(INNER_DIRECTORY)) ||
      (DEPLOY_FILE.test(name) && !some(PRODUCT_DIRECTORY)),
    lenient: some(LENIENT_DIRECTORY) || (LENIENT_FILE.test(name) && !some(PRODUCT_DIRECTORY)),
  };
}

/** A pattern of gitignore's grammar (wildmatch) that matches whole paths; `undefined` if it can match nothing. */
export function compileGlob(glob: string): RegExp | undefined {
  let source = "";
  for (let at = 0; at < glob.length;) {
    const rest = glob.slice(at);
    const boundary = at === 0 || glob[at - 1] === "/";
    const stars = boundary ? /^\*\*+(\/|$)/.exec(rest) : null;
    const run = /^\*+/.exec(rest);
    if (stars) {
      source += stars[1] === "/" ? "(?:.*/)?" : ".+";
      at += stars[0].length;
    } else if (run) {
      source += "[^/]*";
      at += run[0].length;
    } else if (rest[0] === "[") {
      const set = /^\[([!^]?)(\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]/s.exec(rest);
      const members = set && compileSet(set[2] ?? "");
      if (!set || members === undefined) return undefined;
      source += `(?!/)[${set[1] === "" ? "" : "^"}${members}]`;
      at += set[0].length;
    } else {
      const escaped = rest[0] === "\\";
      const character = escaped ? rest[1] : rest[0];
      if (character === undefined) return undefined;
      source += !escaped && character === "?" ? "[^/]" : escape(character);
      at += escaped ? 2 : 1;
    }
  }
  return new RegExp(`^${source}$`, "s");
}

const CLASSES: Readonly<Record<string, string>> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "A-Za-z0-9",
  upper: "A-Z",
  lower: "a-z",
  space: "\\s",
  blank: " \\t",
  xdigit: "A-Fa-f0-9",
  punct: "!-\\/:-@\\[-`{-~",
  cntrl: "\\x00-\\x1f\\x7f",
  graph: "!-~",
  print: " -~",
};

/** The members of `[…]` for a regular expression. */
function compileSet(text: string): string | undefined {
  let source = "";
  for (const [, name, from = "", to] of text.matchAll(/\[:([a-z]+):\]|((?:\\.|[^\\]))(?:-((?:\\.|[^\\])))?/gs)) {
    if (name !== undefined) {
      const members = CLASSES[name];
      if (members === undefined) return undefined;
      source += members;
      continue;
    }
    const [first, last] = [from.at(-1) ?? "", (to ?? from).at(-1) ?? ""];
    // A range that runs backwards has no members.
    if (first <= last) source += `${escape(first)}-${escape(last)}`;
  }
  return source;
}

/** Reads patterns as git does: trailing spaces, comments, `!`, a slash at the end, in front or in between. */
function parseIgnore(text: string, base: string): IgnoreFile {
  const rules: IgnoreRule[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    let glob = line.replace(/(?<!\\)((?:\\\\)*) +$/, "$1");
    if (glob === "" || glob.startsWith("#")) continue;
    const negated = glob.startsWith("!");
    if (negated) glob = glob.slice(1);
    const directory = glob.endsWith("/");
    if (directory) glob = glob.slice(0, -1);
    const whole = glob.includes("/");
    const pattern = compileGlob(glob.startsWith("/") ? glob.slice(1) : glob);
    if (pattern && glob !== "") rules.push({ negated, directory, whole, pattern });
  }
  return { base, rules: rules.reverse() };
}

/** The ignore files that count below a directory, the nearest first. */
function enterDirectory(root: string, directory: string, above: readonly IgnoreFile[]): readonly IgnoreFile[] {
  try {
    return [parseIgnore(readFileSync(join(root, directory, ".gitignore"), "utf8"), directory), ...above];
  } catch {
    // Nearly every directory has none, and one that cannot be read ignores nothing.
    return above;
  }
}

function isIgnored(path: string, directory: boolean, ignores: readonly IgnoreFile[], excludes: IgnoreFile): boolean {
  if (decide(path, directory, excludes) === true) return true;
  for (const file of ignores) {
    const decision = decide(path, directory, file);
    if (decision !== undefined) return decision;
  }
  return false;
}

/** What the last of the patterns that match says; they are kept in reverse. */
function decide(path: string, directory: boolean, { base, rules }: IgnoreFile): boolean | undefined {
  if (rules.length === 0) return undefined;
  const below = path.slice(base.length);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const rule = rules.find((rule) => (directory || !rule.directory) && rule.pattern.test(rule.whole ? below : name));
  return rule && !rule.negated;
}

function isSkipped(name: string): boolean {
  return name.startsWith(".") || SKIPPED.has(name);
}

function isSourceName(name: string): boolean {
  return SOURCE.test(name) && !GENERATED.test(name);
}

function escape(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&");
}

function readDirectory(path: string, onUnreadable: () => void): readonly Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    // Gone in the meantime, or not ours to read.
    if (error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM")) onUnreadable();
    return [];
  }
}
