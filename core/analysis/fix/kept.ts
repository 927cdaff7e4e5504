/** Files that somebody may keep where they are: no fix deletes them. */
import { templateOf } from "../describe.ts";
import type { FileRecord } from "../frame.ts";
import { isReceived, isTemporary } from "../leaks.ts";
import { keyOf } from "../program.ts";
import type { RuleContext } from "../rules/draft.ts";
import type { Report } from "../solve.ts";
import { sameStep, type Step } from "../summary.ts";
import { dirnameOf, isHandedIn } from "../paths.ts";
import type { Value } from "../value.ts";

const STORE = /(?:^|[/\\])(?:back-?ups?|archives?|exports?|outputs?|results?|masters?|originals?|recordings?|librar(?:y|ies)|media)[/\\]/i;

/** Whether a directory above the file says by its name that what lies in it is meant to stay: `backups/`, `exports/`. */
export function isInStore(value: Value): boolean {
  return !isTemporary(value) && STORE.test(templateOf(value).text);
}

/** Whether the file was put where it is in order to stay there, as far as can be told. */
export function isKept(context: RuleContext, record: FileRecord): boolean {
  return !isTemporary(record.value) && (isPutThere(context, record) || isOnlyPreviewed(context, record) || isRendition(context, record));
}

/** Whether what a request brought was moved to where the file is now: into the store of whoever received it. */
function isPutThere({ program, report }: RuleContext, { value, trace }: FileRecord): boolean {
  return [...report.frame.files.values()].some(
    (other) =>
      other.value.key !== value.key &&
      isReceived(program, report.frame, other.value) &&
      other.trace.deleted.some((gone) => trace.made.some((made) => sameStep(made, gone))),
  );
}

/** Whether what was made of a film lies beside it: renditions, of which none is there for the others. */
function isRendition({ report }: RuleContext, { value, trace }: FileRecord): boolean {
  if (trace.output.length === 0 || trace.uploaded.length > 0) return false;
  const directory = dirnameOf(value).key;
  return madeFrom(report, trace).some((other) => other.value.key !== value.key && dirnameOf(other.value).key === directory);
}

/** What the assemblies write that read the file. */
function madeFrom({ frame }: Report, { read }: FileRecord["trace"]): readonly FileRecord[] {
  return [...frame.files.values()].filter(({ trace }) => trace.output.some((step) => read.some((one) => sameStep(one, step))));
}

const STILL = /\.(?:jpe?g|png|webp|gif|avif)$/i;

/** Whether nothing but stills were made of what is no still: they do not take its place. */
function isOnlyPreviewed({ report }: RuleContext, { value, trace }: FileRecord): boolean {
  if (trace.uploaded.length > 0 || STILL.test(templateOf(value).text)) return false;
  const outputs = madeFrom(report, trace);
  return outputs.length > 0 && outputs.every((output) => STILL.test(templateOf(output.value).text));
}

const DEEPEST = 6;

/** Whether a request brought the file: here, or to everybody who hands it in; where nobody does, to somebody in the workspace. */
export function isFromRequests(context: RuleContext, report: Report, { value }: FileRecord, depth = 0): boolean {
  const { program, callers, reports } = context;
  if (isReceived(program, report.frame, value)) return true;
  if (!isHandedIn(value) || depth > DEEPEST) return false;
  const above = callers.get(`${keyOf(report.ref)}|${value.key}`) ?? [];
  if (above.length > 0) return above.every((caller) => isFromRequests(context, caller.report, caller.record, depth + 1));
  return depth === 0 && reports.some(({ frame }) => [...frame.files.values()].some((record) => isReceived(program, frame, record.value)));
}

/** Whether a caller does something with what it has handed in after the function is over. */
export function isNeededAbove({ callers }: RuleContext, report: Report, { value }: FileRecord): boolean {
  if (!isHandedIn(value)) return false;
  const { module, fn } = report;
  const isOwn = ({ file, span }: Step): boolean => file === module.file && fn.span.start <= span.start && span.end <= fn.span.end;
  return (callers.get(`${keyOf(report.ref)}|${value.key}`) ?? []).some(({ record: { trace, from } }) => {
    const calls = from.filter((origin) => keyOf(origin.callee) === keyOf(report.ref)).map((origin) => origin.step);
    return [trace.used, trace.read, trace.uploaded, trace.output, trace.deleted, trace.escaped]
      .flat()
      .some((step) => !isOwn(step) && calls.some((call) => step.file === call.file && step.span.start > call.span.end));
  });
}
