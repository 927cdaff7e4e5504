/** What people and programs are told of the rounds of `offcut watch`. */
import { t } from "@vscode/l10n";
import type { Enforcement } from "../core/enforce.ts";
import type { ItemError, Problem } from "../core/model.ts";
import type { RoundNote } from "../core/schedule.ts";
import { countFiles } from "../core/words.ts";
import type { Log } from "./log.ts";
import { formatProblem, wordProblem } from "./terminal.ts";
import type { Memory } from "./told.ts";

/** Paths that failed which are named one by one; the history has them all. */
const NAMED = 20;

export interface Teller {
  round(round: Enforcement): void;
  /** A round that could not begin, or that ended by a defect. */
  failure(outcome: "configuration" | "error", lines: readonly string[]): void;
}

export interface TellerOptions {
  /** Everything, also where nothing was to be done. */
  readonly all: boolean;
  /** What a command by hand needs, e.g. ` --root DIR`. */
  readonly choices: string;
  /** What became of the round before. */
  readonly before?: RoundNote["outcome"];
  /** Of a process that does one round of many: then nothing that is known is said again, whomever it needs. */
  readonly memory?: Memory;
}

/**
 * Tells what happened and what is wrong. What was told in the round before and is as it was is not told again, unless it needs
 * somebody: a brake, a refusal, a failure, a store that is too full.
 */
export function createTeller(log: Log, options: TellerOptions): Teller {
  const { all, choices, memory } = options;
  let known: ReadonlySet<string> = new Set();
  let { before } = options;
  /** What the memory is not asked about it forgets, so it is asked even where everything is told. */
  const isDue = (words: string, otherwise: boolean): boolean => (memory ? memory.isNews(words) || all : otherwise || all);

  return {
    round(round) {
      const blind = whatBlinds(round);
      const problems = round.problems.filter((problem) => problem !== blind && (problem.severity !== "info" || all));
      for (const problem of problems)
        if (isDue(lastingKeyOf(round, problem), !known.has(keyOf(problem)) || isPressing(round, problem)))
          log.tell(problem.severity === "info" ? "info" : problem.severity, formatProblem(problem));
      known = new Set(problems.map(keyOf));
      const calm = round.outcome === "nothing" || round.outcome === "off";
      if (round.outcome === "braked") {
        if (isDue(round.message, true)) tellBrake(log, round, memory !== undefined || before !== "braked", choices);
      } else if (round.outcome === "refused" || round.outcome === "failed") tellFailure(log, round, (words) => isDue(words, true));
      else if (all || !calm || isNews(before, round.outcome)) log.tell("info", messageOf(round));
      before = round.outcome;
    },
    failure(outcome, lines) {
      log.tell("error", ...lines);
      if (outcome === "configuration" && before !== outcome)
        log.tell("error", t("nothing is cleaned until this is mended; it is looked at again each time"));
      before = outcome;
    },
  };
}

/** That there is nothing to do is news at first, and after anything but a cleanup. */
function isNews(before: RoundNote["outcome"] | undefined, now: RoundNote["outcome"]): boolean {
  return before === undefined || (before !== now && !(before === "clean" && now === "nothing"));
}

function isPressing({ pressures }: Enforcement, problem: Problem): boolean {
  return pressures.some((pressure) => pressure.over && pressure.store === problem.source);
}

function messageOf({ message, result }: Enforcement): string {
  return result && result.run !== "" ? `${message} (${result.run})` : message;
}

function errorsOf({ result, purged }: Enforcement): readonly ItemError[] {
  return [...(result?.errors ?? []), ...purged.flatMap((one) => one.errors)];
}

/** Why nothing can be decided, when that is all that failed: the message of the round names it. */
function whatBlinds(round: Enforcement): Problem | undefined {
  if (round.outcome !== "failed" || errorsOf(round).length > 0) return undefined;
  return round.problems.find((problem) => problem.severity === "error" && round.message.includes(problem.message));
}

function tellFailure(log: Log, round: Enforcement, isDue: (words: string) => boolean): void {
  const errors = errorsOf(round);
  const due = errors.filter(({ path, message }) => isDue(`${path}: ${message}`));
  for (const { path, message } of due.slice(0, NAMED)) log.tell("error", t("failed: {0}: {1}", path, message));
  if (due.length > NAMED) log.tell("error", t("failed: and {0} more", countFiles(due.length - NAMED)));
  const worked = (round.result?.deletedFiles ?? 0) > 0 || round.purged.some((one) => one.deletedFiles > 0);
  if (!isDue(round.message) && due.length === 0 && !worked) return;
  if (round.outcome === "refused") return log.tell("warning", t("refused: {0}", round.message));
  const blind = whatBlinds(round);
  log.tell("error", blind ? round.message.replace(`${blind.source}: ${blind.message}`, () => wordProblem(blind)) : messageOf(round));
}

/** Every time, and the first time so that nobody misses it (R20). */
function tellBrake(log: Log, { plan, message }: Enforcement, first: boolean, choices: string): void {
  if (!first || !plan) return log.tell("warning", message);
  log.tell(
    "warning",
    t("STOPPED BY THE BRAKE: this is more than usual, so nothing was cleaned, and nothing will be until somebody confirms it."),
    ...plan.brake.map((reason) => `  - ${reason}`),
    t("  see what would go:  {0}", `offcut plan --auto${choices}`),
    t("  confirm it:         {0}", `offcut clean --auto${choices}`),
  );
}

function keyOf({ source, line, message }: Problem): string {
  return `${source}:${line ?? ""}:${message}`;
}

/** A store that is too full is told with figures and files, and it is the same trouble when they change. */
function lastingKeyOf(round: Enforcement, problem: Problem): string {
  return isPressing(round, problem) ? `${problem.source}:${problem.message.split(/\d/)[0] ?? ""}` : keyOf(problem);
}

/** One round as a line of JSON. */
export function roundJson(round: Enforcement): object {
  const { at, outcome, message, result, purged, pressures, problems, plan } = round;
  return {
    event: "round",
    at,
    outcome,
    message,
    ...(result && {
      run: result.run,
      deletedFiles: result.deletedFiles,
      freedSpace: result.freedSpace,
      heldSpace: result.heldSpace,
      ...(result.undoUntil !== undefined && { undoUntil: result.undoUntil }),
      errors: result.errors,
      skipped: result.skipped,
    }),
    purged: purged.map(({ run, deletedFiles, freedSpace, errors }) => ({ run, deletedFiles, freedSpace, errors })),
    pressures,
    problems,
    ...(plan && { totals: plan.totals, brake: plan.brake, digest: plan.digest, autoCleanup: plan.autoCleanup }),
  };
}
