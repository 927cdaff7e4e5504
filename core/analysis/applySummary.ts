/** A function's summary applied where the function is called. */
import { runLater } from "./call.ts";
import { applyCommand } from "./command.ts";
import { put, putInOrder } from "./collections.ts";
import { applyBelow, compose, loseSight, type Moment, remove } from "./effects.ts";
import { deletable, fileAt, filesBehind, meant, waysOf } from "./records.ts";
import { escape, handOn } from "./escapes.ts";
import { observe } from "./observe.ts";
import type { CallEvent, FlowFunction } from "./flow.ts";
import { allocate, addField, addTo, type Frame, type FileRecord, type State } from "./frame.ts";
import { isGuarded, keyOf } from "./program.ts";
import { type Exchange, substitute } from "./substitute.ts";
import {
  ABSENT,
  addStep,
  addWays,
  DELETED,
  FAILED,
  type FileEffect,
  FOUND,
  LATER,
  MADE,
  mapWays,
  NO_TRACE,
  PENDING,
  READ,
  RETURNED,
  type Step,
  type Summary,
  type Trace,
  UPLOADED,
} from "./summary.ts";
import { atomsOf, type FunctionValue, isCut, NOTHING, reference, union, unionAll, type Value, type Values } from "./value.ts";
import { isHandedIn } from "./paths.ts";

export interface Application {
  readonly summary: Summary;
  readonly target: FunctionValue;
  readonly args: readonly Values[];
  readonly self: Values;
  readonly moment: Moment;
  /** The function is written within the one that is being run: its places count as places of this one. */
  readonly lexical: boolean;
  readonly when: "now" | "later" | "onSuccess" | "onError" | "always";
  readonly key: string;
  /** The call returns before it is over. */
  readonly awaits: boolean;
  /** What the first parameter is called with is the result: `new Promise(resolve => …)`. */
  readonly executor?: boolean;
}

export function applySummary(frame: Frame, state: State, application: Application): Values {
  const { summary, target, args, self } = application;
  const exchange: Exchange = {
    args,
    self,
    lexical: application.lexical,
    key: `${frame.prefix}:${application.key}`,
    made: new Map(),
    known: new Map(),
    ...(target.bound && { bound: target.bound }),
  };
  for (const store of summary.stores) {
    const before = frame.changes;
    applyStore(frame, state, store, exchange, application);
    if (frame.changes !== before) exchange.known.clear();
  }
  for (const command of summary.commands) {
    const program = unionAll(command.program.map((value) => substitute(frame, state, value, exchange)));
    for (const words of substitute(frame, state, command.words, exchange))
      applyCommand(frame, state, { ...command, program, words }, { ...application.moment, step: wrap(application, command.step) });
  }
  // `const result = await use(file); await rm(file); return result`: what was handed in runs before the file goes.
  const goes = (effect: FileEffect): boolean => effect.normal.some((way) => way & (DELETED | LATER));
  const first = summary.invokes.length === 0 ? summary.effects : summary.effects.filter((effect) => !goes(effect));
  const last = summary.invokes.length === 0 ? [] : summary.effects.filter(goes).map(ofInvoked);
  applyEffects(frame, state, first, exchange, application);
  // Of files the ways tell on which of them they are handed on.
  const told = new Set(summary.effects.map((effect) => (effect.trace.escaped.length > 0 ? effect.value.key : undefined)));
  const escapes = summary.escapes.filter((value) => !told.has(value.key));
  if (escapes.length > 0)
    escape(frame, state, unionAll(escapes.map((value) => substitute(frame, state, value, exchange))), application.moment);
  const resolved = invokeAll(frame, state, exchange, application);
  exchange.known.clear();
  applyEffects(frame, state, last, exchange, application);
  if (application.executor) return resolved;
  return unionAll(summary.returns.map((value) => substitute(frame, state, value, exchange)));
}

/** Where a function does nothing with a file of its own, it has not handed it to what it was given either. */
function ofInvoked(effect: FileEffect): FileEffect {
  const own = atomsOf(effect.value).some((part) => part.kind === "symbol" && part.root === "fresh");
  return own ? { ...effect, normal: effect.normal.filter((way) => way !== 0) } : effect;
}

/** Calls what the function calls of what it was given; results in what an executor resolves with. */
function invokeAll(frame: Frame, state: State, exchange: Exchange, application: Application): Values {
  let resolved = NOTHING;
  for (const invoke of application.summary.invokes) {
    if (application.executor && invoke.callee.kind === "symbol" && invoke.callee.index === 0)
      resolved = union(resolved, unionAll((invoke.args[0] ?? NOTHING).map((value) => substitute(frame, state, value, exchange))));
    for (const callee of substitute(frame, state, invoke.callee, exchange))
      applyInvoke(frame, state, callee, invoke.args, exchange, application);
  }
  return resolved;
}

function applyEffects(frame: Frame, state: State, effects: readonly FileEffect[], exchange: Exchange, application: Application): void {
  for (const effect of effects) {
    const values = substitute(frame, state, effect.value, exchange);
    for (const value of values) applyEffect(frame, state, effect, value, exchange, application);
    if (isCut(values) && effect.normal.some((way) => way & (DELETED | LATER))) loseSight(frame, state, values, LATER);
  }
}

const DEEPEST_NESTING = 6;

/** A function that has to do with more is told of those only that are made or deleted. */
const MOST_FILES = 200;

function applyInvoke(
  frame: Frame,
  state: State,
  callee: Values[number],
  args: readonly Values[],
  exchange: Exchange,
  application: Application,
): void {
  if (callee.kind === "derived" && callee.name === "#cleanup") {
    remove(frame, state, [callee.of], application.moment, { recursive: true, later: application.when !== "now" });
    return;
  }
  const given = args.map((values) => unionAll(values.map((value) => substitute(frame, state, value, exchange))));
  if (callee.kind === "function") {
    const context = { event: application.moment.call, receiver: NOTHING, written: "", method: "", args: given, moment: application.moment };
    if (frame.nesting >= DEEPEST_NESTING) return;
    frame.nesting += 1;
    runLater(frame, state, context, callee, application.when, given);
    frame.nesting -= 1;
  } else if (callee.kind === "symbol" ? callee.root === "parameter" || callee.root === "captured" : isMemberHandedIn(callee)) {
    const there = frame.invokes.get(callee.key);
    frame.invokes.set(callee.key, { callee, args: given.map((values, index) => union(there?.args[index] ?? NOTHING, values)) });
  } else if (callee.kind === "symbol" || callee.kind === "derived") escape(frame, state, given.flat(), application.moment);
}

function isMemberHandedIn(callee: Value): boolean {
  return callee.kind === "derived" && callee.how === "member" && isHandedIn(callee);
}

function applyStore(frame: Frame, state: State, store: Summary["stores"][number], exchange: Exchange, application: Application): void {
  const values = substitute(frame, state, store.value, exchange);
  const objects = substitute(frame, state, store.object, exchange);
  for (const object of objects) {
    if (store.order !== undefined) putInOrder(frame, object, `${application.key}:${store.order}`, values);
    else put(frame, object, store.name, values);
  }
  // Contents are not the file.
  if (store.order === undefined && store.name !== "#carries") handOn(frame, state, objects, values, application.moment);
}

function applyEffect(
  frame: Frame,
  state: State,
  effect: FileEffect,
  value: Values[number],
  exchange: Exchange,
  application: Application,
): void {
  const ways = effectWays(effect, application);
  // What was only looked at there is a file of this function if it is one without it.
  const looked = effect.names.length === 0 && !ways.some((way) => way & ~FAILED) && effect.thrown.length === 0;
  const acts = effect.trace.made.length + effect.trace.output.length + effect.trace.deleted.length > 0;
  for (const file of filesBehind(frame, [value])) {
    const crowded = frame.files.size >= MOST_FILES;
    if (!frame.files.has(file.key) && ((looked && file.kind !== "joined") || (crowded && !acts))) continue;
    const own = fileAt(frame, state, file);
    if (!own) continue;
    own.directory ||= effect.directory;
    own.recursive ||= effect.recursive;
    own.lopsided ||= effect.lopsided;
    if (effect.names.length > 0)
      own.names = union(own.names, unionAll(effect.names.map((name) => substitute(frame, state, name, exchange))));
    const step = stepTo(application, effect.trace);
    if (
      step &&
      !own.from.some(
        (other) =>
          other.key === effect.value.key &&
          other.callee.file === application.summary.ref.file &&
          other.callee.index === application.summary.ref.index,
      )
    )
      own.from.push({ callee: application.summary.ref, key: effect.value.key, step });
    if (effect.normal.length > 0 && effect.normal.every((way) => way & (DELETED | ABSENT | FAILED)))
      frame.removals.add(application.moment.call.id);
    if (application.lexical) observeDeletions(frame, state, effect, file, application);
    if (application.when === "now" && (effect.trace.uploaded.length > 0 || effect.trace.read.length > 0))
      observe(frame, state, "use", [file], application.moment);
    const deletes = effect.trace.deleted.length > 0 && effect.trace.uploaded.length + effect.trace.read.length === 0;
    for (const record of (deletes ? deletable : meant)(frame, state, file)) {
      const before = waysOf(state, record.value);
      change(frame, state, record, ways, application.when);
      record.sites.add(application.moment.call.id);
      record.trace = mergeTrace(frame, record.trace, effect.trace, application);
      const thrown = mapWays(before, (way) => effect.thrown.map((one) => compose(way, one & ~RETURNED) | FAILED));
      if (effect.thrown.length > 0) frame.throwing.set(record.value.key, addWays(before, thrown));
    }
    // A list that is read takes what it names along.
    if (effect.trace.read.length > 0 && own.names.length > 0) readNamed(frame, state, own, effect, application);
    if (effect.recursive) applyBelow(frame, state, file, ways, application.moment.step);
  }
}

function readNamed(frame: Frame, state: State, list: FileRecord, effect: FileEffect, application: Application): void {
  for (const named of filesBehind(frame, list.names)) {
    const record = fileAt(frame, state, named);
    if (!record || record === list) continue;
    state.ways.set(
      named.key,
      mapWays(waysOf(state, named), (way) => way | READ),
    );
    record.trace = mergeTrace(frame, record.trace, { ...NO_TRACE, read: effect.trace.read }, application);
    record.sites.add(application.moment.call.id);
  }
}

/** What a closure deletes is deleted by the function around it: the rules want to know of it there. */
function observeDeletions(frame: Frame, state: State, effect: FileEffect, file: Values[number], application: Application): void {
  const { when, moment } = application;
  if (when === "later" || when === "onError") return;
  const settled: State =
    when === "now"
      ? state
      : {
          env: state.env,
          ways: new Map([[file.key, mapWays(waysOf(state, file), (way) => way & ~PENDING)]]),
        };
  const own = frame.program.reports.get(keyOf(application.summary.ref))?.frame.observed ?? [];
  for (const step of effect.trace.deleted) {
    if (step.inner !== undefined) continue;
    const escapes = own.some((seen) => seen.what === "delete" && seen.step === step && seen.escapes === true);
    const caught = !escapes || isGuarded(frame, moment.call);
    observe(frame, settled, "delete", [file], { ...moment, step }, { recursive: effect.recursive, caught, awaited: true });
  }
}

function change(frame: Frame, state: State, record: FileRecord, ways: readonly number[], when: Application["when"]): void {
  if (frame.scratch || ways.length === 0) return;
  const before = waysOf(state, record.value);
  state.ways.set(
    record.value.key,
    mapWays(before, (way) =>
      when === "onError" ? [way, ...ways.map((one) => compose(way | FAILED, one))] : ways.map((one) => compose(way, one)),
    ),
  );
}

function effectWays(effect: FileEffect, application: Application): readonly number[] {
  const { when, awaits } = application;
  // A function that only makes sure that a file is there does not make it a cache.
  const dropped = RETURNED | (effect.normal.some((way) => way & MADE) ? 0 : FOUND);
  // What is looked for before it is deleted is there when a callback that was registered before it was made runs.
  const guarded = when !== "now" && effect.normal.some((way) => way & DELETED);
  return mapWays(guarded ? effect.normal.filter((way) => !(way & ABSENT) || way & DELETED) : effect.normal, (way) => {
    let after = way & ~dropped;
    if (when !== "now" && when !== "onError" && after & DELETED) after = (after & ~DELETED) | LATER;
    if (when !== "now") after &= ~PENDING;
    else if (awaits && after & UPLOADED) after |= PENDING;
    return after;
  });
}

function stepTo(application: Application, trace: Trace): Step | undefined {
  const inner =
    trace.uploaded[0] ??
    trace.read[0] ??
    trace.output[0] ??
    trace.made[0] ??
    trace.deleted[0] ??
    trace.escaped[0] ??
    trace.used[0] ??
    trace.checked[0];
  return inner && wrap(application, inner);
}

const DEEPEST = 6;

function wrap(application: Application, inner: Step): Step {
  if (application.lexical) return inner;
  let depth = 0;
  for (let at: Step | undefined = inner; at; at = at.inner) depth += 1;
  return { ...application.moment.step, inner: depth < DEEPEST ? inner : (inner.inner ?? inner) };
}

function mergeTrace(frame: Frame, before: Trace, effect: Trace, application: Application): Trace {
  let changed = false;
  const merged: { -readonly [Key in keyof Trace]: Trace[Key] } = { ...before };
  for (const list of Object.keys(merged) as (keyof Trace)[])
    for (const step of effect[list]) {
      const after = addStep(merged[list], wrap(application, step));
      if (after === merged[list]) continue;
      merged[list] = after;
      changed = true;
    }
  if (changed) frame.changes += 1;
  return changed ? merged : before;
}

/** Arguments in the places of parameters: a rest parameter gets a list, named arguments their places. */
export function mergeArguments(frame: Frame, event: CallEvent, args: readonly Values[], fn: FlowFunction): readonly Values[] {
  const rest = fn.parameters.findIndex((parameter) => parameter.rest === true);
  if (rest < 0) return args;
  const id = `${frame.prefix}:rest:${event.id}:${fn.index}`;
  const thing = allocate(frame, id);
  for (const [index, values] of args.slice(rest).entries()) {
    addField(frame, thing, String(index), values);
    addTo(frame, thing, "elements", values);
  }
  return [...args.slice(0, rest), [reference(id)]];
}
