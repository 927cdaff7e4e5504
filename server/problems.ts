/** Problems as an editor has room for them. */
import path from "node:path";
import type { Config } from "../core/config/config.ts";
import type { Problem } from "../core/model.ts";
import { isDamaged } from "../core/jobs/damage.ts";
import type { ShownProblem } from "./protocol.ts";

export function showProblems({ root, jobs }: Config, problems: readonly Problem[]): readonly ShownProblem[] {
  return problems.map((problem) => {
    const { source, severity } = problem;
    const job = path.basename(source).replace(/\.json(\.bak)?$/, "");
    const damaged = severity === "error" && path.dirname(source) === jobs.directory && isDamaged(jobs.directory, job);
    return { ...shorten(root, problem), ...(damaged && { job }) };
  });
}

/** Paths in the folder are told from there, and where a message begins with its source, the file's name is enough. */
export function shorten(root: string, problem: Problem): Problem {
  const { source, message } = problem;
  const rest = path.isAbsolute(source) && message.startsWith(`${source} `) ? message.slice(source.length) : undefined;
  const told = rest === undefined ? message : `${path.basename(source)}${rest}`;
  const inside = path.relative(root, source);
  const below = path.isAbsolute(source) && inside !== "" && !inside.startsWith("..") && !path.isAbsolute(inside);
  return { ...problem, source: below ? inside : source, message: told.replaceAll(root + path.sep, "") };
}

/** In one line, with where it is: `offcut.yaml:3: …`, `torn.json is damaged …`. */
export function wordProblem(root: string, problem: Problem): string {
  const { source, line, message } = shorten(root, problem);
  if (message.startsWith(`${path.basename(source)} `)) return message;
  return `${source}${line === undefined ? "" : `:${line}`}: ${message}`;
}
