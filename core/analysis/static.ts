/** What a name is outside of the flow: constants of the module, and names of functions around this one. */
import type { CallEvent, Name } from "./flow.ts";
import { call } from "./call.ts";
import { classOfValue, createFrame, type Frame, libraryOf, type State } from "./frame.ts";
import { evaluate } from "./evaluate.ts";
import { isEmptyCollection } from "./members.ts";
import { shapeOf } from "./shapes.ts";
import { addBasis } from "./incremental.ts";
import { indexOf, keyOf, newBasis } from "./program.ts";
import { settles } from "./recursion.ts";
import { NOTHING, type Symbol_, type Value, type Values } from "./value.ts";

const DEEPEST = 12;

export function lookUpStatic(frame: Frame, name: Name): Values {
  const index = indexOf(frame.program, frame.module);
  const constant = index.constants.get(name);
  const home = index.declared.get(name);
  if (constant !== undefined && (home === undefined || home === 0 || frame.fn.index !== home)) {
    const value = inScratch(frame, 0, name, (scratch, state) => evaluate(scratch, state, constant));
    if (value.length > 0) return value.map((one) => (isFixed(one) ? one : owned(one, frame, name)));
  }
  const definition = index.definitions.get(name);
  if (definition === undefined) return home === frame.fn.index && !frame.scratch ? NOTHING : [around(frame, name, home)];
  if (definition.function === frame.fn.index && !frame.scratch) return NOTHING;
  const { event } = definition;
  const values = inScratch(frame, definition.function, name, (scratch, state) => {
    if (event.event === "set") return evaluate(scratch, state, event.value);
    if (event.event === "await") return evaluate(scratch, state, event.value);
    if (event.event === "call") return call(scratch, state, event satisfies CallEvent);
    return NOTHING;
  });
  if (frame.scratch && definition.function === frame.fn.index) return values;
  if (home === 0)
    return values.length > 0 ? values.map((one) => (isFixed(one) ? one : owned(one, frame, name))) : [around(frame, name, home)];
  // An object of a function around this one is the one that lives there, not a copy.
  if (values.length > 0 && values.every((value) => value.kind !== "shape" && isFixed(value))) return values;
  return [around(frame, name, home, values, frame)];
}

/** The same wherever it is read. */
function isFixed(value: Value): boolean {
  // `$?…` stands for what could not be worked out.
  if (value.kind === "symbol") return value.root === "stable" && !value.key.startsWith("$?");
  if (value.kind === "derived") return isFixed(value.of) && (value.args ?? []).every(isFixed);
  if (value.kind === "joined") return value.parts.every(isFixed);
  return (
    value.kind === "text" ||
    value.kind === "literal" ||
    value.kind === "library" ||
    value.kind === "class" ||
    (value.kind === "shape" && !isEmptyCollection(value)) ||
    (value.kind === "function" && value.bound === undefined)
  );
}

/** What a module-level name holds, when it is not known but always the same: named after the name. */
function owned(value: Value, frame: Frame, name: Name): Value {
  const library = libraryOf(frame, value);
  const type = value.kind === "symbol" || value.kind === "derived" ? value.type : undefined;
  const symbol: Symbol_ = {
    kind: "symbol",
    key: `$${frame.module.file}:${name}`,
    root: "stable",
    ...(library && { library }),
    ...(type && { type }),
  };
  if (value.kind === "symbol" && value.temporary) return { ...symbol, temporary: true };
  if (value.kind === "joined") return value;
  return value.kind === "function" ? value : symbol;
}

function around(frame: Frame, name: Name, home: number | undefined, values: Values = NOTHING, scratch?: Frame): Value {
  const from = scratch ?? frame;
  const library = values.map((value) => libraryOf(from, value)).find((one) => one !== undefined);
  const type = values.map((value) => classOfValue(from, value)).find((one) => one !== undefined);
  const extra = { ...(library && { library }), ...(type && { type }) };
  if (home === undefined || home === 0) return { kind: "symbol", key: `$${frame.module.file}:${name}`, root: "stable", ...extra };
  return { kind: "symbol", key: `captured:${name}`, root: "captured", name, ...extra };
}

function inScratch(frame: Frame, index: number, name: Name, look: (scratch: Frame, state: State) => Values): Values {
  const { program, module } = frame;
  const fn = module.functions[index];
  const key = `${module.file}#${name}`;
  if (!fn || program.looking.size > DEEPEST || program.looking.has(key)) return NOTHING;
  const known = program.looked.get(key);
  if (known) {
    addBasis(program, known.basis);
    return known.values;
  }
  const outer = program.basis;
  const basis = newBasis();
  program.basis = basis;
  program.looking.add(key);
  try {
    program.loader.load(module.file);
    const scratch = createFrame(program, module, fn, true);
    const { result: values, settled } = settles(program, () => look(scratch, { env: new Map(), ways: new Map() }));
    const result = values.map((value) => (value.kind === "thing" ? shapeOf(scratch, value) : value));
    if (settled && program.looking.size === 1)
      program.looked.set(key, { values: result, basis, home: keyOf({ file: module.file, index }) });
    return result;
  } finally {
    program.basis = outer;
    addBasis(program, basis);
    program.looking.delete(key);
  }
}
