/** The statement that deletes a file, with what the source file already has for it, and the import that it may need. */
import { ts } from "ts-morph";
import type { Deletion, Helper } from "../fix/plan.ts";
import { type Binding, bindingsAt, findBinding, importName, listsNamesOf, type Named } from "./printImport.ts";
import { type Change, type Place, placeAt } from "./printPlace.ts";
import { declarationOf } from "./printScope.ts";
import { block, type PrintStyle } from "./printStyle.ts";
import { helperSpecifier, HELPER } from "./printHelper.ts";

const RUNTIME = "offcut";

/** Whether the statement can wait, has to be over when it ends, or is in a callback, where nobody waits for it. */
export type Manner = "await" | "sync" | "callback";

export interface PrintedDeletion {
  /** Without a semicolon, unless it is a block. */
  readonly statement: string;
  readonly changes: readonly Change[];
}

interface Site {
  readonly source: ts.SourceFile;
  readonly style: PrintStyle;
  readonly at: ts.Node;
  readonly offset: number;
  readonly manner: Manner;
  readonly bindings: readonly Binding[];
}

export function printDeletion(
  source: ts.SourceFile,
  style: PrintStyle,
  plan: Deletion,
  at: ts.Node,
  offset: number,
  manner: Manner,
): PrintedDeletion | undefined {
  const site: Site = { source, style, at, offset, manner, bindings: bindingsAt(source, at, offset) };
  const alike = plan.like && printAlike(site, plan.like);
  if (alike) return { statement: alike, changes: [] };
  const { subject, helper } = plan;
  if (plan.home) return printRuntime(site, subject, importName(source, style, helperSpecifier(source, plan.home), HELPER));
  const local = helper && localOf(helper, site);
  if (helper && local !== undefined && (helper.async || !helper.throws)) {
    const caught = helper.throws ? never(source) : "";
    return { statement: `${helper.async ? wait(manner, helper.throws) : ""}${local}(${subject})${caught}`, changes: [] };
  }
  if (plan.directory) return withDirectory(site, subject);
  const known = withFileSystem(site, subject);
  if (known) return known;
  const lists = (module: string): boolean => listsNamesOf(source, module);
  if (plan.runtime !== "yes" && manner === "sync" && lists("fs")) {
    const more = importName(source, style, "fs", "unlinkSync");
    if (more) return { statement: printTry(`${more.text}(${subject})${style.semicolon}`, style), changes: more.changes };
  }
  if (plan.runtime === "no" && manner !== "sync" && (lists("fs/promises") || lists("fs"))) {
    const more = importName(source, style, "fs/promises", "unlink");
    if (more) return { statement: `${wait(manner, true)}${more.text}(${subject})${never(source)}`, changes: more.changes };
  }
  const runtime = findBinding(site.bindings, RUNTIME, [HELPER]);
  return printRuntime(site, subject, runtime === undefined ? importName(source, style, RUNTIME, HELPER) : { text: runtime, changes: [] });
}

function printRuntime({ manner }: Site, subject: string, named: Named | undefined): PrintedDeletion | undefined {
  return named && { statement: `${wait(manner, false)}${named.text}(${subject})`, changes: named.changes };
}

/** What has a `catch` need not be marked as left alone. */
function wait(manner: Manner, caught: boolean): string {
  return manner === "await" ? "await " : caught ? "" : "void ";
}

/** The manner of the file, where it has one. */
export function never(source: ts.SourceFile): string {
  return /\.catch\(\(\) => \{\s*\}\)/.test(source.text) ? ".catch(() => {})" : ".catch(() => undefined)";
}

/** The statement that deletes the file elsewhere, if it can stand here as it is and cannot fail what it follows. */
function printAlike(site: Site, span: { readonly start: number; readonly end: number }): string | undefined {
  const { source, at, offset, manner } = site;
  const place = placeAt(source, span);
  if (!place || !ts.isExpressionStatement(place)) return undefined;
  const { expression } = place;
  const call = ts.isAwaitExpression(expression) ? expression.expression : expression;
  if (call !== expression ? manner !== "await" : manner === "await" && !isCallback(call)) return undefined;
  return isBestEffort(call) && isMeantAlike(place, place, at, offset) ? expression.getText(source) : undefined;
}

/** `….catch(…)`, or a callback that ignores its error. */
function isBestEffort(node: ts.Expression): boolean {
  if (!ts.isCallExpression(node)) return false;
  if (ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === "catch") return node.arguments.length === 1;
  return isCallback(node);
}

function isCallback(node: ts.Expression): boolean {
  const last = ts.isCallExpression(node) ? node.arguments.at(-1) : undefined;
  return last !== undefined && ts.isArrowFunction(last) && ts.isBlock(last.body) && last.body.statements.length === 0;
}

/** Whether all names of a statement mean the same at another place. */
export function isMeantAlike(node: ts.Node, from: Place, to: ts.Node, offset: number): boolean {
  const visit = (one: ts.Node): boolean => {
    if (ts.isIdentifier(one) && !isPropertyName(one)) {
      const here = declarationOf(one.text, from, from.end);
      const inside = here !== undefined && here.pos >= from.pos && here.end <= from.end;
      if (!inside && here !== declarationOf(one.text, to, offset)) return false;
    }
    return ts.forEachChild(one, (child) => (visit(child) ? undefined : true)) !== true;
  };
  return visit(node);
}

function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (ts.isPropertyAccessExpression(parent) && parent.name === node) || (ts.isPropertyAssignment(parent) && parent.name === node);
}

/** The helper's name here; undefined: it means something else here, or is declared within another function. */
function localOf(helper: Helper, { source, bindings, at, offset }: Site): string | undefined {
  if (helper.from !== undefined) {
    const { from, name } = helper;
    return bindings.find((binding) => binding.module === from && (binding.name === name || (name === "default" && binding.name === "*")))
      ?.local.text;
  }
  const declared = declarationOf(helper.name, at, offset);
  let node: ts.Node | undefined = declared;
  while (node && !ts.isStatement(node) && node.parent) node = node.parent;
  return node?.parent === source ? helper.name : undefined;
}

function withFileSystem(site: Site, subject: string): PrintedDeletion | undefined {
  const { source, style, bindings, manner } = site;
  const find = (module: string, ...names: string[]): string | undefined => findBinding(bindings, module, names);
  const print = (statement: string): PrintedDeletion => ({ statement, changes: [] });
  const fs = find("fs", "*") ?? find("fs-extra", "*");
  if (manner === "sync") {
    const sync = find("fs", "unlinkSync", "rmSync") ?? (fs === undefined ? undefined : `${fs}.unlinkSync`);
    if (sync !== undefined) return print(printTry(`${sync}(${subject})${style.semicolon}`, style));
  }
  if (manner === "callback") {
    const plain = find("fs", "unlink", "rm") ?? (fs === undefined ? undefined : `${fs}.unlink`);
    if (plain !== undefined) return print(`${plain}(${subject}, () => {})`);
  }
  const promised = wait(manner, true);
  const unlink = find("fs/promises", "unlink");
  if (unlink !== undefined) return print(`${promised}${unlink}(${subject})${never(source)}`);
  const rm = find("fs/promises", "rm");
  if (rm !== undefined) return print(`${promised}${rm}(${subject}, { force: true })${never(source)}`);
  const promises = find("fs/promises", "*") ?? find("fs", "promises");
  if (promises !== undefined) return print(`${promised}${promises}.unlink(${subject})${never(source)}`);
  return fs === undefined ? undefined : print(`${promised}${fs}.promises.unlink(${subject})${never(source)}`);
}

/** The runtime deletes no directories, and only Node's own functions are sure to. */
function withDirectory(site: Site, subject: string): PrintedDeletion | undefined {
  const { source, style, bindings, manner } = site;
  const options = "{ recursive: true, force: true }";
  const fs = findBinding(bindings, "fs", ["*"]) ?? findBinding(bindings, "fs-extra", ["*"]);
  if (manner === "sync") {
    const known = findBinding(bindings, "fs", ["rmSync"]) ?? (fs === undefined ? undefined : `${fs}.rmSync`);
    const sync = known === undefined ? importName(source, style, "fs", "rmSync") : { text: known, changes: [] };
    return sync && { statement: printTry(`${sync.text}(${subject}, ${options})${style.semicolon}`, style), changes: sync.changes };
  }
  const promises = findBinding(bindings, "fs/promises", ["*"]) ?? findBinding(bindings, "fs", ["promises"]);
  const known =
    findBinding(bindings, "fs/promises", ["rm"]) ??
    (promises !== undefined ? `${promises}.rm` : fs === undefined ? undefined : `${fs}.promises.rm`);
  const rm = known === undefined ? importName(source, style, "fs/promises", "rm") : { text: known, changes: [] };
  return rm && { statement: `${wait(manner, true)}${rm.text}(${subject}, ${options})${never(source)}`, changes: rm.changes };
}

/** A statement whose error goes nowhere. */
export function printTry(statement: string, style: PrintStyle): string {
  return `try ${block([statement], style)} catch ${block(["// A file that stays is no reason to fail."], style)}`;
}
