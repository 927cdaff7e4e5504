/** Writes a fix down in TypeScript or JavaScript, in the style of the file. */
import { ts } from "ts-morph";
import type { Finding, TextEdit } from "../finding.ts";
import type { FixPlan } from "../fix/plan.ts";
import type { FlowModule } from "../flow.ts";
import { rangeOf } from "../report.ts";
import { deleteAfter, deleteBefore } from "./printCleanup.ts";
import { helperFile } from "./printHelper.ts";
import { printOperand } from "./printInline.ts";
import { guard, moveAfter, moveBefore, moveIntoChain, waitFor } from "./printMove.ts";
import { type Change, isInFinally, placeAt, takeOut } from "./printPlace.ts";
import { type PrintStyle, styleOf } from "./printStyle.ts";

interface Parsed {
  readonly text: string;
  readonly source: ts.SourceFile;
  readonly style: PrintStyle;
}

/** Several findings of one text are printed one after the other. */
const parsed = new WeakMap<FlowModule, Parsed>();

export function printFix(
  finding: Finding,
  plan: FixPlan,
  module: FlowModule,
  text: string,
): readonly { readonly file: string; readonly edits: readonly TextEdit[]; readonly create?: true }[] | undefined {
  const { source, style } = parse(module, text);
  const spelt = withInline(plan, module, style);
  const changes = spelt && changesOf(source, style, spelt, offsetOf(module, finding));
  if (!changes || changes.length === 0) return undefined;
  const edits = changes.map((change) => ({ range: rangeOf(module, change), text: change.text }));
  const home = "home" in plan && plan.home ? helperFile(source, style, plan.home) : undefined;
  if (home?.text === undefined) return [{ file: plan.file, edits }];
  const start = { line: 1, column: 1 };
  return [
    { file: plan.file, edits },
    { file: home.file, edits: [{ range: { start, end: start }, text: home.text }], create: true },
  ];
}

/** With paths that have no name written out. Undefined: they cannot be. */
function withInline(plan: FixPlan, module: FlowModule, { quote }: PrintStyle): FixPlan | undefined {
  if (plan.kind !== "delete-after" && plan.kind !== "delete-before") return plan;
  const { inline, output, ...rest } = plan;
  const subject = inline === undefined ? rest.subject : printOperand(module, inline, quote);
  if (subject === undefined) return undefined;
  if (!output || !("inline" in output)) return { ...rest, subject, ...(output && { output }) };
  const written = printOperand(module, output.inline, quote);
  return { ...rest, subject, ...(written !== undefined && { output: { written } }) };
}

function parse(module: FlowModule, text: string): Parsed {
  const known = parsed.get(module);
  if (known?.text === text) return known;
  const source = ts.createSourceFile(module.file, text, ts.ScriptTarget.Latest, true);
  const made = { text, source, style: styleOf(source) };
  parsed.set(module, made);
  return made;
}

function offsetOf(module: FlowModule, { range }: Finding): number {
  return (module.lineStarts[range.start.line - 1] ?? 0) + range.start.column - 1;
}

/** Whether what stands at the offset is run on some ways through its own statement only. */
function isConditional(source: ts.SourceFile, offset: number): boolean {
  let node: ts.Node = source;
  for (let inner: ts.Node | undefined = node; inner;) {
    node = inner;
    inner = ts.forEachChild(node, (child) => (child.getStart(source) <= offset && offset < child.end ? child : undefined));
  }
  for (; node.parent && !ts.isStatement(node) && !ts.isFunctionLike(node); node = node.parent) {
    const { parent } = node;
    if (ts.isConditionalExpression(parent) && node !== parent.condition) return true;
    if (ts.isBinaryExpression(parent) && node === parent.right && SHORT_CIRCUITS.has(parent.operatorToken.kind)) return true;
  }
  return false;
}

const SHORT_CIRCUITS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
]);

function changesOf(source: ts.SourceFile, style: PrintStyle, plan: FixPlan, finding: number): readonly Change[] | undefined {
  switch (plan.kind) {
    case "delete-after":
      // In `wanted ? await upload(file) : undefined` no place is reached only by what was uploaded.
      if (isConditional(source, finding)) return undefined;
      return deleteAfter(source, style, plan);
    case "delete-before":
      return deleteBefore(source, style, plan);
    case "await":
      return waitFor(source, style, plan.call, { start: finding, end: finding });
    case "chain":
      return moveIntoChain(source, plan);
    case "move-after":
      return moveAfter(source, style, plan.statement, plan.after);
    case "move-before":
      return moveBefore(source, style, plan.statement, plan.before);
    case "guard":
      return guard(source, plan);
    case "remove": {
      const place = placeAt(source, plan.statement);
      const taken = place && !isInFinally(place) ? takeOut(source, place) : undefined;
      return taken && [taken.change];
    }
    default:
      return plan satisfies never;
  }
}
