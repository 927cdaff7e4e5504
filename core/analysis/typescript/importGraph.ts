/** Who imports from whom, asked from the imported side without reading all files: their words tell which may. */
import { posix } from "node:path";
import type { Sources } from "../scan.ts";
import { collectEntryPoints, type EntryPoints } from "./entryPoints.ts";
import { readImports, type ImportEntry, type ImportFacts } from "./imports.ts";
import type { Prefilter } from "./prefilter.ts";
import { resolveImport, type ResolveContext, upToDate } from "./resolve.ts";

export interface ImportGraph {
  importsOf(file: string): ImportFacts;
  /** The workspace files that a file imports. */
  importedBy(file: string): readonly string[];
  /** The files that import one of these, directly or through files that pass exports on; the latter included. Sorted. */
  dependentsOf(files: readonly string[]): readonly string[];
  /**
   * The files that import what `file` exports as `name` (`default`, too), perhaps under another name from a file that passes
   * it on. Importing a whole module counts where the name is written. Sorted.
   */
  importersOfName(file: string, name: string): readonly string[];
}

/** An export of a file; without a name any of them. */
interface Export {
  readonly file: string;
  readonly name: string | undefined;
}

export function openImportGraph(sources: Sources, prefilter: Prefilter, context: ResolveContext): ImportGraph {
  const known = new Map<string, { readonly version: string; readonly facts: ImportFacts }>();
  let entryPoints: { readonly revision: number; readonly found: EntryPoints } | undefined;

  const importsOf = (file: string): ImportFacts => {
    const version = sources.version(file);
    const entry = known.get(file);
    if (entry?.version === version) return entry.facts;
    const facts = readImports(sources.read(file));
    known.set(file, { version, facts });
    return facts;
  };
  const entryWords = (file: string): readonly string[] => {
    const revision = sources.revision();
    if (entryPoints?.revision !== revision) entryPoints = { revision, found: collectEntryPoints(upToDate(context)) };
    return entryPoints.found.wordsFor(file);
  };

  /** Files that may import from `file`, by the words that their specifiers would have. */
  const listSuspects = ({ file, name }: Export): readonly string[] => {
    const stem = posix.basename(file, posix.extname(file));
    const entries = entryWords(file);
    const unnamed = stem === "index" || entries.length > 0;
    const directory = posix.basename(posix.dirname(file));
    const words = [stem, ...entries, ...(stem === "index" && directory !== "." ? [directory] : [])];
    return sources.files().filter((suspect) => {
      if (suspect === file) return false;
      if (name !== undefined && name !== "default" && !prefilter.mayContain(suspect, name) && !prefilter.passesOn(suspect)) return false;
      return words.some((word) => prefilter.mayContain(suspect, word)) || (unnamed && prefilter.importsUnnamed(suspect));
    });
  };

  /** What `importer` passes on of an export; `undefined` if it does not even import it. */
  const follow = (importer: string, { file, name }: Export): readonly Export["name"][] | undefined => {
    const { imports, reexports, exportsAll } = importsOf(importer);
    const leads = (specifier: string): boolean => resolveImport(context, importer, specifier) === file;
    const uses = ({ specifier, names }: ImportEntry): boolean =>
      (name === undefined || names === "*" || names.includes(name)) && leads(specifier);
    if (!imports.some(uses)) return undefined;
    const all = exportsAll.some(leads);
    if (name === undefined) return all || reexports.some(({ specifier }) => leads(specifier)) ? [undefined] : [];
    const renamed = reexports.filter((entry) => (entry.name === name || entry.name === "*") && leads(entry.specifier));
    // `export *` does not pass a default export on.
    return [...renamed.map((entry) => entry.as), ...(all && name !== "default" ? [name] : [])];
  };

  const collect = (start: readonly Export[]): readonly string[] => {
    const found = new Set<string>();
    const queue = [...start];
    const seen = new Set(start.map(describeExport));
    for (const item of queue) {
      for (const importer of listSuspects(item)) {
        const passed = follow(importer, item);
        if (!passed) continue;
        found.add(importer);
        for (const name of passed) {
          const next = { file: importer, name };
          if (!seen.has(describeExport(next))) queue.push(next);
          seen.add(describeExport(next));
        }
      }
    }
    for (const { file } of start) found.delete(file);
    return [...found].sort();
  };

  return {
    importsOf,
    importedBy(file) {
      const targets = importsOf(file).imports.flatMap(({ specifier }) => resolveImport(context, file, specifier) ?? []);
      return [...new Set(targets)];
    },
    dependentsOf: (files) => collect(files.map((file) => ({ file, name: undefined }))),
    importersOfName: (file, name) => collect([{ file, name }]),
  };
}

function describeExport({ file, name }: Export): string {
  return `${file}\n${name ?? ""}`;
}
