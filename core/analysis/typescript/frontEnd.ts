/** TypeScript and JavaScript, as the analysis asks for them. */
import type { AnalysisSettings } from "../check.ts";
import { canonical, type Catalogue } from "../catalogue/catalogue.ts";
import type { FlowModule } from "../flow.ts";
import type { FrontEnd } from "../frontEnd.ts";
import type { Sources } from "../scan.ts";
import { openImportGraph } from "./importGraph.ts";
import { lowerFile } from "./lower.ts";
import { manifestsAbove } from "./packages.ts";
import { createPrefilter } from "./prefilter.ts";
import { printFix } from "./print.ts";
import { openResolver, resolveImport, upToDate } from "./resolve.ts";
import { parentOf } from "./packages.ts";

/** Words that a file has which says something about files and paths, or about the types of what handles them. */
const RELEVANT = [
  "fs",
  "unlink",
  "rm",
  "rimraf",
  "tmpdir",
  "mkdtemp",
  "path",
  "Path",
  "join",
  "__dirname",
  "cwd",
  "createReadStream",
  "createWriteStream",
  "writeFile",
  "readFile",
  "ffmpeg",
  "interface",
  "abstract",
  "implements",
  "multer",
  "upload",
  "spawn",
  "exec",
  "execa",
  "cleanup",
];

/** Words of deletions, and those that a deletion of more than one file comes with. */
const DELETIONS = ["rm", "rmSync", "rmdir", "rmdirSync", "unlink", "unlinkSync", "rimraf", "rimrafSync", "emptyDir", "del", "deleteAsync"];
const MANY = ["recursive", "rf", "readdir", "readdirSync", "rimraf", "glob", "del", "cron", "schedule", "setInterval"];

/** Pairs of words, one of each of which a file has that says what becomes of the files of others. */
const TELLING: readonly (readonly [words: readonly string[], also: readonly string[]])[] = [
  [DELETIONS, MANY],
  [["fs-extra"], ["remove", "removeSync", "emptyDir"]],
  // Where files of requests are put, and which of them are handed out.
  [["multer"], ["storage", "Storage", "dest"]],
  [["MulterModule"], ["register", "registerAsync"]],
  [["express"], ["static"]],
];

const BUILT_IN = new Set([
  "fs",
  "child_process",
  "path",
  "os",
  "stream",
  "http",
  "https",
  "global",
  "*",
  "util",
  "crypto",
  "process",
  "events",
]);

export function openTypeScript(sources: Sources, catalogue: Catalogue, _settings: AnalysisSettings): FrontEnd {
  const prefilter = createPrefilter(sources, catalogue.tokens);
  const resolver = openResolver(sources);
  const graph = openImportGraph(sources, prefilter, resolver);
  const modules = new Map<string, { readonly version: string; readonly module: FlowModule }>();
  const packages = new Map<string, ReadonlySet<string>>();
  const undeclared = new Map<string, boolean>();
  let revision = sources.revision();

  const dependenciesOf = (file: string): ReadonlySet<string> => {
    if (revision !== sources.revision()) {
      revision = sources.revision();
      packages.clear();
      undeclared.clear();
    }
    const directory = parentOf(file);
    const known = packages.get(directory);
    if (known) return known;
    const names = new Set<string>();
    const manifests = manifestsAbove(upToDate(resolver), directory);
    for (const manifest of manifests) for (const name of manifest.dependencies) names.add(canonical(name, "").module);
    // Nothing says what the workspace depends on: what any of its files imports.
    if (manifests.length === 0)
      for (const file of sources.files())
        for (const { specifier } of graph.importsOf(file).imports) names.add(canonical(specifier, "").module);
    packages.set(directory, names);
    return names;
  };

  const imports = (file: string, module: string): boolean =>
    graph.importsOf(file).imports.some(({ specifier }) => canonical(specifier, "").module === module);

  const containing = (words: readonly string[], also: readonly string[]): readonly string[] =>
    prefilter.filesContaining(words, (file) => also.some((word) => prefilter.mayContain(file, word)));

  const contains = (file: string, words: readonly string[], also: readonly string[]): boolean =>
    prefilter.contains(file, words) && also.some((word) => prefilter.mayContain(file, word));

  return {
    sources,
    candidates: (options) =>
      prefilter
        .candidates({ ...(options.signal && { signal: options.signal }), ...(options.onFile && { onFile: options.onFile }) })
        .concat(...TELLING.map(([words, also]) => containing(words, also))),
    isCandidate: (file) =>
      sources.has(file) && (prefilter.isCandidate(file) || TELLING.some(([words, also]) => contains(file, words, also))),
    lower(file) {
      const version = sources.version(file);
      const known = modules.get(file);
      if (known && known.version === version) return known.module;
      const module = lowerFile(file, sources.read(file));
      modules.set(file, { version, module });
      return module;
    },
    parse: (file, text) => lowerFile(file, text),
    isRelevant(file) {
      if (RELEVANT.some((word) => prefilter.mayContain(file, word))) return true;
      const { reexports, exportsAll } = graph.importsOf(file);
      return reexports.length > 0 || exportsAll.length > 0;
    },
    resolve: (from, specifier) => resolveImport(resolver, from, specifier),
    uses(file, module) {
      if (BUILT_IN.has(module)) return true;
      if (dependenciesOf(file).has(module)) return true;
      return imports(file, module);
    },
    isBeside(file, module) {
      const home = manifestsAbove(upToDate(resolver), parentOf(file))[0]?.directory ?? "";
      const key = `${home}\n${module}`;
      let imported = undeclared.get(key);
      if (imported === undefined) {
        const beside = (other: string): boolean => home === "" || other.startsWith(`${home}/`);
        imported = prefilter.filesContaining([module]).some((other) => beside(other) && imports(other, module));
        undeclared.set(key, imported);
      }
      return imported;
    },
    importsChanged() {
      packages.clear();
      undeclared.clear();
    },
    importersOf: (file, name) => graph.importersOfName(file, name),
    containing,
    contains,
    importsOf: (file) => JSON.stringify(graph.importsOf(file)),
    mentioning: (word) => prefilter.filesContaining([word]),
    print: (finding, plan, module) => printFix(finding, plan, module, sources.read(plan.file)),
  };
}
