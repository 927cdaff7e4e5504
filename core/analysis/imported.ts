/** What modules export, and what the runtime gives every module: values that need no run. */
import { canonical } from "./catalogue/catalogue.ts";
import { evaluate } from "./evaluate.ts";
import type { Operand } from "./flow.ts";
import { createFrame, type Frame } from "./frame.ts";
import { addBasis } from "./incremental.ts";
import { exported, keyOf, newBasis, type Program } from "./program.ts";
import { settles } from "./recursion.ts";
import { shapeOf } from "./shapes.ts";
import { library, literal, stable, text, type Value, type Values } from "./value.ts";

export function importValue(program: Program, file: string, from: string, name: string): Values {
  const target = program.loader.resolve(file, from);
  if (target === undefined) return [library(...libraryArguments(from, name))];
  if (name === "*") return [moduleValue(program, target)];
  const found = exported(program, target, name);
  if (found) return evaluateExported(program, found.file, found.operand);
  // `import fs from "./x"` of a module that assigns to `module.exports` member by member.
  if (name === "default" && program.loader.load(target)) return [moduleValue(program, target)];
  return [stable(`${target}#${name}`)];
}

function libraryArguments(from: string, name: string): [string, string] {
  const { module, path } = canonical(from, name);
  return [module, path];
}

function moduleValue(_program: Program, file: string): Value {
  return { kind: "derived", key: `module:${file}`, how: "call", of: stable(`module:${file}`), name: "", args: [] };
}

export function moduleFile(value: Value): string | undefined {
  // What was read of a module is none.
  const isModule = value.kind === "derived" && value.key.startsWith("module:") && value.of.key === stable(value.key).key;
  return isModule ? value.key.slice("module:".length) : undefined;
}

export function evaluateExported(program: Program, file: string, operand: Operand): Values {
  const known = program.values.get(operand);
  if (known) {
    addBasis(program, known.basis);
    return known.values;
  }
  const module = program.loader.load(file);
  const top = module?.functions[0];
  if (!module || !top) return [stable(`${file}#?`)];
  if (program.evaluating.has(operand)) {
    program.circular = true;
    return [stable(`${file}#?`)];
  }
  const outer = program.basis;
  const basis = newBasis();
  program.basis = basis;
  basis.files.add(file);
  const frame = createFrame(program, module, top, true);
  program.evaluating.add(operand);
  const { result: values, settled } = settles(program, () => evaluate(frame, { env: new Map(), ways: new Map() }, operand));
  program.evaluating.delete(operand);
  const result = values.map((value) => (value.kind === "thing" ? shapeOf(frame, value) : value));
  program.basis = outer;
  addBasis(program, basis);
  if (settled && program.looking.size === 0 && !program.circular)
    program.values.set(operand, { values: result, basis, home: keyOf({ file, index: 0 }) });
  if (program.evaluating.size === 0) program.circular = false;
  return result;
}

export function globalValue(frame: Frame, name: string): Values {
  if (name === "__dirname") return [directoryOf(frame)];
  if (name === "__filename") return [text(frame.module.file)];
  if (name === "undefined") return [literal(undefined)];
  return [library("global", name)];
}

/** The directory of the file, from the workspace's root. */
export function directoryOf(frame: Frame): Value {
  const slash = frame.module.file.lastIndexOf("/");
  return text(slash < 0 ? "." : frame.module.file.slice(0, slash));
}
