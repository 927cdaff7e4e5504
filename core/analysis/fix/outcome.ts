/** How the code can tell whether an upload went well, where that is said by value. */
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Entry } from "../catalogue/entry.ts";
import type { CallEvent, FlowFunction, FlowModule, Operand } from "../flow.ts";
import { functionOf } from "../program.ts";
import type { RuleContext } from "../rules/draft.ts";
import { innermost, type Step } from "../summary.ts";

/** `thrown`: nothing needs to be asked. A text: truthy after success. `unbound`: by value, and no name holds it. */
export type Outcome = { readonly said: "thrown" } | { readonly said: "unbound" } | { readonly said: "value"; readonly onlyIf: string };

const THROWN: Outcome = { said: "thrown" };
const UNBOUND: Outcome = { said: "unbound" };

export function outcomeOf(context: RuleContext, upload: Step): Outcome {
  const { report, program } = context;
  const places =
    upload.inner === undefined ? placesOfLibrary(program.catalogue, report.module, upload) : placesOfWrapper(context, upload.inner);
  if (places.length === 0) return THROWN;
  const call = callAt(report.fn, upload);
  const bound = call === undefined ? [] : namesOf(report.fn, report.module, call);
  for (const place of places) {
    const whole = bound.find((one) => one.path === "");
    const part = bound.find((one) => one.path !== "" && one.path === place.path);
    const subject = part?.written ?? (whole && (place.path === "" ? whole.written : `${whole.written}.${place.path}`));
    if (subject !== undefined) return { said: "value", onlyIf: place.good ? subject : `!${subject}` };
  }
  return UNBOUND;
}

/** A place of the result that says how it went: truthy when `good`, else falsy. */
interface Place {
  readonly path: string;
  readonly good: boolean;
}

function placesOfLibrary(catalogue: Catalogue, module: FlowModule, upload: Step): Place[] {
  const method = upload.written.replaceAll("()", "").split(".").at(-1) ?? "";
  const used = new Set(
    module.functions.flatMap((fn) =>
      fn.blocks.flatMap((block) => block.events.flatMap((event) => (event.event === "call" ? modulesIn(event) : []))),
    ),
  );
  const entries = catalogue.byMethod(method).filter((entry) => entry.role === "upload");
  const known = entries.filter((entry) => used.has(entry.module));
  const chosen = known.length > 0 ? known : entries;
  // Where the library is not certain, the one that says it by value counts: a test too many does no harm.
  return chosen.filter((entry) => entry.fails === "value").flatMap((entry) => placeOf(entry));
}

function placeOf({ failure, success }: Entry): Place[] {
  if (failure !== undefined) return [{ path: failure.replace(/^result\.?/, ""), good: false }];
  return [{ path: (success ?? "result.ok").replace(/^result\.?/, ""), good: true }];
}

function modulesIn(event: CallEvent): string[] {
  const found: string[] = [];
  const look = (operand: Operand): void => {
    if (operand.op === "import") found.push(operand.from.replace(/^node:/, ""));
    else if (operand.op === "global") found.push("global");
    else if (operand.op === "member") look(operand.of);
  };
  for (const operand of [event.callee, ...event.args]) look(operand);
  return found;
}

/** `return null`, `return false`, `return { success: false }`, `return { error }` in the functions on the way to the upload. */
function placesOfWrapper({ program }: RuleContext, inner: Step): Place[] {
  const fn = functionOf(program, inner.function);
  if (!fn) return [];
  const places: Place[] = [];
  for (const { exit } of fn.blocks) {
    if (exit.exit !== "return" || exit.value === undefined) continue;
    const { value } = exit;
    if (
      value.op === "nothing" ||
      (value.op === "literal" && (value.value === null || value.value === false)) ||
      (value.op === "global" && value.name === "undefined")
    )
      places.push({ path: "", good: true });
    if (value.op !== "object") continue;
    const flag = value.fields.find(
      (field) => /^(?:success|ok|uploaded)$/.test(field.name) && field.value.op === "literal" && field.value.value === false,
    );
    const error = value.fields.find(
      (field) => /^(?:error|err|errorMessage)$/.test(field.name) && field.value.op !== "literal" && field.value.op !== "nothing",
    );
    if (flag) places.push({ path: flag.name, good: true });
    else if (error && value.fields.length <= 2) places.push({ path: error.name, good: false });
  }
  if (places.length > 0) return places;
  // Handed through as it is: `return client.upload(path)`.
  const last = innermost(inner);
  return last !== inner && inner.inner ? placesOfWrapper({ program } as RuleContext, inner.inner) : [];
}

function callAt(fn: FlowFunction, step: Step): CallEvent | undefined {
  for (const block of fn.blocks)
    for (const event of block.events)
      if (event.event === "call" && event.span.start === step.span.start && event.span.end === step.span.end) return event;
  return undefined;
}

/** Names of the source that hold the call's result, or a field of it. */
function namesOf(fn: FlowFunction, module: FlowModule, call: CallEvent): { readonly written: string; readonly path: string }[] {
  const held = new Map<string, string>([[call.result, ""]]);
  const found: { written: string; path: string }[] = [];
  for (const block of fn.blocks)
    for (const event of block.events) {
      if (event.event !== "await" && event.event !== "set") continue;
      const path = pathFrom(held, event.value);
      if (path === undefined || held.has(event.name)) continue;
      held.set(event.name, path);
      const written = module.written[event.name];
      if (!event.name.startsWith("%") && written !== undefined && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(written))
        found.push({ written, path });
    }
  return found;
}

function pathFrom(held: ReadonlyMap<string, string>, operand: Operand): string | undefined {
  if (operand.op === "name") return held.get(operand.name);
  if (operand.op !== "member") return undefined;
  const of = pathFrom(held, operand.of);
  return of === undefined ? undefined : of === "" ? operand.name : `${of}.${operand.name}`;
}
