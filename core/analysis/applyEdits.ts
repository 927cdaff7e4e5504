/** Text edits on text. Lines end at CRLF, LF or CR, as editors count them; columns are UTF-16 units. */
import type { Position, Range, TextEdit } from "./finding.ts";

/**
 * Applies edits whose ranges are those of the text as it was. Several insertions at one place keep their order. Line ends of what is
 * inserted become those of the text, or `lineEnd` for a text that has none yet. Throws a `RangeError` when edits overlap or point outside
 * of the text: they were made for another one.
 */
export function applyEdits(text: string, edits: readonly TextEdit[], lineEnd = lineEndOf(text)): string {
  const starts = lineStarts(text);
  const ordered = edits
    .map((edit) => ({ from: offsetOf(text, starts, edit.range.start), to: offsetOf(text, starts, edit.range.end), text: edit.text }))
    .sort((a, b) => a.from - b.from || a.to - b.to);
  let result = "";
  let at = 0;
  for (const edit of ordered) {
    if (edit.to < edit.from) throw new RangeError(`an edit ends before it starts, at offset ${edit.from}`);
    if (edit.from < at) throw new RangeError(`edits overlap at offset ${edit.from}`);
    result += text.slice(at, edit.from) + edit.text.replace(LINE_END, lineEnd);
    at = edit.to;
  }
  return result + text.slice(at);
}

/** Whether two edits of different origin get into each other's way: they overlap, or meet where an insertion's order would matter. */
export function collide(a: Range, b: Range): boolean {
  if (compare(a.start, a.end) === 0 || compare(b.start, b.end) === 0) return compare(a.start, b.end) <= 0 && compare(b.start, a.end) <= 0;
  return compare(a.start, b.end) < 0 && compare(b.start, a.end) < 0;
}

/** As in the language server protocol. */
export const LINE_END = /\r\n|\r|\n/g;

function compare(a: Position, b: Position): number {
  return a.line - b.line || a.column - b.column;
}

/** Offsets at which lines begin, as editors count them. */
export function lineStarts(text: string): readonly number[] {
  return [0, ...[...text.matchAll(LINE_END)].map((match) => match.index + match[0].length)];
}

function offsetOf(text: string, starts: readonly number[], { line, column }: Position): number {
  const start = starts[line - 1];
  const next = starts[line];
  const end = next === undefined ? text.length : next - (text.startsWith("\r\n", next - 2) ? 2 : 1);
  if (start === undefined || column < 1 || start + column - 1 > end) throw new RangeError(`there is no ${line}:${column} in the text`);
  return start + column - 1;
}

/** How most lines of a text end. */
export function lineEndOf(text: string): string {
  const all = text.match(LINE_END) ?? [];
  const windows = all.filter((one) => one === "\r\n").length;
  return windows * 2 > all.length ? "\r\n" : "\n";
}
