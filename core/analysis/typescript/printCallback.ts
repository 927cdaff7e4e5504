/** The callback that is called when an upload or an assembly went well, and where in it a deletion goes. */
import { ts } from "ts-morph";
import { type Change, type Place, putAfter, putBefore, siblingAround } from "./printPlace.ts";
import { indentAt, type PrintStyle } from "./printStyle.ts";
import { mentions } from "./printWait.ts";

type Function_ = ts.ArrowFunction | ts.FunctionExpression | ts.MethodDeclaration;

export interface Callback {
  readonly fn: Function_;
  /** The name of what says that it failed. */
  readonly failed?: string;
  /** What holds after success, where no error says so. */
  readonly onlyIf?: string;
}

const FAILED = /^_?(?:e|er|err|error|failed|failure|ex|exception|problem)\w{0,3}$/i;
const DONE = /^(?:end|finish|success|complete|uploaded|done)$/;
const ON_DONE = /^on(?:Success|Completed?|End|Finish|Done|UploadComplete)$/;

/** Undefined: nobody is called back, or there is no telling whether it went well. */
export function callbackOf(call: ts.Expression): Callback | undefined {
  if (ts.isCallExpression(call) || ts.isNewExpression(call)) {
    const own = nodeStyle(call.arguments?.at(-1)) ?? listenerIn(call.arguments ?? []);
    if (own) return own;
  }
  for (const link of chainOf(call)) {
    if (!ts.isPropertyAccessExpression(link.expression)) continue;
    const method = link.expression.name.text;
    const [first, second] = link.arguments;
    if (method === "then" && link.pos <= call.pos && link.end > call.end && isFunction(first)) return { fn: first };
    if ((method === "on" || method === "once") && first && ts.isStringLiteralLike(first) && isFunction(second)) {
      if (DONE.test(first.text)) return { fn: second };
      const [code] = second.parameters;
      if (/^(?:close|exit)$/.test(first.text) && code && ts.isIdentifier(code.name))
        return { fn: second, onlyIf: `${code.name.text} === 0` };
    }
  }
  return undefined;
}

/** `(error, result) => …` */
function nodeStyle(node: ts.Expression | undefined): Callback | undefined {
  if (!isFunction(node)) return undefined;
  const [first, second] = node.parameters;
  if (!first || !ts.isIdentifier(first.name)) return undefined;
  if (FAILED.test(first.name.text)) return { fn: node, failed: first.name.text };
  // The other way round: `(result, error) => …`
  if (second && ts.isIdentifier(second.name) && FAILED.test(second.name.text)) return { fn: node, failed: second.name.text };
  return second ? { fn: node, failed: first.name.text } : undefined;
}

/** `{ onSuccess: () => … }` */
function listenerIn(args: readonly ts.Expression[]): Callback | undefined {
  for (const argument of args)
    if (ts.isObjectLiteralExpression(argument))
      for (const property of argument.properties) {
        if (!property.name || !ON_DONE.test(property.name.getText())) continue;
        if (ts.isMethodDeclaration(property)) return { fn: property };
        if (ts.isPropertyAssignment(property) && isFunction(property.initializer)) return { fn: property.initializer };
      }
  return undefined;
}

function isFunction(node: ts.Node | undefined): node is ts.ArrowFunction | ts.FunctionExpression {
  return node !== undefined && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));
}

/** All calls of the chain that a call is part of: `a(x).on("end", f).save(y)`. */
function chainOf(call: ts.Expression): ts.CallExpression[] {
  let outer: ts.Expression = call;
  while (ts.isPropertyAccessExpression(outer.parent) && ts.isCallExpression(outer.parent.parent)) outer = outer.parent.parent;
  const found: ts.CallExpression[] = [];
  for (let at: ts.Expression = outer; ts.isCallExpression(at) || ts.isPropertyAccessExpression(at); at = at.expression)
    if (ts.isCallExpression(at)) found.push(at);
  return found;
}

/** How the deletion is told whether it went well. */
interface Put {
  readonly place: Place;
  readonly offset: number;
  readonly onlyIf?: string;
  put(statement: string): readonly Change[] | undefined;
}

/** Where a deletion goes that nothing in the callback has to wait for; `uses` are in the callback. */
export function placeInCallback(
  source: ts.SourceFile,
  style: PrintStyle,
  { fn, failed, onlyIf }: Callback,
  uses: readonly Place[],
): Put | undefined {
  const { body } = fn;
  if (!body) return undefined;
  const good = onlyIf ?? (failed === undefined ? undefined : `!${failed}`);
  const tell = (test: string | undefined): { readonly onlyIf?: string } => (test === undefined ? {} : { onlyIf: test });
  if (!ts.isBlock(body)) {
    const place = body as Place;
    return { place, offset: body.getStart(source), ...tell(good), put: (statement) => intoBody(source, style, fn, body, statement) };
  }
  const after = (place: Place, test?: string): Put => ({
    place,
    offset: place.end,
    ...tell(test),
    put: (statement) => putAfter(source, style, place, [statement], { start: place.pos, end: place.end }),
  });
  const before = (place: ts.Statement, test?: string): Put => ({
    place,
    offset: place.getStart(source),
    ...tell(test),
    put: (statement) => putBefore(source, style, place, [statement]),
  });
  const [first] = body.statements;
  if (!first) return undefined;
  let last: Place | undefined;
  for (const use of uses) {
    const sibling = siblingAround(use, first);
    if (!sibling || ts.isReturnStatement(sibling)) return undefined;
    if (!last || sibling.end > last.end) last = sibling;
  }
  const looks = failed === undefined ? undefined : body.statements.find((one) => ts.isIfStatement(one) && mentions(one.expression, failed));
  if (!looks || !ts.isIfStatement(looks)) return last ? after(last, good) : before(first, good);
  const { expression, thenStatement, elseStatement } = looks;
  const isFailure = ts.isIdentifier(expression) && expression.text === failed;
  if (isFailure && !elseStatement && leaves(thenStatement)) return after(last && last.end > looks.end ? last : looks);
  // The branch after success.
  const branch = isFailure ? elseStatement : expression.getText(source) === `!${failed}` ? thenStatement : undefined;
  if (branch && (!last || (last === looks && uses.every((use) => use.pos >= branch.pos && use.end <= branch.end)))) {
    if (last) return undefined;
    const start = ts.isBlock(branch) ? branch.statements[0] : branch;
    if (start) return before(start);
  }
  return last ? after(last, good) : before(looks, good);
}

function leaves(statement: ts.Statement): boolean {
  const last = ts.isBlock(statement) ? statement.statements.at(-1) : statement;
  return last !== undefined && (ts.isReturnStatement(last) || ts.isThrowStatement(last));
}

/** `(error, data) => done(error, data)` gets a body. */
function intoBody(
  source: ts.SourceFile,
  style: PrintStyle,
  fn: Function_,
  body: ts.Expression,
  statement: string,
): readonly Change[] | undefined {
  if (!ts.isArrowFunction(fn)) return undefined;
  const { text } = source;
  const outer = indentAt(text, fn.equalsGreaterThanToken.end);
  const inner = outer + style.indent;
  const written = body.getText(source);
  const lines = statement.split("\n").map((line) => inner + line);
  const value = ts.isParenthesizedExpression(body) ? body.expression.getText(source) : written;
  lines[lines.length - 1] += /^(?:if|for|try)\b/.test(statement) && statement.endsWith("}") ? "" : style.semicolon;
  lines.push(`${inner}return ${value}${style.semicolon}`);
  return [
    {
      start: fn.equalsGreaterThanToken.end,
      end: body.end,
      text: ` {${style.lineEnd}${lines.join(style.lineEnd)}${style.lineEnd}${outer}}`,
    },
  ];
}

/** Whether a place is in a callback's own code. */
export function isIn(callback: Callback, place: ts.Node): boolean {
  return callback.fn.pos <= place.pos && place.end <= callback.fn.end;
}
