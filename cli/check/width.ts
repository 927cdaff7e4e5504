/** How many columns of a terminal a text takes. */
import { visible } from "../terminal.ts";

/** What a terminal shows for one or more UTF-16 units of a line. */
export interface Cell {
  /** Where it starts in the line, in UTF-16 units. */
  readonly offset: number;
  readonly text: string;
  readonly width: number;
}

const TAB = "    ";
const PLAIN = /^[\x20-\x7e]*$/;
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
/** Scripts and blocks of East Asian Width W and F, without the half-width forms. */
const WIDE =
  /^(?![\uff61-\uffdc])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
const EMOJI = /^\p{Emoji_Presentation}|\ufe0f/u;

let segmenter: Intl.Segmenter | undefined;

/** Tabs become spaces and control characters visible; every other character that a reader sees as one is one cell. */
export function cellsOf(line: string): readonly Cell[] {
  if (PLAIN.test(line)) return Array.from(line, (text, offset) => ({ offset, text, width: 1 }));
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return Array.from(segmenter.segment(line), ({ segment, index }) => cellOf(segment, index));
}

export function widthOf(text: string): number {
  return PLAIN.test(text) ? text.length : cellsOf(text).reduce((sum, cell) => sum + cell.width, 0);
}

function cellOf(segment: string, offset: number): Cell {
  if (segment === "\t") return { offset, text: TAB, width: TAB.length };
  const shown = visible(segment);
  if (shown !== segment) return { offset, text: shown, width: shown.length };
  const width = INVISIBLE.test(segment) ? 0 : WIDE.test(segment) || EMOJI.test(segment) ? 2 : 1;
  return { offset, text: segment, width };
}

/** At most so many columns, with `…` where something is missing. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let result = "";
  let used = 0;
  for (const cell of cellsOf(text)) {
    if (used + cell.width > width - 1) break;
    result += cell.text;
    used += cell.width;
  }
  return `${result}…`;
}

/** Stands for a space at which no line may end, until {@link wrap} has made lines. */
export const HARD_SPACE = "\u00a0";

/** Breaks between words. A word that is wider than a line stays whole, for it may be a path to be copied. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((one) => one.replaceAll(HARD_SPACE, " "));
}
