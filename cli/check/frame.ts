/** The code around a finding, with a line of carets under it. */
import type { Range } from "../../core/analysis/finding.ts";
import { type Cell, cellsOf } from "./width.ts";

export interface FrameLine {
  /** The line number, right-aligned; blank beside the carets. */
  readonly gutter: string;
  readonly text: string;
  readonly kind: "code" | "carets" | "context";
}

/** Of a very long line, a minified file for example, only the surroundings of the finding are measured. */
const MEASURED = 1000;
/** Where in the frame a finding starts that would otherwise be out of it: after a third of the width. */
const LEAD = 3;

/**
 * One line of context before and after, as far as there is one that is not empty. A range of several lines is underlined on its first.
 * `width` is what the code may take, in columns.
 */
export function drawFrame(lines: readonly string[], range: Range, width: number): readonly FrameLine[] {
  const { line } = range.start;
  const code = lines[line - 1];
  if (code === undefined) return [];
  const from = Math.max(0, range.start.column - 1 - MEASURED);
  const cells = cellsOf(pick(code, from));
  const end = range.end.line === line ? range.end.column : code.trimEnd().length + 1;
  const first = columnOf(cells, range.start.column - 1 - from);
  const last = Math.max(first + 1, columnOf(cells, end - 1 - from));
  const left = last + 1 < width && from === 0 ? 0 : Math.max(0, first - Math.floor(width / LEAD));
  const hidden = from > 0 || left > 0;
  const show = (text: string): string => crop(cellsOf(pick(text, from)), { left, width, hidden, open: text.length > from + 2 * MEASURED });
  const digits = String(line + 1).length;
  const context = (number: number): FrameLine[] => {
    const text = lines[number - 1];
    return text === undefined || text.trim() === "" ? [] : [{ gutter: String(number).padStart(digits), text: show(text), kind: "context" }];
  };
  const carets = " ".repeat(first - left) + "^".repeat(Math.max(1, Math.min(last, left + width) - first));
  return [
    ...context(line - 1),
    { gutter: String(line).padStart(digits), text: show(code), kind: "code" },
    { gutter: " ".repeat(digits), text: carets, kind: "carets" },
    ...context(line + 1),
  ];
}

function pick(line: string, from: number): string {
  return line.length <= 2 * MEASURED ? line.slice(from) : line.slice(from, from + 2 * MEASURED);
}

/** The column, from 0, of what stands at an offset; one past the last for the end of the line. */
function columnOf(cells: readonly Cell[], offset: number): number {
  let column = 0;
  for (const [i, cell] of cells.entries()) {
    const next = cells[i + 1]?.offset ?? Infinity;
    if (cell.offset >= offset || (next > offset && next !== Infinity)) return column;
    column += cell.width;
  }
  return column;
}

interface Window {
  readonly left: number;
  readonly width: number;
  /** Whether something stands to the left of what is measured. */
  readonly hidden: boolean;
  /** Whether something stands to the right of what is measured. */
  readonly open: boolean;
}

function crop(cells: readonly Cell[], { left, width, hidden, open }: Window): string {
  let text = "";
  let column = 0;
  for (const [i, cell] of cells.entries()) {
    const end = column + cell.width;
    // A wide character that is cut by the edge leaves a blank, so that the rest stays where it is.
    if (column < left) text += " ".repeat(Math.max(0, end - left));
    else if (end - left > width || (end - left === width && (i < cells.length - 1 || open))) return `${text}…`;
    else if (column === left && hidden) text += "…".padEnd(cell.width);
    else text += cell.text;
    column = end;
  }
  return text.trimEnd();
}
