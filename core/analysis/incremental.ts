/** What is kept from one check to the next: a result holds as long as nothing that it hangs on has changed. */
import { readShapes } from "./leaks.ts";
import { type Basis, keyOf, type Program } from "./program.ts";
import type { Report } from "./solve.ts";

/** Whatever is being worked out hangs on this, too. */
export function addBasis(program: Program, basis: Basis): void {
  const { files, functions, methods } = program.basis;
  for (const file of basis.files) files.add(file);
  for (const key of basis.functions) functions.add(key);
  for (const [name, known] of basis.methods) methods.set(name, known);
}

/** Says that all classes with a method of this name count. */
export function askFor(program: Program, method: string): void {
  program.basis.methods.set(method, methodsNamed(program, method));
}

function methodsNamed(program: Program, method: string): string {
  return (program.methods.get(method) ?? []).map(keyOf).join(" ");
}

/** A summary that was made before counts for this check, and so do those that it hangs on. */
export function visit(program: Program, key: string): void {
  if (program.visited.has(key)) return;
  const pending = [key];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (program.visited.has(at)) continue;
    program.visited.add(at);
    pending.push(...(program.bases.get(at)?.functions ?? []));
  }
}

/** Reports of all functions that count, in an order that does not depend on what was run when. */
export function visitedReports(program: Program): readonly Report[] {
  return [...program.visited]
    .flatMap((key) => program.reports.get(key) ?? [])
    .sort((a, b) => (a.ref.file < b.ref.file ? -1 : a.ref.file > b.ref.file ? 1 : a.ref.index - b.ref.index));
}

/** Forgets what hangs on a changed file, or on classes that came or went. */
export function invalidate(program: Program, dirty: ReadonlySet<string>): void {
  const signatures = new Map<string, string>();
  const holds = (basis: Basis): boolean => {
    for (const file of dirty) if (basis.files.has(file)) return false;
    for (const [name, known] of basis.methods) {
      let now = signatures.get(name);
      if (now === undefined) signatures.set(name, (now = methodsNamed(program, name)));
      if (now !== known) return false;
    }
    return true;
  };
  const users = new Map<string, string[]>();
  const lost: string[] = [];
  for (const [key, basis] of program.bases) {
    if (!holds(basis)) lost.push(key);
    for (const used of basis.functions) {
      const list = users.get(used);
      if (list) list.push(key);
      else users.set(used, [key]);
    }
  }
  const gone = new Set<string>();
  for (let key = lost.pop(); key !== undefined; key = lost.pop()) {
    if (gone.has(key)) continue;
    gone.add(key);
    lost.push(...(users.get(key) ?? []));
  }
  for (const key of gone) {
    program.summaries.delete(key);
    program.reports.delete(key);
    program.bases.delete(key);
  }
  const forget = <Key>(remembered: Map<Key, { readonly basis: Basis }>): void => {
    for (const [key, { basis }] of remembered)
      if (!holds(basis) || (gone.size > 0 && [...basis.functions].some((used) => gone.has(used)))) remembered.delete(key);
  };
  forget(program.values);
  forget(program.looked);
}

/** What the functions that count say of each other. */
export function gather(program: Program, reports: readonly Report[]): void {
  for (const set of [program.called, program.scheduled, program.relieved, program.served, program.read, program.destinations]) set.clear();
  for (const shape of readShapes(reports)) program.read.add(shape);
  for (const { frame } of reports) {
    for (const key of frame.called) program.called.add(key);
    for (const key of frame.scheduled) program.scheduled.add(key);
    for (const key of frame.relieved) program.relieved.add(key);
    for (const [key, directory] of frame.destinations) program.destinations.set(key, directory);
    for (const [key, directory] of frame.served) program.served.set(key, directory);
  }
}
