/** What a call does: finds out who is called, and applies what is known of it. */
import { applyEntries } from "./apply.ts";
import { entriesOf } from "./entries.ts";
import { applySummary, mergeArguments } from "./applySummary.ts";
import { callUnknown, REFUSES } from "./callUnknown.ts";
import { collectionCall, collectionOf, COLLECTIONS } from "./collections.ts";
import { dispatch } from "./dispatch.ts";
import { type Moment, remove } from "./effects.ts";
import { evaluate } from "./evaluate.ts";
import type { CallEvent, FlowFunction } from "./flow.ts";
import { allocate, type Frame, type State, thingOf } from "./frame.ts";
import { moduleFile } from "./imported.ts";
import { readMember, typeOf } from "./members.ts";
import { isHandedIn, rootOf } from "./paths.ts";
import { classOf, functionOf, isWithin, keyOf } from "./program.ts";
import { fileAt, looksLikePath, note, reachable, waysOf } from "./records.ts";
import { summaryOf } from "./solve.ts";
import { noteStorage } from "./storage.ts";
import { DELETED, LATER, mapWays, RETURNED, type Summary } from "./summary.ts";
import { derived, type FunctionValue, NOTHING, reference, type Symbol_, union, unionAll, type Value, type Values } from "./value.ts";
import { nameOf, stepOf, written } from "./written.ts";

/** Everything about one call that entries ask for. */
export interface CallContext {
  readonly event: CallEvent;
  readonly receiver: Values;
  /** The receiver as it is written, calls without their arguments. */
  readonly written: string;
  readonly method: string;
  readonly args: readonly Values[];
  readonly moment: Moment;
  /** What a call of all lists that the receiver may be results in: its callback runs once, whichever it is. */
  readonly shared?: { collected?: Values };
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
    shared: {},
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
  const { shared = {} } = context;
  const collected = shared.collected ?? collectionCall(frame, state, context, target);
  if (collected !== undefined) {
    shared.collected = collected;
    return collected;
  }
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
  if (usesUp(summary)) useHeld(frame, context);
  const type = fn?.returns === undefined ? {} : typeOf(frame.program, target.ref.file, fn.returns);
  if (results.length === 0 && (type.type ?? type.library) !== undefined)
    return [{ kind: "symbol", key: `${frame.prefix}:${context.event.id}`, root: "fresh", ...type }];
  return results.map((value) =>
    type.type !== undefined && (value.kind === "symbol" || value.kind === "derived") && value.type === undefined
      ? { ...value, ...type }
      : value,
  );
}

/** Whether files go through the function. */
function usesUp({ commands, effects }: Summary): boolean {
  return commands.length > 0 || effects.some(({ trace }) => trace.uploaded.length + trace.read.length + trace.output.length > 0);
}

/** What a function is handed in an object that holds a file it may use: whoever deletes the file before takes it away from it. */
function useHeld(frame: Frame, { args, moment }: CallContext): void {
  if (frame.scratch || frame.files.size === 0) return;
  const held = reachable(frame, args.flat()).flatMap((value) => [value, ...putInto(frame, value)]);
  for (const value of held) {
    const record = args.some((values) => values.some((given) => given.key === value.key)) ? undefined : frame.files.get(value.key);
    if (record && record.trace.uploaded.length + record.trace.read.length > 0) note(frame, record, "used", moment.step);
  }
}

/** What this function has put into an object that is not its own. */
function putInto(frame: Frame, object: Value): Values {
  const thing = object.kind === "symbol" || object.kind === "derived" ? frame.heap.get(`@${object.key}`) : undefined;
  return thing ? reachable(frame, [...thing.fields.values(), thing.elements].flat()) : NOTHING;
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

const REMOVES = /^_*(?:remove|clean|dispose|discard|delete|unlink|destroy|release|purge)/i;

/** A function that the caller handed in, to this function or to the one around it. */
function isFromCaller(target: Value): target is Symbol_ {
  return (
    target.kind === "symbol" &&
    (target.root === "parameter" || target.root === "captured") &&
    target.library === undefined &&
    target.type === undefined
  );
}

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

function spreadOf(frame: Frame, value: Value, index: number): Values {
  const thing = thingOf(frame, value);
  if (!thing) return NOTHING;
  return union(thing.elements, thing.fields.get(String(index)) ?? NOTHING);
}
