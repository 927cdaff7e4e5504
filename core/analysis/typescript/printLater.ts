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
    return found || holdersOf(declared, name, scope).some((holder) => isUsedAfter(source, holder, scope, call));
  });
}

const PUTS = /^(?:push|unshift|set|add|append|enqueue)$/;

/** Lists and maps that hold what the name stands for: it was put into them, or is a field of one of their elements. */
function holdersOf(declared: ts.Identifier, name: string, scope: ts.Node): readonly string[] {
  const holders = new Set<string>();
  const element = ts.isVariableDeclaration(declared.parent) ? declared.parent.initializer : undefined;
  if (element && ts.isPropertyAccessExpression(element) && ts.isIdentifier(element.expression)) {
    const list = loopOver(element.expression);
    if (list !== undefined) holders.add(list);
  }
  const visit = (node: ts.Node): void => {
    if (
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      ts.isIdentifier(node.expression.expression) &&
      PUTS.test(node.expression.name.text) &&
      node.arguments.some((argument) => ts.isIdentifier(argument) && argument.text === name)
    )
      holders.add(node.expression.expression.text);
    ts.forEachChild(node, visit);
  };
  visit(scope);
  return [...holders];
}

/** The name of the list whose element a `for … of` calls so. */
function loopOver(element: ts.Identifier): string | undefined {
  for (let at: ts.Node = element; at.parent; at = at.parent)
    if (ts.isForOfStatement(at) && ts.isVariableDeclarationList(at.initializer) && ts.isIdentifier(at.expression)) {
      const [declared] = at.initializer.declarations;
      if (declared && ts.isIdentifier(declared.name) && declared.name.text === element.text) return at.expression.text;
    }
  return undefined;
}

/** Whether a list is walked or handed on further down; how many it holds may be asked. */
function isUsedAfter(source: ts.SourceFile, name: string, scope: ts.Node, call: ts.Node): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (found || node.end <= call.end) return;
    if (ts.isIdentifier(node) && node.text === name && node.getStart(source) > call.end) {
      const { parent } = node;
      const counted = ts.isPropertyAccessExpression(parent) && parent.expression === node && COUNTED.test(parent.name.text);
      if (!counted) found = true;
    } else ts.forEachChild(node, visit);
  };
  visit(scope);
  return found;
}

const COUNTED = /^(?:length|size|push|unshift|set|add|append|enqueue|clear|delete)$/;

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
    return PROMISES.test(asked) || isPiped(source, statement, scope) || isWaitedForAfter(source, statement, scope, call);
  return GOES_ON.test(asked) || (asked === "createReadStream" && /\.\s*pipe\(/.test(statement.getText(source)));
}

/** `const copy = upload(path); … await copy;`, `const child = spawn("gzip", [path]); … child.on("close", …)` */
function isWaitedForAfter(source: ts.SourceFile, statement: ts.Node, scope: ts.Node, call: ts.Node): boolean {
  const name = /^\s*(?:const|let|var)?\s*(\w+)\s*=/.exec(statement.getText(source))?.[1];
  if (name === undefined) return false;
  const after = source.text.slice(call.end, scope.end);
  return new RegExp(
    `\\bawait\\s+${name}\\b|\\b${name}\\s*\\.(?:then|catch|finally|on|once)\\(|\\bPromise\\.\\w+\\(\\[[^\\]]*\\b${name}\\b`,
  ).test(after);
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
