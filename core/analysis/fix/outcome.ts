/** How the code can tell whether an upload went well, where that is said by value. */
import { matchesReceiver } from "../catalogue/catalogue.ts";
import type { Entry } from "../catalogue/entry.ts";
import type { CallEvent, FlowFunction, FlowModule, Name, Operand } from "../flow.ts";
import { functionOf } from "../program.ts";
import type { RuleContext } from "../rules/draft.ts";
import type { FileRecord } from "../frame.ts";
import type { Report } from "../solve.ts";
import { FAILED, REFUSED, type Step } from "../summary.ts";
import { skippedBy } from "./skipped.ts";

/** A place of a result that says how it went: truthy when `good`, else falsy. */
export interface Place {
  readonly path: string;
  readonly good: boolean;
}

/**
 * `thrown`: nothing needs to be asked. `value`: the expression is truthy after success. `unbound`: no name holds the result.
 * `untold`: the called function does not upload the file on every way, and nothing says whether it did.
 */
export type Outcome =
  | { readonly said: "thrown" }
  | { readonly said: "untold" }
  | { readonly said: "unbound"; readonly place: Place }
  | { readonly said: "value"; readonly onlyIf: string };

export function outcomeOf(context: RuleContext, record: FileRecord, upload: Step): Outcome {
  const { report } = context;
  const skipped = skippedBy(context, record, upload);
  if (skipped === "untold") return { said: "untold" };
  const told = upload.inner === undefined ? placesOfLibrary(context, upload) : placesOfWrapper(context, upload.inner);
  const places = skipped ? [skipped] : told;
  const [first] = places;
  if (!first) return { said: "thrown" };
  const call = callAt(report.fn, upload);
  const sending = call && upload.inner && (methodOf(context, call, upload.inner) ?? call);
  const bound = call === undefined ? [] : namesOf(report.fn, report.module, sending ?? call);
  for (const place of places) {
    const whole = bound.find((one) => one.path === "");
    const part = bound.find((one) => one.path !== "" && one.path === place.path);
    const subject = part?.written ?? (whole && (place.path === "" ? whole.written : `${whole.written}.${place.path}`));
    if (subject !== undefined) return { said: "value", onlyIf: place.good ? subject : `!${subject}` };
  }
  return { said: "unbound", place: first };
}

function placesOfLibrary({ program, report }: RuleContext, upload: Step): Place[] {
  const method = upload.written.replaceAll("()", "").split(".").at(-1) ?? "";
  const receiver = upload.written.slice(0, Math.max(0, upload.written.lastIndexOf(".")));
  const entries = program.catalogue.entries.filter(
    (entry) =>
      entry.role === "upload" &&
      entry.path !== undefined &&
      entry.symbol.slice(entry.symbol.lastIndexOf(".") + 1).replace(/^default$/, method) === method &&
      (entry.module === "global" || program.loader.uses(report.module.file, entry.module)),
  );
  const likely = entries.filter((entry) => matchesReceiver(entry, receiver));
  const chosen = likely.length > 0 ? likely : entries;
  const silent = chosen.filter((entry) => entry.fails === "value");
  // Several libraries may be meant: what the solver saw decides.
  if (silent.length < chosen.length && !isSilentHere(report)) return [];
  return silent.flatMap((entry) => placeOf(entry));
}

/** Whether some way out is reached with an upload that failed without an exception. */
function isSilentHere(report: Report): boolean {
  return report.exits.some((exit) => [...exit.state.ways.values()].some((ways) => ways.some((way) => way & REFUSED && !(way & FAILED))));
}

function placeOf({ failure, success }: Entry): Place[] {
  if (failure !== undefined) return [{ path: failure.replace(/^result\.?/, ""), good: false }];
  return [{ path: (success ?? "result.ok").replace(/^result\.?/, ""), good: true }];
}

/** `return null`, `return false`, `return { success: false }`, `return { error }` in the functions on the way to the upload. */
function placesOfWrapper(context: RuleContext, inner: Step): Place[] {
  const fn = functionOf(context.program, inner.function);
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
  // Handed through as it is: `return client.upload(path)`.
  return places.length === 0 && inner.inner ? placesOfWrapper(context, inner.inner) : places;
}

function callAt(fn: FlowFunction, step: Step): CallEvent | undefined {
  for (const block of fn.blocks)
    for (const event of block.events)
      if (event.event === "call" && event.span.start === step.span.start && event.span.end === step.span.end) return event;
  return undefined;
}

/** `const sender = open(file); const sent = await sender.send();`: the call of the closure that does upload the file. */
function methodOf({ program, report }: RuleContext, call: CallEvent, inner: Step): CallEvent | undefined {
  const name = functionOf(program, inner.function)?.name;
  const held = heldOf(report.fn, call.result);
  for (const block of report.fn.blocks)
    for (const event of block.events)
      if (event.event === "call" && event !== call && event.callee.op === "member" && event.callee.name === name)
        if (pathFrom(held, event.callee.of) !== undefined) return event;
  return undefined;
}

/** Names of the source that hold the call's result, or a field of it. */
function namesOf(fn: FlowFunction, module: FlowModule, call: CallEvent): { readonly written: string; readonly path: string }[] {
  return [...heldOf(fn, call.result)].flatMap(([name, path]) => {
    const written = module.written[name];
    return !name.startsWith("%") && written !== undefined && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(written)
      ? [{ written, path }]
      : [];
  });
}

/** Names that hold what a name holds, or a field of it. */
function heldOf(fn: FlowFunction, result: Name): ReadonlyMap<Name, string> {
  const held = new Map<Name, string>([[result, ""]]);
  for (const block of fn.blocks)
    for (const event of block.events) {
      if (event.event !== "await" && event.event !== "set") continue;
      const path = pathFrom(held, event.value);
      if (path !== undefined && !held.has(event.name)) held.set(event.name, path);
    }
  return held;
}

function pathFrom(held: ReadonlyMap<string, string>, operand: Operand): string | undefined {
  if (operand.op === "name") return held.get(operand.name);
  if (operand.op !== "member") return undefined;
  const of = pathFrom(held, operand.of);
  return of === undefined ? undefined : of === "" ? operand.name : `${of}.${operand.name}`;
}
