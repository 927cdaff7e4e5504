/** Edits on top of edits: what several rounds of them mean for the text that they began with. */
import { LINE_END, lineEndOf, lineStarts } from "../../core/analysis/applyEdits.ts";
import type { Position, TextEdit } from "../../core/analysis/finding.ts";

/** A part of the first text by its offsets, or text that came in. */
type Piece = { readonly from: number; readonly to: number } | { readonly text: string };

export interface Pieces {
  readonly text: string;
  /** Edits that do not overlap, all meant for {@link text}. */
  edit(edits: readonly TextEdit[]): void;
  /** The same as one round of edits of the first text. */
  edits(): readonly TextEdit[];
}

/** `lineEnd` is how lines end that come into an empty text. */
export function startPieces(first: string, lineEnd = "\n"): Pieces {
  let pieces: readonly Piece[] = first === "" ? [] : [{ from: 0, to: first.length }];
  let text = first;
  const read = (piece: Piece): string => ("text" in piece ? piece.text : first.slice(piece.from, piece.to));

  function replace(start: number, end: number, by: string): void {
    const next: Piece[] = [];
    let at = 0;
    let placed = false;
    const place = (): void => {
      if (!placed && by !== "") next.push({ text: by });
      placed = true;
    };
    for (const piece of pieces) {
      const length = read(piece).length;
      const before = Math.min(Math.max(start - at, 0), length);
      const after = Math.min(Math.max(end - at, 0), length);
      if (before > 0) next.push(part(piece, 0, before));
      if (at + length > start || (at + length === start && start === text.length)) place();
      if (after < length) next.push(part(piece, after, length));
      at += length;
    }
    place();
    pieces = next;
    text = pieces.map(read).join("");
  }

  return {
    get text() {
      return text;
    },
    edit(edits) {
      const starts = lineStarts(text);
      const ending = text === "" ? lineEnd : lineEndOf(text);
      const places = edits.map((edit, order) => ({
        start: offsetOf(starts, text, edit.range.start),
        end: offsetOf(starts, text, edit.range.end),
        text: edit.text.replaceAll(LINE_END, ending),
        order,
      }));
      // From the end on, so that no offset moves; several insertions at one place keep their order.
      for (const one of places.sort((a, b) => b.start - a.start || b.order - a.order)) replace(one.start, one.end, one.text);
    },
    edits() {
      const result: TextEdit[] = [];
      let at = 0;
      let added = "";
      const flush = (to: number): void => {
        if (to > at || added !== "") result.push({ range: { start: positionOf(first, at), end: positionOf(first, to) }, text: added });
        added = "";
      };
      for (const piece of pieces) {
        if ("text" in piece) added += piece.text;
        else {
          flush(piece.from);
          at = piece.to;
        }
      }
      flush(first.length);
      return result;
    },
  };
}

function part(piece: Piece, from: number, to: number): Piece {
  return "text" in piece ? { text: piece.text.slice(from, to) } : { from: piece.from + from, to: piece.from + to };
}

function offsetOf(starts: readonly number[], text: string, { line, column }: Position): number {
  const start = starts[line - 1];
  return start === undefined ? text.length : Math.min(start + column - 1, text.length);
}

export function positionOf(text: string, offset: number): Position {
  const starts = lineStarts(text);
  let line = starts.length;
  while (line > 1 && (starts[line - 1] ?? 0) > offset) line--;
  return { line, column: offset - (starts[line - 1] ?? 0) + 1 };
}
