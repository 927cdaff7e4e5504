/** Words for what was found: how the code calls a file, and the way that it went. */
import { t } from "@vscode/l10n";
import type { PathTemplate } from "./finding.ts";
import type { Span } from "./flow.ts";
import { written } from "./written.ts";
import { evaluate } from "./evaluate.ts";
import type { FileRecord } from "./frame.ts";
import { keyOf } from "./program.ts";
import type { Mark } from "./rules/draft.ts";
import type { Report } from "./solve.ts";
import { innermost, sameStep, type Step } from "./summary.ts";
import { atomsOf, TMP, type Value } from "./value.ts";

/** The name under which the function knows the file, else what is known of its path. */
export function subjectOf(report: Report, record: FileRecord): string {
  const known = nameOf(report, record.value) ?? expressionOf(report, record.value);
  if (known !== undefined) return known;
  const { text } = templateOf(record.value);
  return /\w/.test(text) ? text : (argumentOf(report, record) ?? nameWithin(report, record) ?? text);
}

/** What is handed to the call that uses the file up, as it is written. */
function argumentOf({ frame, fn, exits }: Report, { value, trace }: FileRecord): string | undefined {
  const steps = [...trace.uploaded, ...trace.read, ...trace.output];
  for (const { events } of fn.blocks)
    for (const event of events) {
      if (event.event !== "call" || !steps.some(({ span }) => span.start === event.span.start && span.end === event.span.end)) continue;
      const operands = event.args.flatMap((arg) => (arg.op === "object" ? arg.fields.map((field) => field.value) : [arg]));
      for (const operand of operands)
        if (exits.some(({ state }) => evaluate(frame, state, operand).some((one) => one.key === value.key))) {
          const text = written(frame, operand);
          if (text !== "") return text;
        }
    }
  return undefined;
}

/** What a called function calls the file. */
function nameWithin({ frame }: Report, { from }: FileRecord, depth = 0): string | undefined {
  for (const { callee, key } of depth < 4 ? from : []) {
    const report = frame.program.reports.get(keyOf(callee));
    const record = report?.frame.files.get(key);
    if (!report || !record) continue;
    const known = nameOf(report, record.value) ?? expressionOf(report, record.value) ?? nameWithin(report, record, depth + 1);
    if (known !== undefined) return known;
  }
  return undefined;
}

/** A name that holds this path wherever it is set: fixes can use it. */
export function nameOf(report: Report, value: Value): string | undefined {
  const { frame } = report;
  let best: string | undefined;
  for (const exit of report.exits)
    for (const [name, values] of exit.state.env) {
      if (name.startsWith("%") || !values.some((one) => one.key === value.key)) continue;
      const written = frame.module.written[name];
      if (written === undefined || !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(written)) continue;
      if (best === undefined || (values.length === 1 && written.length < 30)) best = written;
    }
  return best;
}

/** `req.file.path`: fields of a name, as code. */
export function expressionOf(report: Report, value: Value): string | undefined {
  const names: string[] = [];
  let at = value;
  for (let depth = 0; depth < 8; depth += 1) {
    if (at.kind !== "derived") break;
    // The name that a loop or a choice gives to an element says more.
    const known = names.length > 0 ? nameOf(report, at) : undefined;
    if (known !== undefined) return `${known}${names.join("")}`;
    if (at.how === "member" && /^\d+$/.test(at.name)) names.unshift(`[${at.name}]`);
    else if (at.how === "each") names.unshift("[0]");
    else if (at.how !== "member" || !/^[\p{ID_Start}$_#][\p{ID_Continue}$]*$/u.test(at.name)) return undefined;
    else names.unshift(`.${at.name}`);
    at = at.of;
  }
  if (at.kind !== "symbol" || names.length === 0) return undefined;
  const root = rootName(report, at);
  return root === undefined ? undefined : `${root}${names.join("")}`;
}

function rootName(report: Report, symbol: Value & { kind: "symbol" }): string | undefined {
  const { frame } = report;
  if (symbol.root === "this") return "this";
  const known = nameOf(report, symbol);
  if (known !== undefined) return known;
  if (symbol.root === "captured" && symbol.name !== undefined) return frame.module.written[symbol.name];
  const written = frame.fn.parameters[symbol.index ?? -1]?.written;
  return symbol.root === "parameter" && written !== undefined && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(written)
    ? written
    : undefined;
}

/** What is known of a path, with `{}` for each part that is not. */
export function templateOf(value: Value): PathTemplate {
  const parts = atomsOf(value);
  const [first] = parts;
  const base: PathTemplate["base"] =
    first?.key === TMP.key
      ? "tmp"
      : first?.kind === "text"
        ? first.text.startsWith("/")
          ? "absolute"
          : "workspace"
        : first?.kind === "symbol" && first.temporary
          ? "tmp"
          : "unknown";
  const rest = base === "tmp" && first?.key === TMP.key ? parts.slice(1) : parts;
  const text = rest
    .map((part) => (part.kind === "text" ? part.text : "{}"))
    .join("")
    .replaceAll(/(?:\{\}){2,}/g, "{}");
  return { base, text: base === "tmp" ? text.replace(/^\/+/, "") : text };
}

/** All places of a step, from the outermost call to the innermost. */
function chain(step: Step): Step[] {
  const steps: Step[] = [];
  for (let at: Step | undefined = step; at && steps.length < 8; at = at.inner) steps.push(at);
  return steps;
}

const MOST_MARKS = 14;

/** The way of a file as marks: made, used up, and where it is left. */
export function marksOf(record: FileRecord, primary: Step | undefined): Mark[] {
  const marks: Mark[] = [];
  const put = (file: string, span: Span, message: string): void => {
    if (marks.length < MOST_MARKS && !marks.some((mark) => mark.file === file && mark.span.start === span.start))
      marks.push({ file, span, message });
  };
  const add = (steps: readonly Step[], outer: string, inner: string, whole = true): void => {
    for (const step of steps.slice(0, 3))
      for (const [depth, at] of chain(step).entries()) {
        // Calls on the way to where a file is read have files of their own.
        if (!whole && at.inner !== undefined) continue;
        // How a called function puts its command together is its own business.
        if (depth === 0 && at.begun && (at.mark !== undefined || at.begun.start !== at.span.start))
          put(at.file, at.begun, t("the command begins here"));
        if (primary && at.file === primary.file && at.span.start === primary.span.start) continue;
        put(at.file, at.mark ?? at.span, depth === 0 && at.inner === undefined ? outer : inner);
      }
  };
  const { trace } = record;
  add(trace.made, t("made here"), t("made on the way through here"));
  // Of an uploaded file the upload is to be told; what other functions rendered it from is theirs.
  const here = (steps: readonly Step[]): readonly Step[] =>
    trace.uploaded.length > 0 ? steps.filter((step) => step.inner === undefined) : steps;
  const isMarked = (step: Step): boolean => innermost(step).mark !== undefined;
  add(here(trace.output), t("written by this assembly"), t("written by an assembly on the way through here"));
  if (trace.uploaded.length > 0)
    add(trace.output.filter(isMarked), t("written by this assembly"), t("written by an assembly on the way through here"), false);
  // What this function had rendered for the upload.
  if (trace.uploaded.length > 0)
    for (const step of trace.output.slice(0, 3)) if (step.inner && step.file === primary?.file) put(step.file, step.span, t("made here"));
  const reads = here(trace.read);
  const isLast = (step: Step): boolean => primary === undefined || sameStep(step, primary);
  add(reads.filter(isLast), t("read by this assembly"), t("read by an assembly on the way through here"), false);
  // What other functions did with it before is theirs.
  for (const step of reads.filter((one) => !isLast(one)).slice(0, 3)) put(step.file, step.span, t("read by this assembly"));
  add(trace.uploaded, t("uploaded here"), t("uploaded on the way through here"));
  return marks;
}
