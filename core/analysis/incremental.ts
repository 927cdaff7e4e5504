/** What is kept from one check to the next: a result holds as long as nothing that it hangs on has changed. */
import { type Carried, carryOver } from "./carryOver.ts";
import type { FlowModule } from "./flow.ts";
import { type Basis, keyOf, type Program, type Remembered } from "./program.ts";
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

/** Files that changed; of some it is known in what. */
export interface Changes {
  readonly files: ReadonlySet<string>;
  readonly parts: ReadonlyMap<string, Carried>;
}

/** Functions whose results were forgotten, with those that they had used. */
export type Forgotten = ReadonlyMap<string, ReadonlySet<string>>;

/** Forgets what hangs on what changed, or on classes that came or went: no class does when only the insides of functions change. */
export function invalidate(program: Program, { files: dirty, parts }: Changes): Forgotten {
  const signatures = new Map<string, string>();
  const holds = (basis: Basis): boolean => {
    if (dirty.size === 0) return true;
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
  const visible = [...parts].flatMap(([file, { exported }]) => (exported ? [file] : []));
  /** Its own file says for each function what holds; whoever sees another one may see any name that it exports. */
  const seesChange = (home: string, { files }: Basis): boolean =>
    visible.some((file) => files.has(file) && (files.size > 1 || !home.startsWith(`${file}#`)));
  for (const [file, { functions }] of parts) for (const index of functions) lost.push(keyOf({ file, index }));
  for (const [key, basis] of program.bases) {
    if (!holds(basis) || seesChange(key, basis)) lost.push(key);
    for (const used of basis.functions) {
      const list = users.get(used);
      if (list) list.push(key);
      else users.set(used, [key]);
    }
  }
  const gone = new Map<string, ReadonlySet<string>>();
  for (let key = lost.pop(); key !== undefined; key = lost.pop()) {
    if (gone.has(key)) continue;
    gone.set(key, program.bases.get(key)?.functions ?? new Set());
    lost.push(...(users.get(key) ?? []));
    program.summaries.delete(key);
    program.reports.delete(key);
    program.bases.delete(key);
  }
  const names = new Set<unknown>([...parts].flatMap(([file, changed]) => [...changed.names].map((name) => `${file}#${name}`)));
  const isStale = (key: unknown, { basis, home }: Remembered): boolean =>
    names.has(key) || !holds(basis) || seesChange(home, basis) || gone.has(home) || [...basis.functions].some((used) => gone.has(used));
  const forget = <Key>(remembered: Map<Key, Remembered>): void => {
    for (const [key, one] of remembered) if (isStale(key, one)) remembered.delete(key);
  };
  forget(program.values);
  forget(program.looked);
  return gone;
}

/** Which of the files changed in the insides of functions only; whatever did not change is from now on part of the new flow. */
export function followEdits(
  program: Program,
  dirty: Iterable<string>,
  flows: { readonly before: ReadonlyMap<string, FlowModule>; now(file: string): FlowModule },
): Changes {
  const files = new Set<string>();
  const parts = new Map<string, Carried>();
  for (const file of dirty) {
    const before = flows.before.get(file);
    const now = before && flows.now(file);
    const changed = before && now ? carryOver(before, now) : undefined;
    if (now && changed) {
      parts.set(file, changed);
      program.indexes.delete(now);
      program.calls.delete(now);
      program.roots.delete(now);
      for (const { index } of now.functions) moveReport(program.reports.get(keyOf({ file, index })), now);
    } else files.add(file);
  }
  return { files, parts };
}

/** What a report says of its function is right in every text in which the function says the same. */
function moveReport(report: Report | undefined, module: FlowModule): void {
  if (!report) return;
  Object.assign(report, { module });
  Object.assign(report.frame, { module });
}
