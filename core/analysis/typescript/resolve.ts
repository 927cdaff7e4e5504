/**
 * Which file of the workspace an import means. Generous where tools differ: a file that might be meant is better than none,
 * and what is built (`dist/index.js`) stands for its source. Directories are `""` for the root or paths without a slash at the end.
 */
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import type { Sources } from "../scan.ts";
import { ancestorsOf, findPackage, manifestsAbove, parentOf, readManifest, trimPath, type Manifest } from "./packages.ts";
import { readMappings, type MappingContext } from "./tsconfig.ts";

/** What was found out about packages and settings; forgotten when the sources' revision changes. */
export interface ResolveContext extends MappingContext {
  revision: number;
  readonly resolved: Map<string, string | undefined>;
}

const EXTENSIONS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];
/** What TypeScript looks for first where an import names a file that it would write. */
const WRITTEN_AS: Readonly<Record<string, readonly string[]>> = {
  ".js": [".ts", ".tsx", ".js", ".jsx"],
  ".jsx": [".tsx", ".jsx"],
  ".mjs": [".mts", ".mjs"],
  ".cjs": [".cts", ".cjs"],
};
const CODE = /(?:\.d)?\.[cm]?[jt]sx?$/;
/** Directories that builds write into, and those that they make within them. */
const BUILT = /^(?:dist|build|lib|out|output|es|esm|cjs|umd|types|typings)(?:[-_.].*)?$/;
const WITHIN_BUILT = /^(?:es|esm|cjs|umd|types|typings|lib|node|import|require|module|commonjs|src)$/;
const CONDITIONS = ["source", "import", "module", "require", "node", "default", "types"];

export function openResolver(sources: Sources): ResolveContext {
  return {
    sources,
    revision: sources.revision(),
    resolved: new Map(),
    manifests: new Map(),
    workspaces: new Map(),
    directories: new Set(),
    mappings: new Map(),
  };
}

/** The source file that `specifier` means in `from`; `undefined` for packages that are installed, missing files and other media. */
export function resolveImport(context: ResolveContext, from: string, specifier: string): string | undefined {
  upToDate(context);
  const directory = parentOf(from);
  const key = `${directory}\n${specifier}`;
  if (context.resolved.has(key)) return context.resolved.get(key);
  const plain = specifier.replace(/(?!^)[?#].*$/s, "");
  const file = resolveFrom(context, directory, specifier) ?? (plain === specifier ? undefined : resolveFrom(context, directory, plain));
  context.resolved.set(key, file);
  return file;
}

/** The same context, without what has changed since. Whoever looks into it from outside asks for this first. */
export function upToDate(context: ResolveContext): ResolveContext {
  const revision = context.sources.revision();
  if (revision === context.revision) return context;
  context.revision = revision;
  const { resolved, manifests, workspaces, directories, mappings } = context;
  for (const cache of [resolved, manifests, workspaces, directories, mappings]) cache.clear();
  return context;
}

function resolveFrom(context: ResolveContext, directory: string, specifier: string): string | undefined {
  if (/^\.\.?(?:\/|$)/.test(specifier)) {
    const path = posix.join(directory, specifier);
    // With dots or a slash at the end it is a directory, even if there is a file of that name, too.
    return /(?:^|\/)\.{0,2}$/.test(specifier) ? resolveDirectory(context, path) : resolvePath(context, path);
  }
  if (specifier === "" || isBuiltin(specifier)) return undefined;
  return (
    (specifier.startsWith("#") ? resolveInternal(context, directory, specifier) : undefined) ??
    resolveMapped(context, directory, specifier) ??
    resolvePackage(context, directory, specifier) ??
    resolveCustomary(context, directory, specifier)
  );
}

/** A file, or the file that a directory stands for. */
function resolvePath(context: ResolveContext, path: string): string | undefined {
  return resolveFile(context, trimPath(path)) ?? resolveDirectory(context, path);
}

function resolveDirectory(context: ResolveContext, path: string): string | undefined {
  const directory = trimPath(path);
  if (directory === ".." || directory.startsWith("../")) return undefined;
  const manifest = readManifest(context, directory);
  return (manifest && resolveSubpath(context, manifest, ".")) ?? resolveFile(context, posix.join(directory, "index"));
}

function resolveFile({ sources }: ResolveContext, path: string): string | undefined {
  const extension = posix.extname(path);
  const stem = path.slice(0, path.length - extension.length);
  const candidates = [
    ...(WRITTEN_AS[extension] ?? [extension]).map((written) => stem + written),
    ...EXTENSIONS.map((extension) => path + extension),
  ];
  return candidates.find((candidate) => sources.has(candidate));
}

/** `baseUrl` and `paths` of the nearest configuration, then of those above. */
function resolveMapped(context: ResolveContext, directory: string, specifier: string): string | undefined {
  for (const above of ancestorsOf(directory)) {
    for (const { baseUrl, base, paths } of readMappings(context, above)) {
      for (const target of matchKey(paths, specifier)) {
        const file = resolvePath(context, target.startsWith("/") ? target.slice(1) : posix.join(base, target));
        if (file !== undefined) return file;
      }
      const file = baseUrl === undefined ? undefined : resolvePath(context, posix.join(baseUrl, specifier));
      if (file !== undefined) return file;
    }
  }
  return undefined;
}

/** `imports` of the package: `#db`. */
function resolveInternal(context: ResolveContext, directory: string, specifier: string): string | undefined {
  for (const manifest of manifestsAbove(context, directory)) {
    for (const target of matchKey(manifest.imports, specifier)) {
      const file = target.startsWith("./")
        ? resolveTarget(context, manifest.directory, target)
        : resolvePackage(context, manifest.directory, target);
      if (file !== undefined) return file;
    }
  }
  return undefined;
}

/** A package of the workspace by its name, or the package itself. */
function resolvePackage(context: ResolveContext, directory: string, specifier: string): string | undefined {
  const [, name = "", rest = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/s.exec(specifier) ?? [];
  const home = findPackage(context, directory, name);
  return home && resolveSubpath(context, home, `.${rest}`);
}

/** What Next, Nuxt and templates for Vite mean by `@/` and `~/`, even where no configuration says so. */
function resolveCustomary(context: ResolveContext, directory: string, specifier: string): string | undefined {
  const rest = /^[@~]\/(.*)$/s.exec(specifier)?.[1];
  if (rest === undefined) return undefined;
  const homes = [...manifestsAbove(context, directory).map((manifest) => manifest.directory), ""];
  const bases = homes.flatMap((home) => [posix.join(home, "src"), home, posix.join(home, "app")]);
  for (const base of bases) {
    const file = resolvePath(context, posix.join(base, rest));
    if (file !== undefined) return file;
  }
  return undefined;
}

/** What a package exports as `.` or `./…`. */
function resolveSubpath(context: ResolveContext, manifest: Manifest, subpath: string): string | undefined {
  const { directory, exports } = manifest;
  const sugar = typeof exports === "object" && exports !== null && Object.keys(exports).some((key) => key.startsWith("."));
  const targets = [
    ...matchKey(sugar ? exports : { ".": exports }, subpath),
    ...(subpath === "." ? [...manifest.mains, "./src/index", "./index", "./lib/index"] : [subpath]),
  ];
  for (const target of targets) {
    const file = resolveTarget(context, directory, target);
    if (file !== undefined) return file;
  }
  return undefined;
}

/** The file that a `package.json` names, or the source that it was built from. */
function resolveTarget(context: ResolveContext, directory: string, target: string): string | undefined {
  const parts = posix
    .normalize(target)
    .split("/")
    .filter((part) => part !== "." && part !== "");
  const variants = [parts, ["src", ...parts]];
  if (parts.length > 1 && BUILT.test(parts[0] ?? "")) {
    let rest = parts.slice(1);
    variants.push(["src", ...rest], rest);
    while (rest.length > 1 && WITHIN_BUILT.test(rest[0] ?? "")) {
      rest = rest.slice(1);
      variants.push(["src", ...rest], rest);
    }
  }
  for (const variant of variants) {
    const path = posix.join(directory, ...variant);
    const stem = path.replace(CODE, "");
    const file =
      resolveFile(context, path) ??
      (stem === path ? undefined : resolveFile(context, stem)) ??
      resolveFile(context, posix.join(path, "index"));
    if (file !== undefined) return file;
  }
  return undefined;
}

/** The targets of the key that fits best: itself, else the pattern with the longest beginning. */
function matchKey(table: unknown, key: string): readonly string[] {
  if (typeof table !== "object" || table === null) return [];
  const entries = Object.entries(table);
  const exact = entries.find(([name]) => name === key);
  if (exact) return collectTargets(exact[1], "");
  let best: { readonly value: unknown; readonly length: number; readonly rest: string } | undefined;
  for (const [name, value] of entries) {
    // A slash at the end is how directories were exported before there were patterns.
    const [head = "", tail] = (name.endsWith("/") ? `${name}*` : name).split("*");
    if (tail === undefined || key.length < head.length + tail.length || !key.startsWith(head) || !key.endsWith(tail)) continue;
    if (best && best.length >= head.length) continue;
    best = { value, length: head.length, rest: key.slice(head.length, key.length - tail.length) };
  }
  return best ? collectTargets(best.value, best.rest) : [];
}

/** All targets behind conditions and alternatives, those first that lead to source most likely. */
function collectTargets(value: unknown, rest: string): readonly string[] {
  if (typeof value === "string") return [value.endsWith("/") ? value + rest : value.replaceAll("*", () => rest)];
  if (Array.isArray(value)) return value.flatMap((item: unknown) => collectTargets(item, rest));
  if (typeof value !== "object" || value === null) return [];
  const rank = (condition: string): number => (CONDITIONS.includes(condition) ? CONDITIONS.indexOf(condition) : CONDITIONS.length);
  const entries = Object.entries(value).sort(([left], [right]) => rank(left) - rank(right));
  return entries.flatMap(([, target]) => collectTargets(target, rest));
}
