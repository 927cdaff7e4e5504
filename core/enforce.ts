/**
 * One round of the automatic loop: recover, free what can no longer be undone, plan as automatic cleaning does, obey the switch and
 * the brake, relieve stores that are too full, clean, and note the time. The same plan and the same run as by hand.
 */
import { t } from "@vscode/l10n";
import { cleanUp } from "./cleanUp.ts";
import type { Config } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import { retireJobs } from "./jobs/retire.ts";
import { makePlan, type PlanOptions } from "./makePlan.ts";
import type { CleanResult, Plan, Pressure, Problem } from "./model.ts";
import { Refusal } from "./reclaim/home.ts";
import type { PurgeResult } from "./reclaim/purge.ts";
import type { RunProgress } from "./reclaim/run.ts";
import { relieve } from "./relieve.ts";
import { purge, recoverRuns } from "./runs.ts";
import { cleanupLine, countFiles, formatBytes } from "./words.ts";

export interface Enforcement {
  /** When the round began, ISO 8601. */
  readonly at: string;
  /**
   * `off`: the switch or debug mode says so. `braked`: more than usual, so somebody has to confirm it (R20). `refused`: nothing may
   * be done now, e.g. because another process is cleaning. `failed`: some files could not be
   * cleaned, or nothing can be decided.
   */
  readonly outcome: "off" | "nothing" | "clean" | "braked" | "refused" | "failed" | "cancelled";
  /** What happened, for people. */
  readonly message: string;
  readonly result?: CleanResult;
  readonly purged: readonly PurgeResult[];
  readonly pressures: readonly Pressure[];
  readonly problems: readonly Problem[];
  readonly plan?: Plan;
}

export interface EnforceOptions extends Omit<PlanOptions, "mode" | "orphans"> {
  readonly onRunProgress?: (progress: RunProgress) => void;
}

/** Throws only for what makes every round senseless: a configuration that cannot be used, a defect. */
export async function enforce(root: string, options: EnforceOptions): Promise<Enforcement> {
  const now = options.now ?? Date.now;
  const at = new Date(now()).toISOString();
  const config = loadConfig(root);
  const round: Round = { config, options: { ...options, mode: "automatic" }, now, purged: [] };
  try {
    const done = await work(round);
    return { at, purged: round.purged, ...done };
  } catch (error) {
    if (options.signal?.aborted) return { ...EMPTY, at, outcome: "cancelled", message: t("stopped"), purged: round.purged };
    if (!(error instanceof Refusal)) throw error;
    return { ...EMPTY, at, outcome: "refused", message: error.message, purged: round.purged };
  }
}

const EMPTY = { pressures: [], problems: [] } as const;

interface Round {
  readonly config: Config;
  readonly options: EnforceOptions & { readonly mode: "automatic" };
  readonly now: () => number;
  readonly purged: PurgeResult[];
}

type Done = Omit<Enforcement, "at" | "purged">;

async function work(round: Round): Promise<Done> {
  const { config, options, now, purged } = round;
  await recoverRuns(config.root, now);
  let plan = await makePlan(config, options);
  const facts = (): Pick<Done, "pressures" | "problems" | "plan"> => ({ pressures: plan.pressures, problems: plan.problems, plan });
  if (!plan.autoCleanup.enabled)
    return { ...facts(), outcome: "off", message: t("automatic cleanup is off ({0})", plan.autoCleanup.source) };
  const stop = options.signal && { signal: options.signal };
  purged.push(...(await purge(config.root, { expiredAt: now() }, stop)));
  if (purged.length > 0) plan = await makePlan(config, options);
  if (plan.brake.length > 0) return { ...facts(), ...stoppedBy(plan.brake) };
  const relieved = await relieve(config, plan, options.signal);
  purged.push(...relieved);
  if (relieved.length > 0) plan = await makePlan(config, options);
  if (plan.brake.length > 0) return { ...facts(), ...stoppedBy(plan.brake) };
  const result = await cleanOnceMore(round, plan);
  const errors = await retireJobs(config, now());
  const whole = { ...result, errors: [...result.errors, ...errors] };
  return { ...facts(), result: whole, ...outcomeOf(whole, plan, purged) };
}

function stoppedBy(brake: readonly string[]): Pick<Done, "outcome" | "message"> {
  const message = t(
    "stopped, because this is more than usual: {0}. Look at it with offcut plan --auto, and confirm it with offcut clean --auto",
    brake.join("; "),
  );
  return { outcome: "braked", message };
}

/** Something may change between plan and run, as it does on a busy machine: then once more from the start. */
async function cleanOnceMore(round: Round, plan: Plan): Promise<CleanResult> {
  const { config, options } = round;
  try {
    return await cleanUp(config, plan, options);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const anew = await makePlan(config, options);
    if (anew.digest === plan.digest || anew.brake.length > 0) throw error;
    return cleanUp(config, anew, options);
  }
}

function outcomeOf(result: CleanResult, plan: Plan, purged: readonly PurgeResult[]): Pick<Done, "outcome" | "message"> {
  const freedBefore = purged.reduce((sum, one) => sum + one.freedSpace, 0);
  const filesBefore = purged.reduce((sum, one) => sum + one.deletedFiles, 0);
  const earlier = filesBefore > 0 ? [t("of earlier cleanups: {0}", cleanupLine(filesBefore, freedBefore))] : [];
  if (result.cancelled) return { outcome: "cancelled", message: [t("stopped"), ...earlier].join("; ") };
  const held = result.heldSpace > 0 ? [t("{0} held for undo", formatBytes(result.heldSpace))] : [];
  const failed = [...result.errors, ...purged.flatMap((one) => one.errors)];
  const stayed = failed.length > 0 ? [t("{0} could not be cleaned: {1}", countFiles(failed.length), failed[0]?.message ?? "")] : [];
  const blind = plan.problems.find((problem) => problem.severity === "error");
  if (result.run === "" && failed.length === 0 && blind)
    return { outcome: "failed", message: [t("everything is kept: {0}: {1}", blind.source, blind.message), ...earlier].join("; ") };
  if (result.run === "" && failed.length === 0)
    return {
      outcome: filesBefore > 0 ? "clean" : "nothing",
      message: [t("nothing to clean; {0} kept", countFiles(plan.totals.keep.files)), ...earlier].join("; "),
    };
  return {
    outcome: failed.length > 0 ? "failed" : "clean",
    message: [cleanupLine(result.deletedFiles, result.freedSpace), ...held, ...stayed, ...earlier].join("; "),
  };
}
