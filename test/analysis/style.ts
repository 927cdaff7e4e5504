/** How a source file is written, as far as a fix has to go along with it. */
import { ts } from "ts-morph";

export interface Style {
  readonly lineEnd: "crlf" | "lf" | "mixed";
  readonly indentation: "tabs" | "spaces" | "none" | "mixed";
  readonly quotes: "single" | "double" | "none" | "mixed";
  readonly semicolons: "always" | "never" | "none" | "mixed";
}

export function describeStyle(file: string, text: string): Style {
  const source = parse(file, text);
  const quotes: boolean[] = [];
  const semicolons: boolean[] = [];
  visit(source, (node) => {
    if (ts.isStringLiteral(node) && !ts.isJsxAttribute(node.parent) && !/["']/.test(node.text))
      quotes.push(node.getText(source).startsWith("'"));
    if (ts.isExpressionStatement(node) || ts.isVariableStatement(node) || ts.isImportDeclaration(node) || ts.isReturnStatement(node)) {
      semicolons.push(node.getText(source).endsWith(";"));
    }
  });
  const lines = text.split(/\r?\n/).filter((line) => /^\s+[^\s*]/.test(line));
  return {
    lineEnd: choose(text.match(/\r?\n/g)?.map((end) => end === "\r\n") ?? [], "crlf", "lf", "lf"),
    indentation: choose(
      lines.map((line) => line.startsWith("\t")),
      "tabs",
      "spaces",
      "none",
    ),
    quotes: choose(quotes, "single", "double", "none"),
    semicolons: choose(semicolons, "always", "never", "none"),
  };
}

/** The text of each `finally` block, in the order of the file. */
export function finallyBlocks(file: string, text: string): readonly string[] {
  const source = parse(file, text);
  const blocks: string[] = [];
  visit(source, (node) => {
    if (ts.isTryStatement(node) && node.finallyBlock) blocks.push(node.finallyBlock.getText(source));
  });
  return blocks;
}

/** What has to stay before all code: `#!`, `"use strict"`, `"use server"`. */
export function prologue(file: string, text: string): readonly string[] {
  const source = parse(file, text);
  const end = source.statements.findIndex((statement) => !ts.isExpressionStatement(statement) || !ts.isStringLiteral(statement.expression));
  const directives = source.statements.slice(0, end < 0 ? undefined : end).map((statement) => statement.getText(source));
  return [ts.getShebang(text) ?? "", ...directives];
}

function choose<Yes, No, Neither>(all: readonly boolean[], yes: Yes, no: No, neither: Neither): Yes | No | Neither | "mixed" {
  if (all.length === 0) return neither;
  if (all.every(Boolean)) return yes;
  return all.some(Boolean) ? "mixed" : no;
}

function parse(file: string, text: string): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}
