/** What a change of one file would change in what is found. */
import type { Finding } from "./finding.ts";
import type { Trial } from "./fix/fixes.ts";
import type { FrontEnd } from "./frontEnd.ts";
import { judge, type JudgeOptions } from "./judge.ts";
import { createProgram, type Program } from "./program.ts";
import { registerAgain, solveFiles } from "./solveFiles.ts";

/**
 * What would be found if the file said something else, where that can make a difference: in it, and in whoever calls it. The sources
 * stay as they are, and so does everything that is known of other files.
 */
export function tryOut(
  frontEnd: FrontEnd,
  options: JudgeOptions,
  before: readonly Finding[],
  known: Program,
  change: { readonly file: string; readonly text: string },
): Trial {
  const module = frontEnd.parse(change.file, change.text);
  const { sources } = frontEnd;
  const changed: FrontEnd = {
    ...frontEnd,
    lower: (file) => (file === change.file ? module : frontEnd.lower(file)),
    sources: { ...sources, read: (file) => (file === change.file ? change.text : sources.read(file)) },
  };
  const program = createProgram(known.catalogue, {
    ...known.loader,
    load: (file) => (file === change.file ? module : known.loader.load(file)),
  });
  registerAgain(program, known, module);
  const concerned = callingFiles(known, change.file);
  for (const name of known.wrappers) program.wrappers.add(name);
  solveFiles(program, concerned, undefined);
  const { found } = judge(program, changed, concerned, options, undefined);
  return { before: before.filter((finding) => concerned.has(finding.file)), after: found.map((one) => one.finding) };
}

/** The file, and those whose files go through its functions. */
function callingFiles(program: Program, file: string): Set<string> {
  const callers = new Map<string, Set<string>>();
  for (const { module, frame } of program.overview.reports)
    for (const { from } of frame.files.values())
      for (const { callee } of from) {
        if (callee.file === module.file) continue;
        const known = callers.get(callee.file);
        if (known) known.add(module.file);
        else callers.set(callee.file, new Set([module.file]));
      }
  const found = new Set([file]);
  for (const one of found) for (const caller of callers.get(one) ?? []) found.add(caller);
  return found;
}
