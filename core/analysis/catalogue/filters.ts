/** Reads a filter graph of ffmpeg: the files that its filters read (https://ffmpeg.org/ffmpeg-filters.html). */
import type { Piece, Word } from "./shell.ts";

/** Filters that begin with a file, and options of others whose value is one. */
const FILE = /(?:(?:^|[\s,;\]'"])(?:subtitles|ass|movie|amovie|lut1d|lut3d)=(?:filename=|f=)?|(?:filename|textfile)=)(?=(\\*['"])?)/g;

/** The stretches of the word that name a file. */
export function filesInFilters<T>(word: Word<T>): readonly Word<T>[] {
  const files: Piece<T>[][] = [];
  /** The file that is being read, and the quote that it stands in. */
  let file: Piece<T>[] | undefined;
  let quote = "";
  for (const piece of word) {
    if (piece.text === undefined) {
      file?.push(piece);
      continue;
    }
    let at = 0;
    for (;;) {
      if (file) {
        const end = endOf(piece.text, at, quote);
        if (end > at) file.push({ text: piece.text.slice(at, end) });
        if (end === piece.text.length) break;
        file = undefined;
        at = end;
      }
      FILE.lastIndex = at;
      const start = FILE.exec(piece.text);
      if (!start) break;
      quote = start[1] ?? "";
      at = start.index + start[0].length + quote.length;
      file = [];
      files.push(file);
    }
  }
  return files.filter((one) => one.length > 0);
}

/** Where the name of the file ends: at its quote, else at what separates options, filters and labels. */
function endOf(text: string, from: number, quote: string): number {
  if (quote !== "") {
    const end = text.indexOf(quote, from);
    return end < 0 ? text.length : end;
  }
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") {
      // Written once or twice, for the filter and for the graph.
      while (text[at] === "\\") at += 1;
    } else if (/[:,;[\]'"\s]/.test(text[at] ?? "")) return at;
  }
  return text.length;
}
