/** Runs what has to be run of a list of files. */
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

/** Solves their functions that may touch files. */
export function solveFiles(program: Program, files: Iterable<string>, signal: AbortSignal | undefined): void {
  for (const file of files) {
    signal?.throwIfAborted();
    const module = program.loader.load(file);
    if (module) for (const index of rootsOf(program, module, program.wrappers)) summaryOf(program, { file, index });
  }
}
