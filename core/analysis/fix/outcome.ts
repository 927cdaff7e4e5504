/** How the code can tell whether an upload went well, where that is said by value. */
import { matchesReceiver } from "../catalogue/catalogue.ts";
import type { Entry } from "../catalogue/entry.ts";
import type { CallEvent, FlowFunction, FlowModule, Operand } from "../flow.ts";
import { functionOf } from "../program.ts";
import type { RuleContext } from "../rules/draft.ts";
import type { Report } from "../solve.ts";
import { FAILED, REFUSED, type Step } from "../summary.ts";

/** A place of a result that says how it went: truthy when `good`, else falsy. */
export interface Place {
  readonly path: string;
  readonly good: boolean;
}

/** `thrown`: nothing needs to be asked. `value`: the expression is truthy after success. `unbound`: no name holds the result. */
export type Outcome =
  | { readonly said: "thrown" }
  | { readonly said: "unbound"; readonly place: Place }
  | { readonly said: "value"; readonly onlyIf: string };

export function outcomeOf(context: RuleContext, upload: Step): Outcome {
  const { report } = context;
  const places = upload.inner === undefined ? placesOfLibrary(context, upload) : placesOfWrapper(context, upload.inner);
  const [first] = places;
  if (!first) return { said: "thrown" };
  const call = callAt(report.fn, upload);
  const bound = call === undefined ? [] : namesOf(report.fn, report.module, call);
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
