/** What a call does: finds out who is called, and applies what is known of it. */
import { noteStorage } from "./storage.ts";
import { applyEntries, entriesOf } from "./apply.ts";
import { applySummary, mergeArguments } from "./applySummary.ts";
import { verbOf } from "./catalogue/catalogue.ts";
import { collectionCall, collectionOf, COLLECTIONS } from "./collections.ts";
import { escape, fileAt, looksLikePath, make, type Moment, remove, use } from "./effects.ts";
import type { CallEvent, FlowFunction, Operand } from "./flow.ts";
import { allocate, classOfValue, evaluate, type Frame, libraryOf, moduleFile, readMember, type State, thingOf, typeOf } from "./frame.ts";
import { askFor } from "./incremental.ts";
import { classOf, functionOf, indexOf, isWithin, keyOf } from "./program.ts";
import { summaryOf } from "./solve.ts";
import { DELETED, LATER, mapWays, RETURNED, type Step } from "./summary.ts";
import { waysOf, reachable } from "./effects.ts";
import {
  derived,
  isHandedIn,
  type FunctionRef,
  type FunctionValue,
  type Library,
  NOTHING,
  reference,
  rootOf,
  stable,
  type Symbol_,
  union,
  unionAll,
  type Value,
  type Values,
} from "./value.ts";

/** Everything about one call that entries ask for. */
export interface CallContext {
  readonly event: CallEvent;
  readonly receiver: Values;
  /** The receiver as it is written, calls without their arguments. */
  readonly written: string;
  readonly method: string;
  readonly args: readonly Values[];
  readonly moment: Moment;
}

const NOWHERE: Moment["block"] = { events: [], exit: { exit: "end", span: { start: 0, end: 0 } } };

/** Performs a call on the state and returns what it results in. */
export function call(frame: Frame, state: State, event: CallEvent, block = NOWHERE, blockIndex = 0): Values {
  const { callee } = event;
  const receiver = callee.op === "member" ? evaluate(frame, state, callee.of) : NOTHING;
  const method = callee.op === "member" ? callee.name : callee.op === "element" ? "" : nameOf(frame, callee);
  const args = event.args.map((arg) => evaluate(frame, state, arg));
  for (const [index, spread] of (event.spreads ?? []).entries())
    args.push(unionAll(evaluate(frame, state, spread).map((value) => spreadOf(frame, value, index))));
  const step = stepOf(frame, event);
  const context: CallContext = {
    event,
    receiver,
    written: callee.op === "member" ? written(frame, callee.of) : "",
    method,
    args,
    moment: { step, call: event, block, blockIndex },
  };
  const called =
    callee.op === "member" ? unionAll(receiver.map((value) => readMember(frame, value, method))) : evaluate(frame, state, callee);
  // `const upload = require("./upload")` of a module that is a function.
  const targets = unionAll(called.map((value) => (moduleFile(value) === undefined ? [value] : readMember(frame, value, "default"))));
  if (!frame.scratch) relieve(frame, args);
  if (!frame.scratch) noteStorage(frame, targets, args, event);
  const results: Values[] = [];
  let done = false;
  const harmless = (targets.length > 0 && targets.every((target) => isHarmless(target))) || isLog(context);
  for (const target of targets) {
    const result = callTarget(frame, state, context, target);
    if (result === undefined) continue;
    done = true;
    results.push(result);
  }
  if (!done) results.push(callUnknown(frame, state, context, event.construct ? targets.find((one) => one.kind === "library") : undefined));
  if (!frame.scratch) frame.harmless = harmless;
  return unionAll(results);
}

/** `router.post("/", upload, deleteFileOnFinish, handle)`: of several handlers, one deletes the received file when the answer is out. */
function relieve(frame: Frame, args: readonly Values[]): void {
  const handlers = args.flat().filter((value) => value.kind === "function");
  if (handlers.length < 2) return;
  const { program } = frame;
  const deletes = handlers.some((handler) =>
    summaryOf(program, handler.ref).effects.some(
      ({ value, trace, normal }) =>
        trace.uploaded.length === 0 &&
        normal.some((way) => way & (DELETED | LATER)) &&
        value.kind === "derived" &&
        rootOf(value)?.key === "parameter:0",
    ),
  );
  if (deletes) for (const handler of handlers) frame.relieved.add(keyOf(handler.ref));
}

/** `logger.info(…)` */
function isLog({ written, method }: CallContext): boolean {
  return /^(?:log|info|warn|warning|error|debug|trace|verbose|success)$/.test(method) && /log(?:ger)?(?:\(\))?$/i.test(written);
}

/** Functions of the language and its runtime that do not throw in practice. */
function isHarmless(target: Value): boolean {
  if (target.kind !== "library") return false;
  if (target.module === "global")
    return /^(?:console|Math|Date|performance)(?:\.|$)|^(?:String|Number|Boolean|parseInt|parseFloat|isNaN|Array\.isArray|Object\.(?:keys|values|entries))$/.test(
      target.path,
    );
  return target.module === "path" || target.module === "os" || (target.module === "fs" && target.path === "existsSync");
}

/** Undefined: nothing is known of the target. */
function callTarget(frame: Frame, state: State, context: CallContext, target: Value): Values | undefined {
  if (target.kind === "function") return callFunction(frame, state, context, target);
  if (target.kind === "class") return construct(frame, state, context, target.ref);
  if (context.event.construct && target.kind === "library" && target.module === "global" && COLLECTIONS.has(target.path))
    return [collectionOf(frame, context, target)];
  if (target.kind === "derived" && target.how === "member" && target.name === "#cleanup") {
    remove(frame, state, [target.of], context.moment, { recursive: true });
    return NOTHING;
  }
  if (isFromCaller(target)) {
    if (REFUSES.test(context.method === "" ? nameOf(frame, context.event.callee) : context.method)) return NOTHING;
    recordInvoke(frame, state, context, target);
    return [derived("call", target, "", { args: [] })];
  }
  // `workDir.removeCallback()`: whoever made the object knows what that does.
  if (
    context.args.length === 0 &&
    REMOVES.test(context.method) &&
    target.kind === "derived" &&
    target.how === "member" &&
    isHandedIn(target)
  )
    recordInvoke(frame, state, context, target);
  const dispatched = dispatch(frame, context);
  if (dispatched.length > 0) return unionAll(dispatched.map((one) => callFunction(frame, state, context, one)));
  const collected = collectionCall(frame, state, context, target);
  if (collected !== undefined) return collected;
  const entries = entriesOf(frame, context, target);
  if (entries.length > 0) return applyEntries(frame, state, context, target, entries);
  return undefined;
}

/** Calls a function of the workspace through its summary. */
function callFunction(frame: Frame, state: State, context: CallContext, target: FunctionValue): Values {
  const summary = summaryOf(frame.program, target.ref);
  const args = [...(target.before ?? []), ...context.args];
  const fn = functionOf(frame.program, target.ref);
  const lexical = fn !== undefined && isWithin(frame.program, target.ref, frame.ref);
  if (!frame.scratch) frame.called.add(keyOf(target.ref));
  const results = applySummary(frame, state, {
    summary,
    target,
    args: fn ? mergeArguments(frame, context.event, args, fn) : args,
    self: target.self ?? context.receiver,
    moment: context.moment,
    lexical,
    when: "now",
    key: String(context.event.id),
    awaits: summary.async,
  });
  const type = fn?.returns === undefined ? {} : typeOf(frame.program, target.ref.file, fn.returns);
  if (results.length === 0 && (type.type ?? type.library) !== undefined)
    return [{ kind: "symbol", key: `${frame.prefix}:${context.event.id}`, root: "fresh", ...type }];
  return results.map((value) =>
    type.type !== undefined && (value.kind === "symbol" || value.kind === "derived") && value.type === undefined
      ? { ...value, ...type }
      : value,
  );
}

function construct(frame: Frame, state: State, context: CallContext, ref: { file: string; index: number }): Values {
  const id = `${frame.prefix}:new:${context.event.id}`;
  const thing = allocate(frame, id);
  thing.class = ref;
  const value = reference(id);
  let declared = classOf(frame.program, ref);
  let file = ref.file;
  for (let depth = 0; declared && depth < 6; depth += 1) {
    if (declared.constructor_ !== undefined) {
      const target: FunctionValue = {
        kind: "function",
        key: `fn:${file}#${declared.constructor_}`,
        ref: { file, index: declared.constructor_ },
        self: [value],
      };
      callFunction(frame, state, context, target);
      break;
    }
    const [base] = declared.bases;
    const { type } = base === undefined ? { type: undefined } : typeOf(frame.program, file, base);
    declared = type && classOf(frame.program, type);
    file = type?.file ?? file;
  }
  return [value];
}

/** Methods that a call on an interface, an abstract class or something unknown may reach. */
function dispatch(frame: Frame, context: CallContext): FunctionValue[] {
  const { method, receiver } = context;
  if (method === "" || context.event.callee.op !== "member") return [];
  askFor(frame.program, method);
  const types = receiver.flatMap((value) => classOfValue(frame, value) ?? []);
  const candidates = frame.program.methods.get(method) ?? [];
  if (candidates.length === 0) return [];
  if (types.length > 0) {
    const below = candidates.filter((ref) => types.some((type) => descends(frame, ref, type)));
    return below.map((ref) => methodValue(ref, receiver));
  }
  if (
    receiver.some(
      (value) =>
        libraryOf(frame, value) !== undefined ||
        value.kind === "text" ||
        (thingOf(frame, value) !== undefined && thingOf(frame, value)?.class === undefined),
    )
  )
    return [];
  // Nothing is known of the receiver: a name that few classes have, and that says more than `run` or `save`, is taken at its word.
  if (candidates.length > 3 || method.length < 8 || !/[a-z][A-Z_]/.test(method)) return [];
  return candidates
    .filter((ref) => (functionOf(frame.program, ref)?.parameters.length ?? 0) >= context.args.length)
    .map((ref) => methodValue(ref, receiver));
}

function methodValue(ref: FunctionRef, self: Values): FunctionValue {
  return { kind: "function", key: `fn:${keyOf(ref)}@${self[0]?.key ?? ""}`, ref, self };
}

function descends(frame: Frame, ref: FunctionRef, type: { file: string; index: number }, depth = 0): boolean {
  const fn = functionOf(frame.program, ref);
  if (fn?.class === undefined) return false;
  const pending = [{ file: ref.file, index: fn.class }];
  for (let at = pending.shift(); at !== undefined && depth < 30; at = pending.shift(), depth += 1) {
    if (at.file === type.file && at.index === type.index) return true;
    const declared = classOf(frame.program, at);
    for (const base of declared?.bases ?? []) {
      const next = typeOf(frame.program, at.file, base).type;
      if (next) pending.push(next);
    }
  }
  return false;
}

/** Something that nothing is known of is called: its name says whether it takes charge of the files it is given. */
function callUnknown(frame: Frame, state: State, context: CallContext, made?: Library): Values {
  const { event, moment, args, receiver, method } = context;
  const name = method === "" ? nameOf(frame, event.callee) : method;
  const verb = verbOf(name);
  const local = args.filter((values) => values.some((value) => value.kind !== "function"));
  const files = reachable(frame, local.flat());
  if (REFUSES.test(name)) return NOTHING;
  if (verb === "read") use(frame, state, local.flat(), moment);
  else if (MAKES.test(name)) {
    // `downloadVideo(url, path)`: the path is where something is written to.
    for (const file of files)
      if (file.kind === "joined" || (file.kind === "text" && /[/.]/.test(file.text))) make(frame, state, [file], moment);
    use(frame, state, local.flat(), moment);
  } else escape(frame, state, local.flat(), moment);
  for (const values of args) for (const value of values) if (value.kind === "function") runLater(frame, state, context, value);
  if (made && made.module !== "global")
    return [{ kind: "symbol", key: `${frame.prefix}:${event.id}`, root: "fresh", library: { module: made.module, path: made.path } }];
  return [resultSymbol(frame, context, receiver)];
}

const REMOVES = /^_*(?:remove|clean|dispose|discard|delete|unlink|destroy|release|purge)/i;
const REFUSES = /^(?:throw|reject|fail|error|next)$/;

/** A function that the caller handed in, to this function or to the one around it. */
function isFromCaller(target: Value): target is Symbol_ {
  return (
    target.kind === "symbol" &&
    (target.root === "parameter" || target.root === "captured") &&
    target.library === undefined &&
    target.type === undefined
  );
}

const MAKES =
  /^_*(?:output|(?:save|write|download|pipe)_?to|to_?file|download|write|generate|render|export|convert|extract|capture|make|produce|synthesi[sz]e|screenshot|dump|transcode|encode|compress|resize|trim|merge|concat|combine|mux|fetch|record|text.?to|tts|create(?:.*(?:file|video|audio|image|clip|thumbnail)))/i;

/** A function that was handed to something unknown is called some time, we don't know when. */
export function runLater(
  frame: Frame,
  state: State,
  context: CallContext,
  target: FunctionValue,
  when: "later" | "onSuccess" | "onError" | "always" | "now" = "later",
  args: readonly Values[] = [],
  executor = false,
): Values {
  const summary = summaryOf(frame.program, target.ref);
  const fn = functionOf(frame.program, target.ref);
  if (!frame.scratch) frame.called.add(keyOf(target.ref));
  return applySummary(frame, state, {
    summary,
    target,
    args: executor || !fn ? [...(target.before ?? []), ...args] : filled(frame, fn, [...(target.before ?? []), ...args]),
    self: target.self ?? NOTHING,
    moment: context.moment,
    lexical: fn !== undefined && isWithin(frame.program, target.ref, frame.ref),
    when,
    key: `${context.event.id}~${target.ref.index}`,
    awaits: when === "now" && summary.async && !executor,
    executor,
  });
}

/**
 * Something for each parameter: what a callback is called with is not known, but it is something. What two callbacks of one function
 * call the same is taken for the same: `worker.on("completed", (job) => …)` and the `job` that was worked on.
 */
function filled(frame: Frame, fn: FlowFunction, args: readonly Values[]): readonly Values[] {
  if (args.length >= fn.parameters.length) return args;
  return fn.parameters.map((parameter, index) => {
    const given = args[index];
    if (given && given.length > 0) return given;
    if (parameter.rest || parameter.fallback) return NOTHING;
    return [{ kind: "symbol", key: `${frame.prefix}:given:${parameter.written}`, root: "fresh" }];
  });
}

/** What a call of something unknown results in: the same again when it looks like a getter, else something new. */
export function resultSymbol(frame: Frame, context: CallContext, receiver: Values): Value {
  const { event, args, method } = context;
  const fresh: Value = { kind: "symbol", key: `${frame.prefix}:${event.id}`, root: "fresh" };
  const [only] = receiver;
  if (receiver.length !== 1 || only === undefined || !GETTER.test(method)) return fresh;
  const flat = args.map((values) => values[0] ?? stable("?"));
  if (flat.length > 3 || flat.some((value) => value.kind === "function")) return fresh;
  return derived("call", only, method, { args: flat });
}

const GETTER =
  /^(?:get|path|dir|resolve|to|as|replace|slice|substring|substr|trim|pad|split|pop|at|concat|lower|upper|normalize|format|base|ext|name|filename|url|key|find|read|load|match|exec|value|text|string|join|json|formData|param|query|header)/i;

function recordInvoke(frame: Frame, state: State, context: CallContext, callee: Value): void {
  for (const value of reachable(frame, context.args.flat())) {
    if (!frame.files.has(value.key) && !(value.kind === "joined" && looksLikePath(value))) continue;
    const record = fileAt(frame, state, value);
    if (record)
      state.ways.set(
        value.key,
        mapWays(waysOf(state, value), (way) => way | RETURNED),
      );
  }
  const there = frame.invokes.get(callee.key);
  const args = context.args.map((values, index) => union(there?.args[index] ?? NOTHING, values));
  if (there && there.args.length === args.length && args.every((values, index) => values === there.args[index])) return;
  frame.invokes.set(callee.key, { callee, args });
}

function stepOf(frame: Frame, event: CallEvent): Step {
  const known = steps.get(event);
  if (known && known.file === frame.module.file) return known;
  const step: Step = {
    file: frame.module.file,
    span: event.span,
    statement: event.statement,
    written: written(frame, event.callee),
    function: frame.ref,
  };
  steps.set(event, step);
  return step;
}

const steps = new WeakMap<CallEvent, Step>();

function nameOf(frame: Frame, callee: Operand): string {
  if (callee.op === "name") return frame.module.written[callee.name] ?? "";
  if (callee.op === "import" || callee.op === "global") return callee.name;
  return callee.op === "member" ? callee.name : "";
}

/** An operand as it is written, calls without their arguments. */
export function written(frame: Frame, operand: Operand, depth = 0): string {
  if (depth > 12) return "";
  switch (operand.op) {
    case "this":
      return "this";
    case "global":
      return operand.name;
    case "import":
      if (operand.as !== undefined) return operand.as;
      return operand.name === "default" || operand.name === "*" ? operand.from : operand.name;
    case "member":
      return `${written(frame, operand.of, depth + 1)}.${operand.name}`;
    case "element":
      return `${written(frame, operand.of, depth + 1)}[]`;
    case "either":
      return written(frame, operand.of[0] ?? { op: "nothing" }, depth + 1);
    case "name": {
      const own = frame.module.written[operand.name];
      if (own !== undefined && !operand.name.startsWith("%")) return own;
      const definition = indexOf(frame.program, frame.module).definitions.get(operand.name)?.event;
      if (definition?.event === "call") return `${definition.construct ? "new " : ""}${written(frame, definition.callee, depth + 1)}()`;
      if (definition?.event === "await" || definition?.event === "set") return written(frame, definition.value, depth + 1);
      return "";
    }
    default:
      return "";
  }
}

function spreadOf(frame: Frame, value: Value, index: number): Values {
  const thing = thingOf(frame, value);
  if (!thing) return NOTHING;
  return union(thing.elements, thing.fields.get(String(index)) ?? NOTHING);
}
