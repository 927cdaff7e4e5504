/** The packages of a workspace: what their `package.json` says and which of them belong together. */
import { readdirSync } from "node:fs";
import { posix } from "node:path";
import { parse } from "jsonc-parser";
import type { Sources } from "../scan.ts";
import { compileGlob } from "../sources.ts";

/** What was found out so far. Directories are `""` for the root or paths without a slash at the end. */
export interface PackageContext {
  readonly sources: Sources;
  readonly manifests: Map<string, Manifest | undefined>;
  readonly workspaces: Map<string, ReadonlyMap<string, string>>;
  /** All directories with source files in or below them. */
  readonly directories: Set<string>;
}

/** What a `package.json` says, with the globs of workspace files beside it. */
export interface Manifest {
  readonly directory: string;
  readonly name: string | undefined;
  readonly mains: readonly string[];
  readonly exports: unknown;
  readonly imports: unknown;
  readonly workspaces: readonly string[];
  /** Dependencies that are directories, by name. */
  readonly links: ReadonlyMap<string, string>;
  /** Dependencies that some other package of the workspace is, wherever it lies: `workspace:*`. */
  readonly siblings: ReadonlySet<string>;
  /** Names of everything that it depends on. */
  readonly dependencies: readonly string[];
}

/** The packages that a directory lies in, the innermost first. */
export function manifestsAbove(context: PackageContext, directory: string): readonly Manifest[] {
  return ancestorsOf(directory).flatMap((above) => readManifest(context, above) ?? []);
}

export function readManifest(context: PackageContext, directory: string): Manifest | undefined {
  if (context.manifests.has(directory)) return context.manifests.get(directory);
  const read = (name: string): Readonly<Record<string, unknown>> | undefined => readJson(context, posix.join(directory, name));
  const json = read("package.json");
  const workspaces = json?.["workspaces"];
  const globs = [...listStrings(isRecord(workspaces) ? workspaces["packages"] : workspaces)];
  if (json || directory === "") globs.push(...readPackageLines(context.sources.read(posix.join(directory, "pnpm-workspace.yaml"))));
  if (json && globs.length === 0) globs.push(...listStrings(read("lerna.json")?.["packages"]));
  const dependencies = [json?.["devDependencies"], json?.["dependencies"]].filter(isRecord).flatMap((table) => Object.entries(table));
  const links = dependencies.flatMap(([name, version]) => {
    const path = typeof version === "string" ? /^(?:file|link|portal|workspace):(\.{1,2}\/.*)$/.exec(version)?.[1] : undefined;
    return path === undefined ? [] : [[name, trimPath(posix.join(directory, path))] as const];
  });
  const manifest: Manifest | undefined =
    json || globs.length > 0
      ? {
          directory,
          name: listStrings([json?.["name"]])[0],
          mains: listStrings([json?.["source"], json?.["module"], json?.["main"], json?.["types"], json?.["typings"]]),
          exports: json?.["exports"],
          imports: json?.["imports"],
          workspaces: globs,
          links: new Map(links),
          dependencies: dependencies.map(([name]) => name),
          siblings: new Set(dependencies.flatMap(([name, version]) => (String(version).startsWith("workspace:") ? [name] : []))),
        }
      : undefined;
  context.manifests.set(directory, manifest);
  return manifest;
}

/** The items below `packages:`, which is all of `pnpm-workspace.yaml` that matters here. */
function readPackageLines(text: string): readonly string[] {
  const [, inline, block = ""] = /^packages:[ \t]*(?:\[([^\]]*)\]|(?:#.*)?\r?\n((?:[ \t]*(?:-.*|#.*)?(?:\r?\n|$))*))/m.exec(text) ?? [];
  const items = inline === undefined ? block.split("\n").map((line) => /^\s*-\s*(.*)$/.exec(line.trim())?.[1] ?? "") : inline.split(",");
  const values = items.map((item) => /^\s*(?:"([^"]*)"|'([^']*)'|([^#]*))/.exec(item)?.slice(1).join("").trim() ?? "");
  return values.filter((value) => value !== "");
}

/** The package that is called `name` for the files in a directory. */
export function findPackage(context: PackageContext, directory: string, name: string): Manifest | undefined {
  const above = manifestsAbove(context, directory);
  for (const manifest of above) {
    if (manifest.name === name) return manifest;
    const home = manifest.links.get(name) ?? readWorkspaces(context, manifest.directory, manifest.workspaces).get(name);
    const found = home === undefined ? undefined : readManifest(context, home);
    if (found) return found;
  }
  // The file that lists the packages may lie outside, where only a part of a workspace is open.
  const home = above.some(({ siblings }) => siblings.has(name)) ? readWorkspaces(context, "", ["**"]).get(name) : undefined;
  return home === undefined ? undefined : readManifest(context, home);
}

/** Directories of packages by their names, of those that the globs of a workspace's directory match. */
function readWorkspaces(context: PackageContext, directory: string, workspaces: readonly string[]): ReadonlyMap<string, string> {
  const key = [directory, ...workspaces].join("\n");
  const known = context.workspaces.get(key);
  if (known) return known;
  const packages = new Map<string, string>();
  context.workspaces.set(key, packages);
  if (workspaces.length === 0) return packages;
  const globs = workspaces.flatMap(expandBraces).map((glob) => {
    const negated = glob.startsWith("!");
    return { negated, pattern: compileGlob(trimPath(posix.normalize(glob.slice(negated ? 1 : 0)))) };
  });
  const prefix = directory === "" ? "" : `${directory}/`;
  const bare = workspaces.flatMap((glob) =>
    /^[^*?{![]+\/\*\/?$/.test(glob) ? listDirectories(context, prefix + glob.replace(/\/\*\/?$/, "")) : [],
  );
  for (const candidate of new Set([...listAllDirectories(context), ...bare])) {
    if (!candidate.startsWith(prefix)) continue;
    const path = candidate.slice(prefix.length);
    const last = globs.findLast(({ pattern }) => pattern?.test(path));
    const name = last && !last.negated ? readManifest(context, candidate)?.name : undefined;
    if (name !== undefined && !packages.has(name)) packages.set(name, candidate);
  }
  return packages;
}

/** All directories with source files in or below them, the root included. */
export function listAllDirectories({ sources, directories }: PackageContext): ReadonlySet<string> {
  if (directories.size > 0) return directories;
  directories.add("");
  for (const file of sources.files()) {
    for (let directory = parentOf(file); !directories.has(directory); directory = parentOf(directory)) directories.add(directory);
  }
  return directories;
}

/** Packages without a source file count, too: the one with everybody's `tsconfig.json`. */
function listDirectories({ sources }: PackageContext, directory: string): readonly string[] {
  try {
    const entries = readdirSync(posix.join(sources.root, directory), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => posix.join(directory, entry.name));
  } catch {
    // The glob names a directory that is not there.
    return [];
  }
}

/** `{a,b}` as separate patterns. */
function expandBraces(glob: string): readonly string[] {
  const [whole, head = "", choices = "", tail = ""] = /^([^{}]*)\{([^{}]*)\}(.*)$/s.exec(glob) ?? [];
  return whole === undefined ? [glob] : choices.split(",").flatMap((choice) => expandBraces(head + choice + tail));
}

/** `undefined` for what is missing or no object. Comments and commas too many are let pass. */
export function readJson({ sources }: PackageContext, file: string): Readonly<Record<string, unknown>> | undefined {
  const text = sources.read(file);
  const value: unknown = text === "" ? undefined : parse(text, [], { allowTrailingComma: true });
  return isRecord(value) ? value : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function listStrings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item: unknown) => typeof item === "string") : [];
}

/** The directory itself and those around it up to the root. */
export function ancestorsOf(directory: string): readonly string[] {
  return directory === "" ? [""] : [directory, ...ancestorsOf(parentOf(directory))];
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** `./a/b/` → `a/b`, `.` → `""`. */
export function trimPath(path: string): string {
  const normal = posix.normalize(path).replace(/\/$/, "");
  return normal === "." ? "" : normal;
}
