/** The catalogue of libraries: data in the files beside this one, completed by what the workspace's owner names. */
import type { AnalysisSettings, NamedCall } from "../check.ts";
import assemblies from "./assemblies.json" with { type: "json" };
import cleanups from "./cleanups.json" with { type: "json" };
import consumers from "./consumers.json" with { type: "json" };
import type { Entry, LibraryValue, Role, Tool, WrittenEntry } from "./entry.ts";
import invokers from "./invokers.json" with { type: "json" };
import memory from "./memory.json" with { type: "json" };
import modules from "./modules.json" with { type: "json" };
import readers from "./readers.json" with { type: "json" };
import temps from "./temps.json" with { type: "json" };
import uploadsByHttp from "./uploadsByHttp.json" with { type: "json" };
import uploadsByTransfer from "./uploadsByTransfer.json" with { type: "json" };
import uploadsToMedia from "./uploadsToMedia.json" with { type: "json" };
import uploadsToModels from "./uploadsToModels.json" with { type: "json" };
import uploadsToStores from "./uploadsToStores.json" with { type: "json" };
import { tokensOfData } from "./tokens.ts";
import tools from "./tools.json" with { type: "json" };
import verbs from "./verbs.json" with { type: "json" };
import writes from "./writes.json" with { type: "json" };

export interface Catalogue {
  readonly entries: readonly Entry[];
  /** Entries of what a module exports: `byImport("node:fs/promises", "unlink")`; `*`, `default` or nothing is the module itself. */
  byImport(module: string, name: string): readonly Entry[];
  /** The same for a value that was arrived at by members and calls. */
  at(value: LibraryValue): readonly Entry[];
  /** Entries of methods of this name that need no typed receiver: see {@link Entry.weak} and {@link Entry.sends}. */
  byMethod(name: string): readonly Entry[];
  /** Entries of functions and methods of this name, whatever they belong to. */
  named(name: string): readonly Entry[];
  /** Entries of members (`field`) whose last name is this one. */
  byField(name: string): readonly Entry[];
  /** Entries that the settings give for a function of the workspace: a path from its root, and `upload` or `Client.put`. */
  byDefinition(file: string, name: string): readonly Entry[];
  /** Whether anything is known of the module. */
  knows(module: string): boolean;
  /** Texts, one of which every file has that holds an upload or an assembly. */
  readonly tokens: readonly string[];
}

/** What the name of a function that nothing is known of says: it only reads, or it takes charge of what it is given. */
export function verbOf(name: string): "read" | "own" | undefined {
  const word = /^_*(?:[A-Z]+(?![a-z])|[A-Za-z][a-z0-9]*)/.exec(name)?.[0].replaceAll("_", "").toLowerCase();
  if (word === undefined) return undefined;
  if (READ_VERBS.has(word)) return "read";
  return OWN_VERBS.has(word) ? "own" : undefined;
}

const READ_VERBS: ReadonlySet<string> = new Set(verbs.read);
const OWN_VERBS: ReadonlySet<string> = new Set(verbs.own);

const ALIASES: Readonly<Record<string, string>> = modules.aliases;

/** Every file of entries, by its name. */
const FILES = {
  assemblies,
  cleanups,
  consumers,
  invokers,
  memory,
  readers,
  temps,
  uploadsByHttp,
  uploadsByTransfer,
  uploadsToMedia,
  uploadsToModels,
  uploadsToStores,
  writes,
};

const DATA = Object.values(FILES).flatMap((file) => file as readonly WrittenEntry[]);

/** Packages whose name is told from others even when a copy of them lies in the workspace, by that name without its dashes. */
const DISTINCT: ReadonlyMap<string, string> = new Map(
  [...DATA.flatMap((entry) => entry.module), ...Object.keys(ALIASES)]
    .filter((module) => /^[a-z0-9]+(?:-[a-z0-9]+)+$/.test(module))
    .map((module) => [module.replaceAll("-", ""), module]),
);

/** Programs whose command lines are read, beside ffmpeg. */
export const TOOLS: readonly Tool[] = tools as readonly Tool[];

/** Roles that are over when the call returns, unless their entry says otherwise. */
const IMMEDIATE: ReadonlySet<Role> = new Set<Role>([
  "field",
  "carrier",
  "chain",
  "mention",
  "path",
  "pass",
  "gather",
  "type",
  "invoke",
  "callable",
  "own",
  "sweep",
  "exit",
]);

/** The catalogue as it is published. */
export function loadCatalogue(): Catalogue {
  loaded ??= makeCatalogue(DATA.flatMap(expand), tokensOfData(DATA, TOOLS), []);
  return loaded;
}

let loaded: Catalogue | undefined;

/** Adds the functions that `offcut.json` names. */
export function extendCatalogue(base: Catalogue, settings: Pick<AnalysisSettings, "uploads" | "assemblies" | "cleanups">): Catalogue {
  const named = [
    ...settings.uploads.map((call) => nameEntry(call, "upload")),
    ...settings.assemblies.map((call) => nameEntry(call, "assembly")),
    ...settings.cleanups.map((call) => nameEntry(call, "delete")),
  ];
  if (named.length === 0) return base;
  const tokens = named.filter(({ entry }) => entry.role !== "delete").map(({ entry }) => lastName(entry.symbol));
  return makeCatalogue([...base.entries, ...named.map(({ entry }) => entry)], [...new Set([...base.tokens, ...tokens])], named);
}

/** Whether the receiver, as it is written, is evidence enough for this entry. */
export function matchesReceiver(entry: Entry, written: string): boolean {
  return entry.weak?.some((pattern) => expressionOf(pattern).test(written)) ?? false;
}

/** What a call of this entry returns. */
export function returnedBy(entry: Entry): LibraryValue | undefined {
  if (entry.returns === undefined) return undefined;
  const [first = "", second] = entry.returns.split("#");
  return second === undefined ? canonical(entry.module, first) : canonical(first, second);
}

/** The one spelling of a library value: `node:fs/promises` `unlink` and `fs` `promises.unlink` are `fs` `unlink`. */
export function canonical(module: string, path: string): LibraryValue {
  let names = path
    .replace(/^(?:(?:default|\*)(?:\.|$))+/, "")
    .split(".")
    .filter((name) => name !== "");
  let at = vendored(module) ?? module.replace(/^(node|npm):/, "").replace(/^((?:@[^/]+\/)?[^/@]+)@[\d^~][^/]*/, "$1");
  for (;;) {
    const whole = ALIASES[at];
    const part = names[0] === undefined ? undefined : ALIASES[`${at}#${names[0]}`];
    const alias = part ?? whole;
    if (alias === undefined) break;
    const [to = "", prefix] = alias.split("#");
    names = [...(prefix === undefined ? [] : [prefix]), ...(part === undefined ? names : names.slice(1))];
    at = to;
  }
  return { module: at, path: names.join(".") };
}

interface Named {
  readonly call: NamedCall;
  readonly entry: Entry;
}

/** A function without a module may be any: one that is imported from wherever, or a method of whatever. */
function nameEntry(call: NamedCall, role: "upload" | "assembly" | "delete"): Named {
  const { argument = 0, module = "*" } = call;
  const place =
    typeof argument === "number" || /^\d/.test(argument) ? `${argument}` : `0.${argument}|0.${argument}[]|@${argument.split(".", 1)[0]}`;
  const names = role === "assembly" ? { from: place } : { path: place };
  const recursive = role === "delete" && ({ recursive: true } as const);
  return {
    call,
    entry: { module, symbol: call.name, role, ...names, ...recursive, holds: "either", settles: "later", fails: "throws", weak: [""] },
  };
}

/** `../libs/fluentFfmpeg` is a copy of `fluent-ffmpeg`. */
function vendored(specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const name = /([^/]+?)(?:\/index)?(?:\.[cm]?[jt]s)?$/.exec(specifier)?.[1];
  return name === undefined ? undefined : DISTINCT.get(name.replaceAll(/[-_]/g, "").toLowerCase());
}

function makeCatalogue(entries: readonly Entry[], tokens: readonly string[], named: readonly Named[]): Catalogue {
  const symbols = new Map<string, Entry[]>();
  const methods = new Map<string, Entry[]>();
  const fields = new Map<string, Entry[]>();
  const modules = new Set<string>();
  const names = new Map<string, Entry[]>();
  for (const entry of entries) {
    const { module, path } = canonical(entry.module, entry.symbol);
    modules.add(module);
    if (entry.role !== "field") add(names, lastName(entry.symbol), entry);
    if (entry.role === "field") add(fields, lastName(entry.symbol), entry);
    else {
      add(symbols, `${module}#${path}`, entry);
      if (module === "*" || entry.weak || entry.sends) add(methods, lastName(entry.symbol), entry);
    }
  }
  const at = (value: LibraryValue): readonly Entry[] => {
    const { module, path } = canonical(value.module, value.path);
    const all = `${path.slice(0, Math.max(0, path.lastIndexOf(".")))}.*`;
    return symbols.get(`${module}#${path}`) ?? symbols.get(`${module}#${all}`) ?? [];
  };
  return {
    entries,
    tokens,
    at,
    byImport: (module, name) => at({ module, path: name }),
    byMethod: (name) => methods.get(name) ?? [],
    named: (name) => names.get(name) ?? [],
    byField: (name) => fields.get(name) ?? [],
    byDefinition: (file, name) => named.filter(({ call }) => isDefinition(call, file, name)).map(({ entry }) => entry),
    knows: (module) => modules.has(canonical(module, "").module),
  };
}

function lastName(symbol: string): string {
  return symbol.slice(symbol.lastIndexOf(".") + 1);
}

function add(to: Map<string, Entry[]>, key: string, entry: Entry): void {
  const there = to.get(key);
  if (there) there.push(entry);
  else to.set(key, [entry]);
}

/** A module is named by its path from the root, with or without `./`, extension or `/index`. */
function isDefinition(call: NamedCall, file: string, name: string): boolean {
  if (call.name !== name) return false;
  if (call.module === undefined) return true;
  const bare = (path: string): string => path.replace(/^(?:\.?\/)+/, "").replace(/\.(?:[cm]?[jt]sx?|py)$/, "");
  const [module, found] = [bare(call.module), bare(file)];
  return module === found || `${module}/index` === found || `${module}/__init__` === found;
}

const expressions = new Map<string, RegExp>();

function expressionOf(pattern: string): RegExp {
  const found = expressions.get(pattern);
  if (found) return found;
  const made = new RegExp(pattern, "i");
  expressions.set(pattern, made);
  return made;
}

/** One entry for each module and symbol, defaults filled in. */
function expand(written: WrittenEntry): Entry[] {
  const { role } = written;
  const entries: Entry[] = [];
  for (const module of [written.module].flat()) {
    for (const symbol of [written.symbol].flat()) {
      const settles = IMMEDIATE.has(role) || /Sync$|(?:^|\.)sync$/.test(symbol) ? "now" : "later";
      entries.push({ settles, fails: "throws", ...written, module, symbol });
    }
  }
  return entries;
}
