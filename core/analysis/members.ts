/** What is read of a value: its members, its elements, what its class declares. */
import { canonical } from "./catalogue/catalogue.ts";
import type { LibraryValue } from "./catalogue/entry.ts";
import type { Operand } from "./flow.ts";
import { classOfValue, type Frame, libraryOf, thingOf } from "./frame.ts";
import { directoryOf, evaluateExported, moduleFile } from "./imported.ts";
import { classOf, exported, type Program } from "./program.ts";
import {
  type ClassRef,
  derived,
  library,
  literal,
  NOTHING,
  stable,
  text,
  type Thing,
  union,
  unionAll,
  type Value,
  type Values,
} from "./value.ts";

export function readMember(frame: Frame, value: Value, name: string, depth = 0): Values {
  const file = moduleFile(value);
  if (file !== undefined) {
    const found = exported(frame.program, file, name);
    return found ? evaluateExported(frame.program, found.file, found.operand) : [stable(`${file}#${name}`)];
  }
  if (value.kind === "library") {
    if (value.module === "global" && value.path === "process.env") return [stable(`env.${name}`)];
    if (value.module === "global" && /^import\.meta$/.test(value.path) && (name === "dirname" || name === "url"))
      return name === "dirname" ? [directoryOf(frame)] : [text(frame.module.file)];
    return [library(value.module, value.path === "" ? name : `${value.path}.${name}`)];
  }
  if (value.kind === "class") return classMember(frame, value.ref, name, undefined, true) ?? [stable(`${value.key}.${name}`)];
  const thing = thingOf(frame, value);
  if (thing) {
    // What a chain has collected, asked for by a function that it was handed to.
    if (name === "#inputs") return thing.inputs;
    if (name === "#outputs") return thing.outputs;
    const known = thing.fields.get(name);
    if (known) return known;
    if (thing.rest.length > 0 && depth < 6)
      return unionAll(thing.rest.map((one) => (one.key === value.key ? NOTHING : readMember(frame, one, name, depth + 1))));
    if (/^\d+$/.test(name) && thing.elements.length > 0) return thing.elements;
    if (thing.class) {
      const member = classMember(frame, thing.class, name, [value]);
      if (member) return member;
    }
    if (thing.library)
      return [derived("member", value, name, { library: canonical(thing.library.module, `${thing.library.path}.${name}`) })];
    if (isClosed(thing)) return [literal(undefined)];
    return [derived("member", value.kind === "shape" ? stable(value.key) : value, name)];
  }
  // Of what `readdir` lists with its types the name is the entry.
  if (value.kind === "derived" && value.how === "entry" && name === "name") return [value];
  if (value.kind === "symbol" || value.kind === "derived") {
    const stored = frame.heap.get(`@${value.key}`)?.fields.get(name) ?? NOTHING;
    const type = value.type;
    if (type) {
      const member = classMember(frame, type, name, [value]);
      if (member) return union(stored, member);
    }
    const from = value.library;
    const extra = from ? { library: canonical(from.module, `${from.path}.${name}`) } : {};
    return union(stored, [derived("member", value, name, extra)]);
  }
  return [derived("member", value, name)];
}

/** An object literal of which all fields are known: what it lacks is not there. */
function isClosed(thing: Thing): boolean {
  return (
    thing.id.includes(":object:") &&
    thing.rest.length === 0 &&
    thing.elements.length === 0 &&
    thing.carries.length === 0 &&
    thing.library === undefined &&
    thing.class === undefined
  );
}

/** A method or field of a class or of one it is derived from. Undefined: it has none of that name. */
function classMember(frame: Frame, ref: ClassRef, name: string, self: Values | undefined, isStatic = false, seen = 0): Values | undefined {
  const declared = classOf(frame.program, ref);
  if (!declared || seen > 8) return undefined;
  const method = declared.methods.find((one) => one.name === name && (one.static === true) === isStatic);
  if (method) {
    const target = { file: ref.file, index: method.function };
    return [{ kind: "function", key: `fn:${target.file}#${target.index}@${self?.[0]?.key ?? ""}`, ref: target, ...(self && { self }) }];
  }
  const field = declared.fields.find((one) => one.name === name && (one.static === true) === isStatic);
  const owner = self?.[0];
  if (field) {
    const type = field.type === undefined ? {} : typeOf(frame.program, ref.file, field.type);
    const value = field.value === undefined ? NOTHING : evaluateExported(frame.program, ref.file, field.value);
    const settled = value.filter(
      (one) => one.kind !== "literal" && !(one.kind === "symbol" && one.root === "fresh") && !(owner && isEmptyCollection(one)),
    );
    if (settled.length > 0 && !isStored(frame, ref, name)) return settled;
    const library_ = type.library ?? value.map((one) => libraryOf(frame, one)).find((one) => one !== undefined);
    const known = type.type ?? value.map((one) => classOfValue(frame, one)).find((one) => one !== undefined);
    if (owner === undefined) return [stable(`class:${ref.file}#${ref.index}.${name}`)];
    return [
      derived("member", owner.kind === "shape" ? stable(owner.key) : owner, name, {
        ...(library_ && { library: library_ }),
        ...(known && { type: known }),
      }),
    ];
  }
  for (const base of declared.bases) {
    const { type } = typeOf(frame.program, ref.file, base);
    const member = type && classMember(frame, type, name, self, isStatic, seen + 1);
    if (member) return member;
  }
  return undefined;
}

/** `[]`, `{}`, `new Set()`: what it holds is told by who fills it, so each object has one of its own. */
export function isEmptyCollection(value: Value): boolean {
  if (value.kind !== "shape") return false;
  const { thing } = value;
  return (
    thing.class === undefined &&
    (thing.library === undefined || thing.library.module === "global") &&
    thing.fields.size === 0 &&
    thing.elements.length === 0 &&
    thing.carries.length === 0
  );
}

/** Whether a method other than the constructor may change the field. */
function isStored(frame: Frame, ref: ClassRef, name: string): boolean {
  const module = frame.program.loader.load(ref.file);
  return (
    module?.functions.some(
      (fn) =>
        fn.kind !== "module" &&
        fn.blocks.some((block) =>
          block.events.some(
            (event) =>
              event.event === "store" &&
              event.object.op === "this" &&
              event.name === name &&
              fn.class === ref.index &&
              fn.kind !== "constructor",
          ),
        ),
    ) ?? false
  );
}

/** The class or library type that an operand names. */
export function typeOf(program: Program, file: string, operand: Operand): { type?: ClassRef; library?: LibraryValue } {
  for (const value of evaluateExported(program, file, operand)) {
    if (value.kind === "class") return { type: value.ref };
    if (value.kind === "library") return { library: { module: value.module, path: value.path } };
  }
  return {};
}

export function elementsOf(frame: Frame, value: Value): Values {
  const thing = thingOf(frame, value);
  if (thing) {
    if (thing.elements.length > 0 || thing.fields.size > 0)
      return union(thing.elements, unionAll([...thing.fields].filter(([name]) => /^\d+$/.test(name)).map(([, values]) => values)));
    return thing.library ? [derived("each", value)] : NOTHING;
  }
  if (value.kind === "symbol" || value.kind === "derived") {
    const stored = frame.heap.get(`@${value.key}`)?.elements ?? NOTHING;
    return union(stored, [derived("each", value, "", value.type ? { type: value.type } : {})]);
  }
  return NOTHING;
}

export function readElement(frame: Frame, value: Value, key: Operand): Values {
  if (key.op === "text" || (key.op === "literal" && typeof key.value === "number")) {
    const name = key.op === "text" ? key.text : String(key.value);
    if (/^\d+$/.test(name)) {
      const thing = thingOf(frame, value);
      const own = thing?.fields.get(name);
      if (own) return own;
      // `[input, output] = args`: two places of a list that nothing is known of are two files.
      return thing || (value.kind !== "symbol" && value.kind !== "derived") ? elementsOf(frame, value) : readMember(frame, value, name);
    }
    return readMember(frame, value, name);
  }
  const thing = thingOf(frame, value);
  if (thing) return unionAll([thing.elements, ...thing.fields.values()]);
  return elementsOf(frame, value);
}
