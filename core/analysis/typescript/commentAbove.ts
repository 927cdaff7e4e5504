/** The comment that silences a rule on the next line, where the language lets one stand. */
import { ts } from "ts-morph";
import type { TextEdit } from "../finding.ts";

/**
 * Inserts `// offcut-ignore-next-line` above a line (from 1) with that line's indentation; between JSX tags, where this would be
 * text, as a braced block comment. Nothing where the line begins inside of a template literal: no comment can stand there.
 */
export function commentAbove(file: string, text: string, line: number, rule: string): TextEdit | undefined {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const offset = source.getLineStarts()[line - 1];
  if (offset === undefined) return undefined;
  const place = innermost(source, offset);
  if (ts.isTemplateLiteralToken(place) && offset > place.getStart(source)) return undefined;
  const directive = `offcut-ignore-next-line ${rule} -- reason`;
  const comment = ts.isJsxText(place) ? `{/* ${directive} */}` : `// ${directive}`;
  const indentation = /^[^\S\r\n]*/.exec(text.slice(offset))?.[0] ?? "";
  const lineEnd = /\r\n|\r|\n/.exec(text)?.[0] ?? "\n";
  const position = { line, column: 1 };
  return { range: { start: position, end: position }, text: `${indentation}${comment}${lineEnd}` };
}

function innermost(node: ts.Node, offset: number): ts.Node {
  const inner = ts.forEachChild(node, (child) => (child.pos <= offset && offset < child.end ? child : undefined));
  return inner ? innermost(inner, offset) : node;
}
