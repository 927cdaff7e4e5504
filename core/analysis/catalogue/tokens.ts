/** Texts for the search that decides which files are parsed at all: one of them is in every file that may hold a sink. */
import type { Role, Tool, WrittenEntry } from "./entry.ts";

const SINKS: ReadonlySet<Role> = new Set<Role>(["upload", "assembly", "sink"]);

/** How ffmpeg is written in the names of functions, constants and programs. */
const FFMPEG = ["ffmpeg", "Ffmpeg", "FFmpeg", "FFMPEG"];

/** An entry without a token of its own is searched by its method if the name alone may be evidence, else by its module. */
export function tokensOfData(entries: readonly WrittenEntry[], tools: readonly Tool[]): readonly string[] {
  const found = entries.filter((entry) => SINKS.has(entry.role)).flatMap(tokensOfEntry);
  const programs = tools.filter((tool) => tool.role === "assembly" || tool.role === "upload").flatMap((tool) => tool.token ?? tool.names);
  const all = [...new Set([...FFMPEG, ...found, ...programs])];
  return all.filter((token) => !all.some((other) => other !== token && token.includes(other)));
}

function tokensOfEntry(entry: WrittenEntry): readonly string[] {
  if (entry.token !== undefined) return [entry.token].flat();
  if (entry.weak === undefined) return [entry.module].flat().flatMap(asImported);
  return [entry.symbol].flat().map((symbol) => `.${symbol.slice(symbol.lastIndexOf(".") + 1)}(`);
}

/** A short name is searched as it is imported: `twit` is in `twitter`, too. */
function asImported(module: string): readonly string[] {
  return /[/@-]/.test(module) ? [module] : [`"${module}"`, `'${module}'`];
}
