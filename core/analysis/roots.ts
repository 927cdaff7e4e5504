/** Functions worth running: those that may touch a file themselves, and those that call one which does. */
import { canonical } from "./catalogue/catalogue.ts";
import type { Entry, Role } from "./catalogue/entry.ts";
import type { FlowFunction, FlowModule, Operand } from "./flow.ts";
import { type Calls, indexOf, type Program } from "./program.ts";
import { NEST, RECEIVES } from "./storage.ts";

const TOUCHES: ReadonlySet<Role> = new Set<Role>([
  "upload",
  "assembly",
  "command",
  "write",
  "temp",
  "delete",
  "consume",
  "chain",
  "sink",
  "serve",
]);

/** Functions of a module with a call that the catalogue knows, or of a wrapper; and those around them. */
export function rootsOf(program: Program, module: FlowModule): readonly number[] {
  const known = program.roots.get(module);
  if (known) return known;
  const roots = listRoots(program, module, program.wrappers);
  program.roots.set(module, roots);
  return roots;
}

function listRoots(program: Program, module: FlowModule, names: ReadonlySet<string>): readonly number[] {
  const { touching, called } = lookAt(program, module);
  const found = new Set<number>();
  for (const fn of module.functions) {
    if (found.has(fn.index) || !(touching.has(fn.index) || called[fn.index]?.some((name) => names.has(name)))) continue;
    for (let at: FlowFunction | undefined = fn; at && !found.has(at.index);) {
      found.add(at.index);
      at = at.parent === undefined ? undefined : module.functions[at.parent];
    }
  }
  return [...found].sort((a, b) => a - b);
}

function lookAt(program: Program, module: FlowModule): Calls {
  const known = program.calls.get(module);
  if (known) return known;
  const touching = new Set<number>();
  const called = module.functions.map((fn) => {
    const names = new Set<string>();
    for (const block of fn.blocks)
      for (const event of block.events) {
        if (event.event !== "call") continue;
        const name = calledName(program, module, event.callee);
        names.add(name);
        if (!touching.has(fn.index) && touches(program, module, event.callee, name)) touching.add(fn.index);
      }
    return [...names];
  });
  const calls = { touching, called };
  program.calls.set(module, calls);
  return calls;
}

function touches(program: Program, module: FlowModule, callee: Operand, name: string): boolean {
  const { catalogue, loader } = program;
  // `MulterModule.register({ dest })`
  if (callee.op === "member" && importOf(program, module, callee.of)?.from === NEST) return true;
  for (const source of [importOf(program, module, callee), ...wrappedBy(program, module, callee)]) {
    if (!source) continue;
    const { module: from, path } = canonical(source.from, source.name);
    if (from === RECEIVES || from === NEST) return true;
    if (catalogue.at({ module: from, path }).some(isTouching)) return true;
  }
  return catalogue
    .named(name)
    .some((entry) => isTouching(entry) && (/^[*./]|^global$/.test(entry.module) || loader.uses(module.file, entry.module)));
}

/** Whether any function of a module calls something of this name. */
export function callsAny(program: Program, module: FlowModule, name: string): boolean {
  return lookAt(program, module).called.some((names) => names.includes(name));
}

/** Also what is only read counts: a file that others read is not there to be deleted. */
function isTouching({ role, module }: Entry): boolean {
  return TOUCHES.has(role) || ((role === "carrier" || role === "read") && /^fs(?:-extra)?$/.test(module));
}

/** The last name of what is called, as whoever defines it calls it. */
function calledName(program: Program, module: FlowModule, callee: Operand): string {
  if (callee.op === "member" || callee.op === "global") return callee.name;
  const source = importOf(program, module, callee);
  if (source && source.name !== "*") return source.name;
  return callee.op === "name" ? (module.written[callee.name] ?? "") : "";
}

/** `const run = promisify(execFile)`: what the name was made from, whatever is called to make it. */
function wrappedBy(program: Program, module: FlowModule, operand: Operand): readonly (Operand & { op: "import" })[] {
  if (operand.op !== "name") return [];
  const index = indexOf(program, module);
  const event = index.definitions.get(operand.name)?.event;
  const constant = index.constants.get(operand.name) ?? (event?.event === "set" ? event.value : undefined);
  const call = index.calls.get(constant?.op === "name" ? constant.name : operand.name)?.call;
  return (call?.args ?? []).flatMap((arg) => {
    const member = arg.op === "member" ? importOf(program, module, arg.of) : undefined;
    if (member && arg.op === "member") return [{ op: "import" as const, from: member.from, name: `${member.name}.${arg.name}` }];
    return importOf(program, module, arg) ?? [];
  });
}

function importOf(program: Program, module: FlowModule, operand: Operand, depth = 0): (Operand & { op: "import" }) | undefined {
  if (operand.op === "import") return operand;
  if (operand.op !== "name" || depth > 3) return undefined;
  const index = indexOf(program, module);
  const definition = index.definitions.get(operand.name)?.event;
  const value = index.constants.get(operand.name) ?? (definition?.event === "set" ? definition.value : undefined);
  return value === undefined ? undefined : importOf(program, module, value, depth + 1);
}
