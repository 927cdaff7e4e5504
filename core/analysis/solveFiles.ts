/** Runs what has to be run of a list of files. */
import type { FlowModule } from "./flow.ts";
import type { Forgotten } from "./incremental.ts";
import type { FrontEnd } from "./frontEnd.ts";
import type { Program } from "./program.ts";
import { rootsOf } from "./roots.ts";
import { summaryOf } from "./solve.ts";

/** Makes the classes of the files known, so that calls of their methods find them. */
export function registerAll(program: Program, frontEnd: FrontEnd, files: readonly string[]): void {
  program.classes.length = 0;
  program.methods.clear();
  for (const file of files)
    for (const one of frontEnd.lower(file).classes) {
      program.classes.push({ file, index: one.index });
      for (const method of one.methods) {
        const known = program.methods.get(method.name) ?? [];
        known.push({ file, index: method.function });
        program.methods.set(method.name, known);
      }
    }
}

/** The same where only one file says something else than another program knows. */
export function registerAgain(program: Program, known: Program, module: FlowModule): void {
  const { file } = module;
  const put = <One extends { readonly file: string }>(list: readonly One[], own: readonly One[]): One[] => {
    const at = list.findIndex((one) => one.file >= file);
    const others = list.filter((one) => one.file !== file);
    return at < 0 ? [...others, ...own] : others.toSpliced(at, 0, ...own);
  };
  program.classes.length = 0;
  for (const one of put(
    known.classes,
    module.classes.map(({ index }) => ({ file, index })),
  ))
    program.classes.push(one);
  program.methods.clear();
  for (const [name, list] of known.methods) program.methods.set(name, list);
  const names = new Set(module.classes.flatMap(({ methods }) => methods.map(({ name }) => name)));
  for (const [name, list] of known.methods) if (list.some((one) => one.file === file)) names.add(name);
  for (const name of names) {
    const own = module.classes.flatMap(({ methods }) =>
      methods.filter((method) => method.name === name).map((method) => ({ file, index: method.function })),
    );
    program.methods.set(name, put(known.methods.get(name) ?? [], own));
  }
}

/** Solves their functions that may touch files. */
export function solveFiles(program: Program, files: Iterable<string>, signal: AbortSignal | undefined): void {
  for (const file of files) {
    signal?.throwIfAborted();
    const module = program.loader.load(file);
    if (module) for (const index of rootsOf(program, module)) summaryOf(program, { file, index });
  }
}

/**
 * Solves again what was forgotten where nothing else has changed: the functions that counted before still do. False: they may not, and all
 * have to be looked at, as one of those that were solved again does not use any more what it used before.
 */
export function solveForgotten(
  program: Program,
  before: ReadonlySet<string>,
  forgotten: Forgotten,
  signal: AbortSignal | undefined,
): boolean {
  program.visited.clear();
  for (const key of before) if (!forgotten.has(key)) program.visited.add(key);
  // A function that did not count may do so now.
  const files = new Set([...forgotten.keys()].map((key) => key.slice(0, key.lastIndexOf("#"))));
  solveFiles(program, files, signal);
  for (const [key, used] of forgotten) {
    if (!before.has(key)) continue;
    const now = program.visited.has(key) ? program.bases.get(key)?.functions : undefined;
    if (!now) return false;
    for (const one of used) if (!now.has(one)) return false;
  }
  return true;
}
