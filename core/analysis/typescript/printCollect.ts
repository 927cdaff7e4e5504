/** Files that a loop makes one by one and a later statement uses up together: they are kept in a list and deleted one by one. */
import { ts } from "ts-morph";
import { type Change, isListed, type Place, putAfter, putBefore } from "./printPlace.ts";
import { freeName, functionAround } from "./printScope.ts";
import { block, type PrintStyle } from "./printStyle.ts";

export interface Collected {
  readonly list: string;
  readonly changes: readonly Change[];
}

/** The list of all that `subject` is in a loop before the anchor. Undefined: there is no such loop. */
export function collect(source: ts.SourceFile, style: PrintStyle, subject: string, anchor: Place): Collected | undefined {
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(subject) || !isListed(anchor)) return undefined;
  const { statements } = anchor.parent as ts.Block;
  const loop = statements.findLast(
    (one): one is ts.ForOfStatement | ts.ForStatement | ts.WhileStatement =>
      one.end <= anchor.pos &&
      (ts.isForOfStatement(one) || ts.isForStatement(one) || ts.isWhileStatement(one)) &&
      declares(one, subject) !== undefined,
  );
  const declaration = loop && declares(loop, subject);
  const place = declaration?.parent.parent;
  if (!loop || !place || !ts.isVariableStatement(place) || !isListed(place) || functionAround(place) !== functionAround(loop))
    return undefined;
  const known = listIn(loop, subject);
  if (known !== undefined) return { list: known, changes: [] };
  const list = freeName(source, `${subject.replace(/(?<=[a-z])(?:ch|s|x)$/, "$&e")}s`, loop);
  const type = /\.[cm]?tsx?$/.test(source.fileName) ? ": string[]" : "";
  const made = putBefore(source, style, loop, [`const ${list}${type} = []`]);
  const filled = putAfter(source, style, place, [`${list}.push(${subject})`], { start: place.pos, end: place.end });
  return made && filled ? { list, changes: [...made, ...filled] } : undefined;
}

function declares(loop: ts.Node, name: string): ts.VariableDeclaration | undefined {
  return ts.forEachChild(loop, (child): ts.VariableDeclaration | undefined => {
    if (ts.isFunctionLike(child)) return undefined;
    if (ts.isVariableDeclaration(child) && ts.isIdentifier(child.name) && child.name.text === name) return child;
    return declares(child, name);
  });
}

/** A list of the file's own that gets nothing else. */
function listIn(loop: ts.Node, subject: string): string | undefined {
  const pushes: { list: string; what: string }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === "push") {
      const { expression } = node.expression;
      if (ts.isIdentifier(expression)) pushes.push({ list: expression.text, what: node.arguments.map((one) => one.getText()).join() });
    }
    ts.forEachChild(node, visit);
  };
  visit(loop);
  const list = pushes.find(({ what }) => what === subject)?.list;
  return list !== undefined && pushes.every((one) => one.list !== list || one.what === subject) ? list : undefined;
}

export function forEachOf(list: string, name: string, statement: string, style: PrintStyle): string {
  return `for (const ${name} of ${list}) ${statement.includes("\n") ? block([statement], style) : statement}`;
}
