/** A path that the code puts together where it needs it, written once more: `/tmp/${id}.mp3`, `join(folder, name)`. */
import { ts } from "ts-morph";
import type { CallEvent, FlowModule, Operand } from "../flow.ts";

const PURE = /^(?:join|resolve|dirname|basename|extname|normalize|tmpdir|cwd)$/;
const GLOBAL = /^(?:process|__dirname)$/;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const DEEPEST = 8;

/** Undefined: it would not be sure to be the same path again. */
export function printOperand(module: FlowModule, operand: Operand, quote: string, depth = 0): string | undefined {
  if (depth > DEEPEST) return undefined;
  const print = (one: Operand): string | undefined => printOperand(module, one, quote, depth + 1);
  switch (operand.op) {
    case "text":
      return /["'`\\\n]/.test(operand.text) ? undefined : quote + operand.text + quote;
    case "literal":
      return String(operand.value);
    case "this":
      return "this";
    case "import":
      return operand.as ?? (/^(?:default|\*)$/.test(operand.name) ? undefined : operand.name);
    case "global":
      return GLOBAL.test(operand.name) ? operand.name : undefined;
    case "concat":
      return printTemplate(operand.parts, print);
    case "member": {
      const of = print(operand.of);
      return of === undefined || !IDENTIFIER.test(operand.name) ? undefined : `${of}.${operand.name}`;
    }
    case "name": {
      if (operand.name.startsWith("%")) return printCall(callOf(module, operand.name), print);
      const written = module.written[operand.name];
      return written !== undefined && IDENTIFIER.test(written) ? written : undefined;
    }
    default:
      return undefined;
  }
}

function printTemplate(parts: readonly Operand[], print: (one: Operand) => string | undefined): string | undefined {
  const printed = parts.map((part) => {
    if (part.op === "text") return /[`\\\n]|\$\{/.test(part.text) ? undefined : part.text;
    const written = print(part);
    return written === undefined ? undefined : `\${${written}}`;
  });
  return printed.includes(undefined) ? undefined : `\`${printed.join("")}\``;
}

function printCall(call: CallEvent | undefined, print: (one: Operand) => string | undefined): string | undefined {
  if (!call || call.construct || call.spreads) return undefined;
  const { callee, args } = call;
  const name = callee.op === "member" || callee.op === "import" ? callee.name : "";
  const origin = callee.op === "member" ? callee.of : callee;
  const isPure =
    origin.op === "import" ? /^(?:node:)?(?:path|os)\b/.test(origin.from) : origin.op === "global" && origin.name === "process";
  if (!isPure || !PURE.test(name)) return undefined;
  const printed = [callee, ...args].map((one) => print(one));
  return printed.includes(undefined) ? undefined : `${printed[0]}(${printed.slice(1).join(", ")})`;
}

function callOf(module: FlowModule, result: string): CallEvent | undefined {
  for (const { blocks } of module.functions)
    for (const { events } of blocks) for (const event of events) if (event.event === "call" && event.result === result) return event;
  return undefined;
}

/** What an expression reads: names, and fields of names. */
export function readsOf(expression: string): readonly string[] {
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$.#]*$/u.test(expression)) return [expression];
  const source = ts.createSourceFile("expression.ts", `(${expression})`, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      // Of the function itself only the name has to be known.
      found.push(rootOf(node.expression.getText(source)));
      for (const argument of node.arguments) visit(argument);
    } else if (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node) || node.kind === ts.SyntaxKind.ThisKeyword)
      found.push(node.getText(source));
    else ts.forEachChild(node, visit);
  };
  visit(source);
  return found.filter((read) => !GLOBAL.test(rootOf(read)));
}

export function rootOf(expression: string): string {
  return /[\p{ID_Start}$_][\p{ID_Continue}$]*/u.exec(expression)?.[0] ?? "";
}
