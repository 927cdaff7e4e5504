/** By which words a file may be imported that its own name does not have: names of packages, aliases, directories. */
import { posix } from "node:path";
import { isRecord, listAllDirectories, readManifest, type Manifest } from "./packages.ts";
import { resolveImport, type ResolveContext } from "./resolve.ts";
import { readMappings } from "./tsconfig.ts";

export interface EntryPoints {
  /** Words of imports that lead to the file. */
  wordsFor(file: string): readonly string[];
}

/** Holds until the sources' revision changes. */
export function collectEntryPoints(context: ResolveContext): EntryPoints {
  const exact = new Map<string, string[]>();
  const below: { readonly prefix: string; readonly word: string }[] = [];
  const add = (directory: string, specifier: string, words: readonly string[] = [specifier]): void => {
    const file = resolveImport(context, posix.join(directory, "index.ts"), specifier);
    if (file !== undefined) exact.set(file, [...(exact.get(file) ?? []), ...words.filter((word) => word !== "")]);
  };
  /** Keys without a star lead to one file; one whose targets do not end in what the star stands for hides the file's name. */
  const addKeys = (directory: string, table: unknown, prefix: string, name: (key: string) => string): void => {
    for (const [key, value] of isRecord(table) ? Object.entries(table) : []) {
      if (!key.includes("*") && !key.endsWith("/")) add(directory, name(key));
      else if (hidesNames(value)) below.push({ prefix, word: name(key).replace("*", "") });
    }
  };

  for (const directory of listAllDirectories(context)) {
    const manifest = readManifest(context, directory);
    if (manifest) addManifest(manifest);
    for (const { base, paths } of readMappings(context, directory)) addKeys(directory, paths, base === "" ? "" : `${base}/`, (key) => key);
  }
  return {
    wordsFor: (file) => [...(exact.get(file) ?? []), ...below.filter(({ prefix }) => file.startsWith(prefix)).map(({ word }) => word)],
  };

  function addManifest({ directory, name, exports, imports, links }: Manifest): void {
    const prefix = directory === "" ? "" : `${directory}/`;
    add(directory, ".", [posix.basename(directory)]);
    if (name !== undefined) {
      add(directory, name);
      addKeys(directory, exports, prefix, (key) => posix.join(name, key));
    }
    addKeys(directory, imports, prefix, (key) => key);
    for (const alias of links.keys()) add(directory, alias);
  }
}

function hidesNames(value: unknown): boolean {
  if (typeof value === "string") return !value.endsWith("/") && !posix.basename(value).includes("*");
  if (Array.isArray(value)) return value.some(hidesNames);
  return isRecord(value) && Object.values(value).some(hidesNames);
}
