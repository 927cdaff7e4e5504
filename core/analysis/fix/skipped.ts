/** Functions that upload a file on some ways only and return all the same: `if (dryRun) return { dryRun: true }`. */
import type { Block, FlowFunction, Operand } from "../flow.ts";
import type { FileRecord } from "../frame.ts";
import { keyOf } from "../program.ts";
import type { RuleContext } from "../rules/draft.ts";
import type { Report } from "../solve.ts";
import type { WayOut } from "../leave.ts";
import { ABSENT, DELETED, FAILED, LATER, OTHERS, REFUSED, sameStep, type Step, UNSUCCESSFUL, UPLOADED } from "../summary.ts";
import type { Place } from "./outcome.ts";

const DEEPEST = 5;

/** What of the result tells that the called function did upload the file; `untold`: nothing does. Undefined: it always uploads it. */
export function skippedBy(context: RuleContext, record: FileRecord, upload: Step, depth = 0): Place | "untold" | undefined {
  if (upload.inner === undefined || depth > DEEPEST) return undefined;
  const origin = record.from.find(({ step }) => sameStep(step, upload));
  const report = origin && context.program.reports.get(keyOf(origin.callee));
  const inner = report?.frame.files.get(origin?.key ?? "");
  if (!report || !inner) return undefined;
  const returns = report.exits.filter((exit) => exit.how === "return" && !exit.caught);
  const without = returns.filter((exit) => waysAt(exit, inner).some(isSkipped));
  const after = returns.filter((exit) => waysAt(exit, inner).some((way) => way & UPLOADED && !(way & NO_SUCCESS)));
  if (without.length === 0 || after.length === 0 || isOneOfSeveral(report, inner, without, after)) return undefined;
  // `return await client.upload(file)`: what is called there knows.
  const [only] = without;
  if (without.length === 1 && after.length === 1 && only === after[0]) return throughOf(context, report, inner, depth);
  return (
    placeOf(
      without.map((exit) => valueAt(report.fn, exit)),
      after.map((exit) => valueAt(report.fn, exit)),
    ) ?? "untold"
  );
}

function throughOf(context: RuleContext, report: Report, record: FileRecord, depth: number): Place | "untold" {
  const [call, ...others] = record.trace.uploaded;
  const place = call && others.length === 0 ? skippedBy({ ...context, report }, record, call, depth + 1) : undefined;
  const returned = report.fn.blocks.some(
    ({ exit }) => exit.exit === "return" && call && exit.span.start <= call.span.start && call.span.end <= exit.span.end,
  );
  return place !== undefined && returned ? place : "untold";
}

/** Whether the function only chooses who gets the file: `switch (provider)` with an upload in each case. */
function isOneOfSeveral({ fn }: Report, { trace }: FileRecord, without: readonly WayOut[], after: readonly WayOut[]): boolean {
  const calls = trace.uploaded.map(({ span }) => span);
  if (calls.length < 2 || !without.every((exit) => after.includes(exit))) return false;
  const uploads = ({ events }: Block): boolean =>
    events.some(({ event, span }) => event === "call" && calls.some(({ start, end }) => span.start <= start && end <= span.end));
  const seen = new Set([0]);
  for (const at of seen) {
    const block = fn.blocks[at];
    if (!block || uploads(block)) continue;
    const { exit } = block;
    if (exit.exit === "return" || exit.exit === "end") return false;
    if (exit.exit === "goto") seen.add(exit.to);
    if (exit.exit !== "branch") continue;
    seen.add(exit.yes);
    if (exit.test.test !== "equal" || (exit.test.left.op !== "text" && exit.test.right.op !== "text")) seen.add(exit.no);
  }
  return true;
}

const NO_SUCCESS = REFUSED | FAILED | ABSENT | UNSUCCESSFUL;

function isSkipped(way: number): boolean {
  return !(way & (UPLOADED | DELETED | LATER | NO_SUCCESS));
}

function waysAt({ state }: WayOut, { value }: FileRecord): readonly number[] {
  return state.ways.get(value.key) ?? state.ways.get(OTHERS) ?? [0];
}

/** What is returned there, in terms of the source; undefined: nothing. */
function valueAt({ blocks }: FlowFunction, { span }: WayOut): Operand | undefined {
  for (const { exit } of blocks)
    if (exit.exit === "return" && exit.span.start === span.start && exit.span.end === span.end) return exit.value;
  return undefined;
}

/** What all results of one side have and none of the other. */
function placeOf(without: readonly (Operand | undefined)[], after: readonly (Operand | undefined)[]): Place | undefined {
  if (without.every(isFalsy) && !after.some(isFalsy)) return { path: "", good: true };
  const [first] = without;
  if (first?.op !== "object") return undefined;
  for (const { name } of first.fields)
    for (const good of [true, false])
      if (without.every((value) => flagOf(value, name) === !good) && after.every((value) => flagOf(value, name) === good))
        return { path: name, good };
  return undefined;
}

function flagOf(value: Operand | undefined, name: string): boolean | undefined {
  const field = value?.op === "object" ? value.fields.find((one) => one.name === name)?.value : undefined;
  return field?.op === "literal" && typeof field.value === "boolean" ? field.value : undefined;
}

function isFalsy(value: Operand | undefined): boolean {
  return (
    value === undefined ||
    value.op === "nothing" ||
    (value.op === "literal" && (value.value === null || value.value === false)) ||
    (value.op === "global" && value.name === "undefined")
  );
}
