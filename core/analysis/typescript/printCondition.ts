/** What has to hold before a file is deleted: the upload said so, the switch allows it, what was made of the file is there. */
import { ts } from "ts-morph";
import type { Deletion, Success } from "../fix/plan.ts";
import { bindingsAt, findBinding, importName, type Named } from "./printImport.ts";
import { readsOf, rootOf } from "./printInline.ts";
import { type Change, isListed, type Place } from "./printPlace.ts";
import { declarationOf, freeName } from "./printScope.ts";
import { block, type PrintStyle } from "./printStyle.ts";
import { mentions } from "./printWait.ts";

/** What says that the upload went well, and the change that gives its result a name. */
export interface Told {
  readonly onlyIf: string;
  readonly changes: readonly Change[];
}

const LONGEST = 100;

export function successOf(source: ts.SourceFile, upload: Place, success: Success): Told | undefined {
  if ("onlyIf" in success) return { onlyIf: success.onlyIf, changes: [] };
  if (!ts.isStatement(upload) || !ts.isExpressionStatement(upload) || !isListed(upload) || !ts.isAwaitExpression(upload.expression))
    return undefined;
  const start = upload.getStart(source);
  if (/^(?:error|ok|success)$/.test(success.path) && !new RegExp(`\\b${success.path}\\b`).test(source.text))
    return {
      onlyIf: success.good ? success.path : `!${success.path}`,
      changes: [{ start, end: start, text: `const { ${success.path} } = ` }],
    };
  const name = freeName(source, "uploaded", upload);
  const whole = success.path === "" ? name : `${name}.${success.path}`;
  return { onlyIf: success.good ? whole : `!${whole}`, changes: [{ start, end: start, text: `const ${name} = ` }] };
}

/** The statement behind the upload that looks at its result and leaves when it failed. */
export function testAfter(upload: Place, onlyIf: string): Place | undefined {
  const root = rootOf(onlyIf);
  if (root === "" || !isListed(upload)) return undefined;
  const { statements } = upload.parent as ts.Block;
  return statements.find(
    (statement) =>
      statement.pos >= upload.end &&
      ts.isIfStatement(statement) &&
      !statement.elseStatement &&
      mentions(statement.expression, root) &&
      leaves(statement.thenStatement),
  );
}

/** The same for what the call returned, whatever it says: `const { status } = spawnSync(…); if (status !== 0) throw …` */
export function testOfResult(call: Place): Place | undefined {
  if (!ts.isStatement(call) || !ts.isVariableStatement(call)) return undefined;
  const names: string[] = [];
  const add = (binding: ts.BindingName): void => {
    if (ts.isIdentifier(binding)) names.push(binding.text);
    else for (const element of binding.elements) if (ts.isBindingElement(element)) add(element.name);
  };
  for (const { name } of call.declarationList.declarations) add(name);
  return names.map((name) => testAfter(call, name)).find((test) => test !== undefined);
}

function leaves(statement: ts.Statement): boolean {
  const last = ts.isBlock(statement) ? statement.statements.at(-1) : statement;
  return (
    last !== undefined &&
    (ts.isReturnStatement(last) || ts.isThrowStatement(last) || ts.isContinueStatement(last) || ts.isBreakStatement(last))
  );
}

export function conditionOf(
  source: ts.SourceFile,
  style: PrintStyle,
  { output, gated }: Deletion,
  place: Place,
  offset: number,
  success: Told | undefined,
): { readonly tests: readonly string[]; readonly changes: readonly Change[] } {
  const looks = output && existence(source, style, output, place, offset);
  const tests = [
    ...(success ? [success.onlyIf] : []),
    ...(gated ? [`process.env.AUTO_CLEANUP_ENABLED !== ${style.quote}false${style.quote}`] : []),
    ...(looks ? [looks.text] : []),
  ];
  return { tests, changes: looks?.changes ?? [] };
}

/** `existsSync(target)`; undefined: what was made has no name here. */
function existence(
  source: ts.SourceFile,
  style: PrintStyle,
  output: NonNullable<Deletion["output"]>,
  place: Place,
  offset: number,
): Named | undefined {
  const { quote } = style;
  if ("inline" in output) return undefined;
  const written = "written" in output ? output.written : quote + output.text + quote;
  const isKnown = (read: string): boolean => rootOf(read) === "this" || declarationOf(rootOf(read), place, offset) !== undefined;
  if ("written" in output && !readsOf(written).every(isKnown)) return undefined;
  if ("text" in output && /["'\\\n]/.test(output.text)) return undefined;
  const bindings = bindingsAt(source, place, offset);
  const fs = findBinding(bindings, "fs", ["*"]) ?? findBinding(bindings, "fs-extra", ["*"]);
  const known = findBinding(bindings, "fs", ["existsSync"]) ?? (fs === undefined ? undefined : `${fs}.existsSync`);
  const exists = known === undefined ? importName(source, style, "fs", "existsSync") : { text: known, changes: [] };
  return exists && { text: `${exists.text}(${written})`, changes: exists.changes };
}

/** A short one stands on one line, unless the file never does that. */
export function onCondition(source: ts.SourceFile, style: PrintStyle, tests: readonly string[], statement: string, indent: number): string {
  if (tests.length === 0) return statement;
  const head = `if (${tests.join(" && ")}) `;
  const short = !statement.includes("\n") && !/^(?:if|for|try)\b/.test(statement) && indent + head.length + statement.length < LONGEST;
  if (short && !alwaysBraces(source)) return head + statement;
  return head + block([/^(?:if|for|try)\b.*\}$/s.test(statement) ? statement : statement + style.semicolon], style);
}

function alwaysBraces(source: ts.SourceFile): boolean {
  let braced = 0;
  let bare = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isIfStatement(node)) {
      if (ts.isBlock(node.thenStatement)) braced += 1;
      else bare += 1;
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return braced > 0 && bare === 0;
}
