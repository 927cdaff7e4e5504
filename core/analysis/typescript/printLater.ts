/** Whether code may still read a file when the place of a deletion has been passed. */
import { ts } from "ts-morph";
import { readsOf, rootOf } from "./printInline.ts";
import { declarationOf, functionAround } from "./printScope.ts";

const DELETES = /^(?:safe_?|try_?)?(?:unlink|rm|remove|delete|del|clean|discard|rimraf)/i;
/** They are done with their callback when they return. */
const AT_ONCE = /^(?:map|forEach|flatMap|filter|reduce|some|every|find|findIndex|sort)$/;
/** They go on when they have returned, and say so to nobody but who keeps what they return. */
const GOES_ON = /^(?:spawn|fork|watch|watchFile)$/;
const PROMISES = /^(?:readFile|copyFile|cp|open|exec|execFile)$/;

/** Whether a closure that runs later, or something that nobody waits for, reads what `subject` names. */
export function isReadLater(source: ts.SourceFile, call: ts.Expression, subject: string): boolean {
  return readsOf(subject).some((read) => {
    const name = rootOf(read);
    const declared = declarationOf(name, call, call.getStart(source));
    const scope = declared && (functionAround(declared) ?? source);
    if (!declared || !scope) return false;
    let found = false;
    const visit = (node: ts.Node): void => {
      if (found) return;
      if (ts.isIdentifier(node) && node.text === name && node !== declared && isLate(source, node, scope, call)) found = true;
      else ts.forEachChild(node, visit);
    };
    visit(scope);
    return found;
  });
}

function isLate(source: ts.SourceFile, read: ts.Identifier, scope: ts.Node, call: ts.Node): boolean {
  let closure: ts.Node | undefined;
  let statement: ts.Node = read;
  let waited = false;
  let asked: string | undefined;
  for (let at: ts.Node = read; at !== scope && at.parent; at = at.parent) {
    if (contains(at, call)) break;
    if (ts.isCallExpression(at) && closure === undefined) asked ??= nameOf(at);
    if (ts.isAwaitExpression(at) || ts.isReturnStatement(at)) waited = true;
    if (ts.isForOfStatement(at.parent) && at.parent.awaitModifier && at.parent.expression === at) waited = true;
    if (ts.isFunctionLike(at)) {
      if (asked !== undefined && DELETES.test(asked)) return false;
      const taking = ts.isCallExpression(at.parent) ? nameOf(at.parent) : undefined;
      if (taking === undefined || !AT_ONCE.test(taking)) {
        closure = at;
        // What it waits for within itself says nothing of when it runs.
        waited = false;
      }
    }
    statement = at;
  }
  if (waited || contains(call, read)) return false;
  if (closure) return !contains(closure, call) && !isSameChain(closure, call);
  if (asked === undefined) return false;
  if (ts.isVariableStatement(statement) || ts.isVariableDeclaration(statement))
    return PROMISES.test(asked) || isPiped(source, statement, scope);
  return GOES_ON.test(asked) || (asked === "createReadStream" && /\.\s*pipe\(/.test(statement.getText(source)));
}

/** `const stream = createReadStream(path); … stream.pipe(out);` */
function isPiped(source: ts.SourceFile, statement: ts.Node, scope: ts.Node): boolean {
  const name = /^\s*(?:const|let|var)?\s*(\w+)\s*=\s*(?:\w+\.)?createReadStream\b/.exec(statement.getText(source))?.[1];
  return name !== undefined && new RegExp(`(?:^|[;{}\\n])\\s*${name}\\s*\\.pipe\\(`).test(scope.getText(source));
}

/** `command(path).on("end", () => …)`: the handlers are part of what is waited for. */
function isSameChain(closure: ts.Node, call: ts.Node): boolean {
  for (let at: ts.Node | undefined = closure; at && !ts.isStatement(at); at = at.parent)
    if (ts.isCallExpression(at) && contains(at, call)) return true;
  return false;
}

function contains(outer: ts.Node, inner: ts.Node): boolean {
  return outer.pos <= inner.pos && inner.end <= outer.end;
}

function nameOf({ expression }: ts.CallExpression): string | undefined {
  if (ts.isIdentifier(expression)) return expression.text;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : undefined;
}
