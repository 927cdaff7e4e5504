/** `baseUrl` and `paths` of `tsconfig.json` and `jsconfig.json`, with what they extend and refer to. */
import { posix, relative } from "node:path";
import { ancestorsOf, findPackage, isRecord, listStrings, parentOf, readJson, type PackageContext } from "./packages.ts";

export interface MappingContext extends PackageContext {
  readonly mappings: Map<string, readonly Mapping[]>;
}

/** Where imports lead that are not relative. */
export interface Mapping {
  readonly baseUrl: string | undefined;
  /** What the targets in `paths` start from; those that start with `/` start from the workspace's root. */
  readonly base: string;
  readonly paths: Readonly<Record<string, unknown>>;
}

interface Compiled {
  readonly baseUrl?: string;
  readonly paths?: Mapping["paths"];
  /** The directory of the file that says `paths`. */
  readonly origin?: string;
}

const CONFIG_DIRECTORY = "${configDir}";

/** The mappings of the configuration in a directory, and of those beside it that it refers to (`tsconfig.app.json`). */
export function readMappings(context: MappingContext, directory: string): readonly Mapping[] {
  const known = context.mappings.get(directory);
  if (known) return known;
  const files = ["tsconfig.json", "jsconfig.json"].map((name) => posix.join(directory, name));
  const file = files.find((file) => readJson(context, file));
  const found =
    file === undefined ? [] : [file, ...listReferences(context, file)].flatMap((file) => complete(compile(context, file, directory, [])));
  context.mappings.set(directory, found);
  return found;
}

function complete({ baseUrl, paths, origin }: Compiled): readonly Mapping[] {
  return baseUrl === undefined && paths === undefined ? [] : [{ baseUrl, base: baseUrl ?? origin ?? "", paths: paths ?? {} }];
}

/** `above` are the files that lead here, so that none is read within itself. */
function compile(context: MappingContext, file: string, configDirectory: string, above: readonly string[]): Compiled {
  const json = above.includes(file) ? undefined : readJson(context, file);
  if (!json) return {};
  const parents = typeof json["extends"] === "string" ? [json["extends"]] : listStrings(json["extends"]);
  const inherited = parents.flatMap((parent) => findExtended(context, file, parent) ?? []);
  // Of several files to extend the last one wins.
  const compiled: { -readonly [Key in keyof Compiled]: Compiled[Key] } = {};
  for (const parent of inherited) Object.assign(compiled, compile(context, parent, configDirectory, [...above, file]));
  const options = isRecord(json["compilerOptions"]) ? json["compilerOptions"] : {};
  const directory = parentOf(file);
  const { baseUrl, paths } = options;
  const fromConfig = (path: string): string | undefined =>
    path.startsWith(CONFIG_DIRECTORY) ? `/${posix.join(configDirectory, path.slice(CONFIG_DIRECTORY.length))}` : undefined;
  if (typeof baseUrl === "string") compiled.baseUrl = fromConfig(baseUrl)?.slice(1) ?? posix.join(directory, baseUrl);
  if (isRecord(paths)) {
    const placed = Object.entries(paths).map(
      ([key, targets]) => [key, listStrings(targets).map((target) => fromConfig(target) ?? target)] as const,
    );
    compiled.paths = Object.fromEntries(placed);
    compiled.origin = directory;
  }
  return compiled;
}

function findExtended(context: MappingContext, from: string, extended: string): string | undefined {
  const forms = (path: string): readonly string[] => [path, `${path}.json`, posix.join(path, "tsconfig.json")];
  const directory = parentOf(from);
  let candidates: readonly string[];
  if (/^\.\.?(?:\/|$)/.test(extended)) candidates = forms(posix.join(directory, extended));
  else if (posix.isAbsolute(extended)) candidates = forms(relative(context.sources.root, extended).replaceAll("\\", "/"));
  else {
    const installed = ancestorsOf(directory).map((above) => posix.join(above, "node_modules", extended));
    const [, name = "", rest = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/s.exec(extended) ?? [];
    const home = findPackage(context, directory, name);
    candidates = [...(home ? [posix.join(home.directory, rest)] : []), ...installed].flatMap(forms);
  }
  return candidates.find((candidate) => readJson(context, candidate));
}

/** Vite's templates keep `paths` in a second file, which the first one only refers to. */
function listReferences(context: MappingContext, file: string): readonly string[] {
  const references = readJson(context, file)?.["references"];
  if (!Array.isArray(references)) return [];
  const directory = parentOf(file);
  const paths = listStrings(references.map((reference: unknown) => (isRecord(reference) ? reference["path"] : undefined)));
  return paths.map((path) => posix.join(directory, path)).filter((path) => parentOf(path) === directory && path.endsWith(".json"));
}
