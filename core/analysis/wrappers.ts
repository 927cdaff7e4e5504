/** Functions through which files go to an upload or an assembly, or come from one: whoever calls them is looked at, too. */
import type { FlowModule, Operand } from "./flow.ts";
import type { FrontEnd } from "./frontEnd.ts";
import { keyOf, type Program } from "./program.ts";
import { rootsOf } from "./roots.ts";
import { describePlace } from "./sources.ts";
import { DELETED, MADE, OUTPUT, READ, type Summary, UPLOADED } from "./summary.ts";
import { atomsOf, type Value } from "./value.ts";
import { rootOf } from "./paths.ts";

export interface Wrappers {
  /** Under which they are called. */
  readonly names: ReadonlySet<string>;
  /** That may call one. */
  readonly files: ReadonlySet<string>;
  /** The functions themselves. */
  readonly keys: ReadonlySet<string>;
}

/** Files that may call a function, by what they are searched for. */
export type CallerCache = Map<string, Set<string>>;

const wrappers = new WeakMap<Summary, Wrapper | false>();

/** Those among the functions that count. */
export function wrappersIn(program: Program, frontEnd: FrontEnd, cache: CallerCache): Wrappers {
  const names = new Set<string>();
  const files = new Set<string>();
  const keys = new Set<string>();
  for (const key of program.visited) {
    const summary = program.summaries.get(key);
    const wrapper = summary && wrapperOf(program, frontEnd, summary, cache);
    if (!wrapper) continue;
    keys.add(key);
    for (const name of wrapper.names) names.add(name);
    for (const callers of wrapper.callers) for (const caller of callers) files.add(caller);
  }
  return { names, files, keys };
}

interface Wrapper {
  readonly module: FlowModule;
  readonly names: readonly string[];
  /** Files that may call it, as they are searched for. */
  readonly callers: readonly ReadonlySet<string>[];
}

/** Undefined: it is none, or what a module does by itself. */
function wrapperOf(program: Program, frontEnd: FrontEnd, summary: Summary, cache: CallerCache): Wrapper | undefined {
  let known = wrappers.get(summary);
  if (known === false || (known === undefined && !isWrapper(summary))) {
    wrappers.set(summary, false);
    return undefined;
  }
  const { file, index } = summary.ref;
  const module = program.loader.load(file);
  const fn = module?.functions[index];
  if (!module || !fn || fn.kind === "module") return undefined;
  if (known?.module === module) return known;
  known = {
    module,
    names: [fn.name.slice(fn.name.lastIndexOf(".") + 1), ...exportedAs(module, index)],
    callers: fn.kind === "closure" ? [] : callersOf(frontEnd, module, index, cache),
  };
  wrappers.set(summary, known);
  return known;
}

/**
 * The files that are looked at because of `base`: its own, and those that may call a wrapper which one of them leads to. Two files that
 * are looked at because of each other only are none of them.
 */
export function ledTo(program: Program, frontEnd: FrontEnd, base: ReadonlySet<string>, cache: CallerCache): ReadonlySet<string> {
  const found = new Set(base);
  const seen = new Set<string>();
  for (const file of found) {
    const module = program.loader.load(file);
    const pending = module ? rootsOf(program, module).map((index) => keyOf({ file, index })) : [];
    for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
      if (seen.has(key)) continue;
      seen.add(key);
      pending.push(...(program.bases.get(key)?.functions ?? []));
      const summary = program.summaries.get(key);
      const wrapper = summary && wrapperOf(program, frontEnd, summary, cache);
      for (const callers of wrapper?.callers ?? []) for (const caller of callers) if (!describePlace(caller).test) found.add(caller);
    }
  }
  return found;
}

/** Brings what was searched for up to date about files whose text, but not whose imports, changed. */
export function reviewCallers(cache: CallerCache, frontEnd: FrontEnd, dirty: ReadonlySet<string>): void {
  for (const [key, files] of cache) {
    if (!key.startsWith(METHOD)) continue;
    const [words, also] = JSON.parse(key.slice(METHOD.length)) as [string[], string[]];
    for (const file of dirty) {
      if (frontEnd.contains(file, words, also)) files.add(file);
      else files.delete(file);
    }
  }
}

const METHOD = "method ";

/** Whether a caller must know: a file of theirs goes through it, or one comes from it. */
function isWrapper(summary: Summary): boolean {
  return (
    summary.commands.length > 0 ||
    summary.effects.some(
      (effect) =>
        effect.normal.some((way) => way & (UPLOADED | READ | OUTPUT)) ||
        (effect.recursive && effect.normal.some((way) => way & DELETED) && comesFromCaller(effect.value)) ||
        (effect.normal.some((way) => way & MADE) && summary.returns.some((value) => holds(value, effect.value))),
    )
  );
}

function comesFromCaller(value: Value): boolean {
  return atomsOf(value).some((part) => {
    const root = rootOf(part);
    return root?.kind === "symbol" && root.root === "parameter";
  });
}

function holds(value: Value, file: Value, depth = 0): boolean {
  if (value.key === file.key) return true;
  if (value.kind !== "shape" || depth > 3) return false;
  for (const list of [...value.thing.fields.values(), value.thing.elements])
    if (list.some((one) => holds(one, file, depth + 1))) return true;
  return false;
}

function callersOf(frontEnd: FrontEnd, module: FlowModule, index: number, cache: CallerCache): readonly ReadonlySet<string>[] {
  const fn = module.functions[index];
  if (!fn) return [];
  const search = (key: string, look: () => readonly string[]): ReadonlySet<string> => {
    const known = cache.get(key);
    if (known) return known;
    const found = new Set(look());
    cache.set(key, found);
    return found;
  };
  if (fn.class !== undefined) {
    const owner = module.classes[fn.class];
    const method = owner?.methods.find((one) => one.function === index);
    if (!owner || (!method && fn.kind !== "constructor")) return [];
    const words = [method?.name ?? owner.name];
    const also = evidenceOf(module, owner.name, owner.bases);
    return [search(METHOD + JSON.stringify([words, also]), () => frontEnd.containing(words, also))];
  }
  return exportedAs(module, index).map((name) => search(`import ${module.file} ${name}`, () => frontEnd.importersOf(module.file, name)));
}

/** Names, one of which is written where somebody has an object of the class. */
function evidenceOf(module: FlowModule, name: string, bases: readonly { readonly op: string }[]): string[] {
  const words = [name, ...module.exports.map((field) => field.name).filter((one) => one !== "default")];
  for (const base of bases) {
    if ("name" in base && typeof base.name === "string") words.push(base.name);
    if (base.op === "class" && "index" in base) words.push(module.classes[base.index as number]?.name ?? "");
  }
  const stem = module.file.slice(module.file.lastIndexOf("/") + 1).replace(/\..*$/, "");
  return [...words, stem].filter((word) => word.length > 2);
}

const exports_ = new WeakMap<FlowModule, ReadonlyMap<number, readonly string[]>>();

/** Names under which a function leaves its module, also as a member of an exported object. */
function exportedAs(module: FlowModule, index: number): readonly string[] {
  let names = exports_.get(module);
  if (!names) {
    names = listExports(module);
    exports_.set(module, names);
  }
  return names.get(index) ?? [];
}

function listExports(module: FlowModule): ReadonlyMap<number, readonly string[]> {
  const constants = new Map(module.constants.map((constant) => [constant.name, constant.value]));
  const names = new Map<number, string[]>();
  const see = (name: string, operand: Operand | undefined, depth = 0): void => {
    if (!operand || depth > 4) return;
    if (operand.op === "function") {
      const known = names.get(operand.index) ?? [];
      if (!known.includes(name)) known.push(name);
      names.set(operand.index, known);
    } else if (operand.op === "object") for (const field of operand.fields) see(name, field.value, depth + 1);
    else if (operand.op === "name") see(name, constants.get(operand.name), depth + 1);
  };
  for (const field of module.exports) see(field.name, field.value);
  return names;
}
