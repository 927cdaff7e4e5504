/** What the catalogue says of a call, applied. */
import type { CallContext } from "./call.ts";
import { resultSymbol } from "./callUnknown.ts";
import { runCallbacks, swallow } from "./callbacks.ts";
import { carry, filesIn, filesOf, isInMemory, pipe, sinks } from "./carriers.ts";
import type { Entry } from "./catalogue/entry.ts";
import { put } from "./collections.ts";
import { namedByFilters, runCommand } from "./command.ts";
import { assemble, make, remove, serve, upload, use } from "./effects.ts";
import { isTruthy, valuesAt } from "./entries.ts";
import { escape } from "./escapes.ts";
import type { Span } from "./flow.ts";
import { addTo, type Frame, type State, thingOf } from "./frame.ts";
import { isField, isTemporary } from "./leaks.ts";
import { readMember } from "./members.ts";
import { observe } from "./observe.ts";
import { pathsInText } from "./pathsInText.ts";
import { indexOf, isGuarded } from "./program.ts";
import { fileAt, filesBehind } from "./records.ts";
import { giveUp } from "./refine.ts";
import { announce, printedBy } from "./printed.ts";
import { gather, isListing, listing, pathOf, resultThing, temporary } from "./results.ts";
import type { Step } from "./summary.ts";
import { derived, NOTHING, union, unionAll, type Value, type Values } from "./value.ts";

export function applyEntries(frame: Frame, state: State, context: CallContext, target: Value, entries: readonly Entry[]): Values {
  const result = resultThing(frame, context, entries);
  const results: Values[] = [];
  for (const entry of entries) results.push(applyEntry(frame, state, context, target, entry, result));
  results.push(runCallbacks(frame, state, context, entries));
  swallow(frame, state, context, entries);
  const values = unionAll(results);
  if (values.length > 0) return values;
  return result ? [result] : [resultSymbol(frame, context, context.receiver)];
}

function applyEntry(frame: Frame, state: State, context: CallContext, target: Value, entry: Entry, result: Value | undefined): Values {
  const { moment } = context;
  const path = entry.path === undefined ? NOTHING : valuesAt(frame, context, entry.path);
  const given = entry.from === undefined ? NOTHING : valuesAt(frame, context, entry.from);
  const from = entry.holds === "filters" ? namedByFilters(given) : given;
  const thing = result && thingOf(frame, result);
  switch (entry.role) {
    case "upload": {
      const files = filesOf(frame, path, entry);
      if (files.length > 0)
        upload(frame, state, files, moment, {
          byValue: entry.fails === "value",
          pending: entry.settles !== "now" && !isInMemory(frame, path, entry),
          inMemory: isInMemory(frame, path, entry),
        });
      if (thing) {
        addTo(frame, thing, "carries", files);
        thing.sent = true;
      }
      return NOTHING;
    }
    case "assembly": {
      const chains = unionAll([from, context.receiver].map((values) => values.filter((value) => thingOf(frame, value) !== undefined)));
      const collected = chains.flatMap((value) => thingOf(frame, value) ?? []);
      // A chain that was begun elsewhere: whoever began it knows what it has collected.
      const foreign = context.receiver.filter((value) => value.kind === "symbol" && value.library !== undefined);
      const inputs = union(
        from.filter((value) => thingOf(frame, value) === undefined),
        unionAll([...collected.map((one) => one.inputs), ...foreign.map((value) => readMember(frame, value, "#inputs"))]),
      );
      const outputs = union(
        entry.holds === "body" ? sinks(frame, path) : path,
        unionAll([...collected.map((one) => one.outputs), ...foreign.map((value) => readMember(frame, value, "#outputs"))]),
      );
      assemble(frame, state, filesIn(frame, inputs), outputs, { ...moment, step: withBeginning(frame, context) });
      for (const value of context.receiver) {
        const chain = thingOf(frame, value);
        if (chain) addTo(frame, chain, "outputs", path);
      }
      return NOTHING;
    }
    case "command":
      runCommand(frame, state, context, entry);
      return NOTHING;
    case "write":
      use(frame, state, from, moment);
      make(frame, state, path, moment);
      nameFiles(frame, state, context, path);
      // What grows is kept: a log, a history.
      if (/^(?:promises\.)?append/i.test(entry.symbol) && !path.some(isTemporary)) escape(frame, state, path, moment);
      // A manifest: whoever reads it finds the files.
      if (!path.some(isTemporary))
        escape(
          frame,
          state,
          unionAll(context.args.slice(1).map((values) => unionAll(values.map((value) => thingOf(frame, value)?.rest ?? NOTHING)))),
          moment,
        );
      if (thing) addTo(frame, thing, "carries", path);
      return NOTHING;
    case "temp":
      return temporary(frame, state, context, entry, result);
    case "delete":
      remove(frame, state, path, moment, {
        recursive:
          entry.recursive === true || (typeof entry.recursive === "string" && valuesAt(frame, context, entry.recursive).some(isTruthy)),
        ...(entry.contents && { contents: true }),
        awaited: entry.settles === "now" || context.event.floating !== true,
        caught:
          entry.fails === "never" ||
          context.args.some((values) => values.some((value) => value.kind === "function")) ||
          isGuarded(frame, context.event) ||
          forced(frame, context),
      });
      return NOTHING;
    case "consume":
      return consume(frame, state, path, entry.to === undefined ? NOTHING : valuesAt(frame, context, entry.to), moment);
    case "carrier": {
      const carried = filesOf(frame, path, entry);
      if (entry.symbol === "JSON.stringify" && thing) addTo(frame, thing, "rest", path);
      if (entry.into === "receiver") for (const value of context.receiver) carry(frame, value, carried);
      else if (thing) carry(frame, result, carried, entry);
      if (entry.holds === undefined || entry.holds === "path") use(frame, state, carried, moment);
      return NOTHING;
    }
    case "chain": {
      markOutputs(frame, context, path);
      const chain = thing ?? context.receiver.map((value) => thingOf(frame, value)).find((one) => one !== undefined);
      if (chain) {
        addTo(frame, chain, "inputs", from);
        addTo(frame, chain, "outputs", entry.holds === "body" ? sinks(frame, path) : path);
      } else
        for (const value of context.receiver) {
          put(frame, value, "#inputs", from);
          put(frame, value, "#outputs", entry.holds === "body" ? sinks(frame, path) : path);
        }
      return thing && result ? [result] : context.receiver;
    }
    case "sink":
      if (thing) {
        thing.sink = true;
        if (context.args.length > 0) carry(frame, result, NOTHING);
      }
      return NOTHING;
    case "pipe":
      pipe(frame, state, context, entry, path);
      return entry.to === undefined ? NOTHING : valuesAt(frame, context, entry.to);
    case "read":
      use(frame, state, path, moment);
      return isListing(target) ? [listing(frame, context, path)] : NOTHING;
    case "check":
      use(frame, state, path, moment, true);
      // `stat` of what is gone fails; only to ask whether it is there does not.
      if (/stat/i.test(entry.symbol)) for (const value of filesBehind(frame, path)) observe(frame, state, "use", [value], moment);
      return path.flatMap((value) => (thingOf(frame, value) ? [] : [derived("call", value, "exists", { args: [] })]));
    case "mention":
      if (context.args.length === 1) escape(frame, state, printedBy(frame, path), moment);
      if (entry.path === "0+") announce(frame, context.args);
      return NOTHING;
    case "serve":
      if (!frame.scratch)
        for (const value of path) if (value.kind === "text" || value.kind === "joined") frame.served.set(value.key, value);
      if (entry.once) serve(frame, state, path, moment);
      else escape(frame, state, path, moment);
      return NOTHING;
    case "own":
      escape(frame, state, path, moment);
      return NOTHING;
    case "path":
      return pathOf(frame, context, entry, path);
    case "pass":
      return path;
    case "gather":
      return gather(frame, context, path, entry);
    case "callable":
      return path;
    case "invoke":
      // A promise's `then` results in what its function returns; where there is none, in what was promised.
      return entry.results === "one" && entry.symbol === "then" && context.args[0]?.some((value) => value.kind === "function")
        ? NOTHING
        : path;
    case "exit":
      // What is left when the program ends is left; when it ends with a code, it has failed.
      if (isFailure(context.args[0] ?? NOTHING)) giveUp(state);
      return NOTHING;
    default:
      return NOTHING;
  }
}

/** The step of a call that ends a chain. */
function withBeginning(frame: Frame, { receiver, moment }: CallContext): Step {
  const [begun] = receiver.flatMap((value) => (value.kind === "thing" ? (frame.begins.get(value.id) ?? []) : []));
  if (!begun) return moment.step;
  const known = begunSteps.get(moment.step);
  if (known?.begun === begun) return known;
  const step = { ...moment.step, begun };
  begunSteps.set(moment.step, step);
  return step;
}

const begunSteps = new WeakMap<Step, Step>();

/** Takes files to other names. */
function consume(frame: Frame, state: State, from: Values, to: Values, moment: CallContext["moment"]): Values {
  remove(frame, state, from, moment, { recursive: false, caught: true });
  const brought = from.length > 0 && from.every((value) => isField(frame, value));
  make(frame, state, to, brought ? { ...moment, step: { ...moment.step, brought: true } } : moment);
  return NOTHING;
}

function isFailure(codes: Values): boolean {
  return codes.length > 0 && codes.every((code) => code.kind === "literal" && typeof code.value === "number" && code.value !== 0);
}

/** In a chain of many lines: the end of the call that names the outputs, on the line where it ends. */
function markOutputs(frame: Frame, context: CallContext, outputs: Values): void {
  const { callee, span } = context.event;
  const before =
    callee.op === "member" && callee.of.op === "name" ? indexOf(frame.program, frame.module).calls.get(callee.of.name) : undefined;
  if (!before || outputs.length === 0) return;
  const mark: Span = {
    // Lines may change and leave the call as it is.
    get start() {
      return Math.max(before.call.span.end, frame.module.lineStarts.findLast((start) => start < span.end) ?? 0);
    },
    get end() {
      return span.end;
    },
  };
  for (const value of filesBehind(frame, outputs)) frame.marks.set(value.key, mark);
}

/** `writeFile(list, "file 'a.mp4'")`: the file names others. */
function nameFiles(frame: Frame, state: State, context: CallContext, path: Values): void {
  if (frame.scratch || context.args.length < 2) return;
  const names = unionAll(pathsInText(frame, context.args[1] ?? NOTHING).map((value) => [value]));
  if (names.length === 0) return;
  for (const value of filesBehind(frame, path)) {
    const record = fileAt(frame, state, value);
    if (record) record.names = union(record.names, names);
  }
}

/** `rm(p, { force: true })` fails on nothing that happens every day. */
function forced(frame: Frame, context: CallContext): boolean {
  return (context.args[1] ?? NOTHING).some((value) => thingOf(frame, value)?.fields.get("force")?.some(isTruthy) === true);
}
