/** What a branch says about files: that one is not there, that an upload failed, that somebody wants to keep them. */
import { written } from "./written.ts";
import { reachable, waysOf } from "./records.ts";
import type { Name, Operand, Test } from "./flow.ts";
import { evaluate, namesIn } from "./evaluate.ts";
import { type FileRecord, type Frame, type State, thingOf } from "./frame.ts";
import { ABSENT, FAILED, FOUND, KEPT, MADE, mapWays, OTHERS, READ, REFUSED, UNSUCCESSFUL, UPLOADED } from "./summary.ts";
import { atomsOf, isCut, NOTHING, union, type Value, type Values } from "./value.ts";
import { isBelow, isHandedIn, listedIn } from "./paths.ts";

/** The state on one side of a branch. Undefined: nobody gets there. */
export function refine(frame: Frame, before: State, test: Test, outcome: boolean): State | undefined {
  const state: State = { env: before.env, ways: new Map(before.ways) };
  if (test.test === "defined") {
    if (!test.declared) return outcome ? undefined : state;
    if (!outcome) absent(frame, state, evaluate(frame, state, test.of));
    return state;
  }
  if (!outcome && test.test === "truthy" && isCertain(evaluate(frame, state, test.of))) return undefined;
  if (test.test === "equal") {
    const [operand, constant] = isConstant(test.left) ? [test.right, test.left] : [test.left, test.right];
    if (outcome && isNone(constant) && isCertain(evaluate(frame, state, operand))) return undefined;
    if (outcome && constant.op === "literal" && constant.value === 0 && isFilled(frame, state, operand)) return undefined;
  }
  if (!outcome && test.test === "truthy" && isFilled(frame, state, test.of)) return undefined;
  // `if (size > 1024)`: on the other side what was made is not worth taking its inputs away for.
  if (!outcome) for (const operand of comparedBy(test)) for (const value of evaluate(frame, state, operand)) tooSmall(frame, state, value);
  if (test.test === "truthy") {
    truthy(frame, state, test.of, outcome);
    return state;
  }
  if (test.test === "equal") {
    equal(frame, state, test.left, test.right, outcome);
    return narrowed(frame, state, test.left, test.right, outcome);
  }
  // A comparison is a look at what is compared.
  if (test.test === "unknown") truthy(frame, state, { op: "opaque", of: test.of.filter((one) => !isConstant(one)) }, outcome);
  return state;
}

/** A path that was put together or made is there: nobody gets to the other side of a test for it. */
function isCertain(values: Values): boolean {
  return (
    values.length > 0 &&
    values.every(
      (value) =>
        value.kind === "joined" ||
        (value.kind === "literal" && value.value === true) ||
        (value.kind === "text" && value.text !== "") ||
        (value.kind === "symbol" && value.temporary === true),
    )
  );
}

/** `list.length` of a list that something was put into: loops run at least once, and so it is not empty. */
function isFilled(frame: Frame, state: State, operand: Operand): boolean {
  if (operand.op !== "member" || operand.name !== "length") return false;
  const lists = evaluate(frame, state, operand.of);
  return (
    lists.length > 0 &&
    lists.every((list) => {
      const thing = thingOf(frame, list);
      return thing !== undefined && reachable(frame, thing.elements).some((value) => frame.files.has(value.key));
    })
  );
}

/** `(error, data) => { if (error) … }`: on one side whatever was under way has failed. */
function failing(frame: Frame, state: State, operand: Operand, outcome: boolean): void {
  if (!outcome || operand.op !== "name" || frame.fn.kind !== "closure") return;
  const [first] = frame.fn.parameters;
  if (first?.name !== operand.name || !/^_?(?:\w*err(?:or)?|e|ex|\w*Exception|reason)$/i.test(first.written)) return;
  for (const [key, ways] of state.ways)
    state.ways.set(
      key,
      mapWays(ways, (way) => way | FAILED | REFUSED),
    );
  state.ways.set(
    OTHERS,
    mapWays(state.ways.get(OTHERS) ?? [0], (way) => way | FAILED | REFUSED),
  );
}

function truthy(frame: Frame, state: State, operand: Operand, outcome: boolean): void {
  failing(frame, state, operand, outcome);
  const values = evaluate(frame, state, operand);
  exists(frame, state, values, outcome);
  if (!outcome) {
    absent(frame, state, values);
    for (const value of values) noDirectory(frame, state, value);
  }
  wish(frame, state, operand, outcome);
  const last = lastName(frame, operand);
  const failure = FAILURE.test(last);
  report(frame, state, operand, failure || SKIPPED.test(last) ? !outcome : outcome, failure || SUCCESS.test(last));
}

/** `if (stats.isDirectory()) … else …`: in what is no directory there are no files. */
function noDirectory(frame: Frame, state: State, asked: Value): void {
  let at = asked;
  let isAsked = false;
  for (let depth = 0; depth < 6 && at.kind === "derived" && at.name !== "exists"; depth += 1) {
    isAsked ||= at.name === "isDirectory";
    at = at.of;
  }
  if (!isAsked || at.kind !== "derived") return;
  const { of } = at;
  for (const record of frame.files.values())
    if (record.value.key !== of.key && (isBelow(record.value, of) || listedIn(record.value)?.key === of.key))
      set(state, record, (way) => way | ABSENT);
}

const SUCCESS = /^(?:is)?(?:ok|success|succeeded|successful|uploaded)$/i;
/** Nothing was uploaded, and nothing went wrong. */
const SKIPPED = /^(?:is|was)?(?:dry_?run|skipped|simulated)$/i;
const FAILURE = /^(?:is)?(?:error|err|errors|failed|failure|failures|rejected|rejections|cause)$/i;

function equal(frame: Frame, state: State, left: Operand, right: Operand, outcome: boolean): void {
  const [operand, constant] = isConstant(left) ? [right, left] : [left, right];
  if (!isConstant(constant)) {
    if (outcome) coincide(frame, state, evaluate(frame, state, left), evaluate(frame, state, right));
    return;
  }
  const last = lastName(frame, operand);
  const failure = FAILURE.test(last);
  if (isNone(constant)) {
    const there = !outcome;
    failing(frame, state, operand, there);
    if (!there) absent(frame, state, evaluate(frame, state, operand));
    report(frame, state, operand, failure ? !there : there, failure);
    return;
  }
  if (constant.op === "literal" && typeof constant.value === "boolean") {
    truthy(frame, state, operand, constant.value ? outcome : !outcome);
    return;
  }
  if (constant.op === "literal" && constant.value === 0 && /code|status/i.test(last)) report(frame, state, operand, outcome);
  else if (constant.op === "literal" && typeof constant.value === "number" && constant.value >= 200 && constant.value < 300)
    report(frame, state, operand, outcome);
  else if (constant.op === "text") {
    if (/^(?:error|failed|failure|rejected)$/i.test(constant.text)) report(frame, state, operand, !outcome);
    else if (/^(?:ok|success|succeeded|done|complete|completed|fulfilled)$/i.test(constant.text)) report(frame, state, operand, outcome);
    else if (/^(?:true|1|yes|on)$/i.test(constant.text)) wish(frame, state, operand, outcome);
    else if (/^(?:false|0|no|off)$/i.test(constant.text)) wish(frame, state, operand, !outcome);
  }
}

/** `if (part !== output) remove(part)`: on the other side there is no such file beside the one that has its name. */
function coincide(frame: Frame, state: State, left: Values, right: Values): void {
  const shared = new Set(left.filter((value) => right.some((other) => other.key === value.key)).map((value) => value.key));
  for (const value of union(left, right)) {
    // What was handed in may be deleted only further on.
    if (shared.has(value.key) || !(frame.files.has(value.key) || isHandedIn(value))) continue;
    state.ways.set(
      value.key,
      mapWays(waysOf(state, value), (way) => way | ABSENT),
    );
  }
}

/** `if (converted !== received) remove(converted)`: of what a name may be, each side has its own. */
function narrowed(frame: Frame, state: State, left: Operand, right: Operand, outcome: boolean): State {
  if (isConstant(left) || isConstant(right)) return state;
  const env = new Map(state.env);
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const values = one.op === "name" ? (state.env.get(one.name) ?? NOTHING) : NOTHING;
    const others = evaluate(frame, state, other);
    if (one.op !== "name" || values.length < 2 || isCut(values) || isCut(others) || (!outcome && others.length !== 1)) continue;
    const rest = values.filter((value) => others.some(({ key }) => key === value.key) === outcome);
    // `if (sent === converted) remove(converted)`: where something else was sent, nothing was converted.
    const [only] = others;
    if (only && others.length === 1 && rest.length < values.length) onlyIfMade(frame, state, only, outcome);
    if (rest.length > 0 && rest.length < values.length) env.set(one.name, rest);
  }
  return { ...state, env };
}

/** Of a file that was made on some ways only, those on which it was, or the others. */
function onlyIfMade(frame: Frame, state: State, value: Value, made: boolean): void {
  const ways = frame.files.has(value.key) ? waysOf(state, value) : [];
  const rest = ways.filter((way) => ((way & MADE) !== 0) === made);
  if (rest.length > 0 && rest.length < ways.length) state.ways.set(value.key, rest);
}

function isConstant(operand: Operand): boolean {
  return operand.op === "text" || operand.op === "literal" || isNone(operand);
}

function isNone(operand: Operand): boolean {
  return (
    operand.op === "nothing" ||
    (operand.op === "literal" && operand.value === null) ||
    (operand.op === "text" && operand.text === "") ||
    (operand.op === "global" && operand.name === "undefined")
  );
}

function lastName(frame: Frame, operand: Operand): string {
  // `failed.length`, `errors.size` say what their list says.
  const text = written(frame, operand)
    .replaceAll("()", "")
    .replace(/\.(?:length|size)$/, "");
  return text.slice(text.lastIndexOf(".") + 1);
}

/** `if (existsSync(p))`: on the other side there is no such file. */
function exists(frame: Frame, state: State, values: Values, outcome: boolean): void {
  for (const value of values) {
    if (value.kind !== "derived" || value.how !== "call" || value.name !== "exists") continue;
    const directory = value.of;
    for (const record of frame.files.values()) {
      if (record.value.key === directory.key) {
        set(state, record, (way) => (outcome ? (way & MADE ? way : way | FOUND) : way | ABSENT));
        // What was to be made is not there: the assembly failed, and what it read is needed for the next attempt.
        if (!outcome && record.trace.output.length > 0) giveUp(state);
      } else if (!outcome && isBelow(record.value, directory)) set(state, record, (way) => way | ABSENT);
    }
  }
}

function comparedBy(test: Test): readonly Operand[] {
  if (test.test === "unknown") return test.of;
  return test.test === "truthy" ? (test.of.op === "opaque" ? test.of.of : [test.of]) : [];
}

/** What the size of an output says: the assembly may have failed. */
function tooSmall(frame: Frame, state: State, size: Value): void {
  let at = size;
  while (at.kind === "derived" && at.how === "member") at = at.of;
  if (at === size || at.kind !== "derived" || at.how !== "call" || at.name !== "exists") return;
  if ((frame.files.get(at.of.key)?.trace.output.length ?? 0) > 0) giveUp(state);
}

/** `if (tempPath)`: on the other side the name holds no path, and so there is no file of it. */
function absent(frame: Frame, state: State, values: Values): void {
  if (values.length === 0) return;
  // What was not handed in needs no deletion, whatever the other side does to it.
  for (const value of values)
    if (isHandedIn(value) && !frame.files.has(value.key))
      state.ways.set(
        value.key,
        mapWays(waysOf(state, value), (way) => way | ABSENT),
      );
  for (const record of frame.files.values())
    if (values.some((value) => leadsTo(frame, value, record.value) || atomsOf(record.value)[0]?.key === value.key))
      set(state, record, (way) => way | ABSENT);
}

function leadsTo(frame: Frame, value: Value, file: Value): boolean {
  if (value.kind === "literal" || value.kind === "function") return false;
  let at: Value = file;
  for (let depth = 0; depth < 8; depth += 1) {
    if (at.key === value.key) return true;
    if (at.kind !== "derived") break;
    at = at.of;
  }
  const thing = thingOf(frame, value);
  return thing !== undefined && thing.library === undefined && thing.carries.some((one) => one.key === file.key);
}

const KEEP =
  /keep|preserve|retain|debug|no_?clean|skip_?(?:clean|delet|remov)|leave_?|persist|save_?(?:te?mp|intermediate|local)|dry_?run/i;
const CLEAN = /clean|delet|remov|unlink|purge|dispos|discard|is_?te?mp|temporary|ephemeral|owns|owned|should_?(?:rm|prune)|auto_?cleanup/i;

/** A flag that says whether temporary files stay. */
function wish(frame: Frame, state: State, operand: Operand, outcome: boolean): void {
  const text = written(frame, operand);
  const last = text.replace(/\(\)$/, "").split(".").at(-1) ?? "";
  const name = text.includes("env.") || /config|settings|options|opts/i.test(text) ? text : last;
  if (text.endsWith("()") && !/^(?:is|should|has|can|needs|get)/.test(last)) return;
  const keeps = KEEP.test(name) ? outcome : CLEAN.test(name) ? !outcome : false;
  if (!keeps) return;
  for (const record of frame.files.values()) set(state, record, (way) => (way & (MADE | UPLOADED | READ) ? way | KEPT : way));
}

/** The result of an upload is looked at: on one side it went well, on the other it did not. */
function report(frame: Frame, state: State, operand: Operand, success: boolean, certain = true): void {
  if (!success && certain) giveUp(state);
  const sites = outcomesOf(frame, operand);
  if (sites.size === 0) return;
  for (const record of frame.files.values()) {
    if (![...record.sites].some((site) => sites.has(site))) continue;
    const ways = waysOf(state, record.value);
    const bad = ways.filter((way) => way & (REFUSED | UNSUCCESSFUL));
    const good = ways.filter((way) => !(way & (REFUSED | UNSUCCESSFUL)));
    if (success) {
      if (good.length > 0) state.ways.set(record.value.key, good);
    } else
      state.ways.set(
        record.value.key,
        bad.length > 0
          ? mapWays(bad, (way) => way | REFUSED)
          : mapWays(good, (way) => (way & UPLOADED ? (way & ~UPLOADED) | REFUSED : way)),
      );
  }
}

/** From here on the function is about to say that it failed. `told`: it has said so, and whoever waits does not go on. */
export function giveUp(state: State, told = false): void {
  for (const [key, ways] of [...state.ways, [OTHERS, state.ways.get(OTHERS) ?? [0]] as const])
    state.ways.set(
      key,
      mapWays(ways, (way) => (told ? way & ~REFUSED : way) | UNSUCCESSFUL),
    );
}

/** Calls whose results an operand was made from. */
export function sitesOf(frame: Frame, operand: Operand): ReadonlySet<number> {
  const result = new Set<number>();
  for (const name of operandNames(operand)) for (const site of frame.sites.get(name) ?? []) result.add(site);
  return result;
}

/** Calls whose outcome an operand is. */
export function outcomesOf(frame: Frame, operand: Operand): ReadonlySet<number> {
  const result = new Set<number>();
  for (const name of operandNames(operand)) for (const site of frame.outcomes.get(name) ?? []) result.add(site);
  return result;
}

export function operandNames(operand: Operand): readonly Name[] {
  return namesIn(operand).filter((name) => name.includes("@") || name.startsWith("%"));
}

function set(state: State, record: FileRecord, how: (way: number) => number): void {
  state.ways.set(record.value.key, mapWays(waysOf(state, record.value), how));
}
