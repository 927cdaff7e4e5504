/** Words as tests write them: `<x>` is a hole that holds `x`, `<...x>` a list that is spread. */
import type { FileWord } from "../../core/analysis/catalogue/ffmpeg.ts";
import type { Piece, Word } from "../../core/analysis/catalogue/shell.ts";

/** Texts and holes of a template. */
export function partsOf(template: string): Piece<string>[] {
  return template
    .split(/(<[^<>\s]+>)/)
    .filter((part) => part !== "")
    .map((part): Piece<string> => {
      const hole = /^<(\.\.\.)?(.*)>$/.exec(part);
      if (!hole) return { text: part };
      return { value: hole[2]!, written: hole[2]!, ...(hole[1] !== undefined && { many: "spread" }) };
    });
}

/** A list of arguments. */
export function wordsOf(...words: readonly string[]): Word<string>[] {
  return words.map(partsOf);
}

export function show(word: Word<string>): string {
  return word.map((piece) => piece.text ?? `<${piece.value ?? piece.written}>`).join("");
}

export function showFiles(files: readonly FileWord<string>[]): string[] {
  return files.map((file) => show(file.word) + (file.pattern ? " …" : ""));
}
