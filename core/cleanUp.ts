/** From a plan to a result: the one way by which every shell deletes. */
import { t } from "@vscode/l10n";
import { type Config, rootsOf } from "./config/config.ts";
import type { PlanOptions } from "./makePlan.ts";
import type { CleanResult, ItemError, Plan, PlanItem } from "./model.ts";
import { createGuard } from "./reclaim/guard.ts";
import { HOME, Refusal } from "./reclaim/home.ts";
import { acquireLocks } from "./reclaim/lock.ts";
import { recover } from "./reclaim/recover.ts";
import { compareRecords, writeRecords } from "./reclaim/records.ts";
import { explainErrno } from "./reclaim/retry.ts";
import { runCleanup, type RunProgress } from "./reclaim/run.ts";
import { createRecheck } from "./recheck.ts";
import { repairStatus, trackStatus } from "./status.ts";
import { purgeUnlocked } from "./runs.ts";

export interface CleanOptions extends PlanOptions {
  /** Instead of `policy.undo`, milliseconds; 0 deletes at once. */
  readonly undoMs?: number;
  /** Only some kinds or files of the projects were chosen, so that a project is not done with when they are gone. */
  readonly partial?: boolean;
  readonly onRunProgress?: (progress: RunProgress) => void;
}

/**
 * Executes a plan. Throws a {@link Refusal} when nothing may be done at all: the plan expired or does not hold any more, another
 * process is cleaning, a root is not what it was. What happens to single files is in the result (R22).
 */
export async function cleanUp(config: Config, plan: Plan, options: CleanOptions): Promise<CleanResult> {
  const now = options.now ?? Date.now;
  if (options.trusted === false) throw new Refusal(t("the workspace is not trusted; nothing is deleted in it"));
  if (now() > Date.parse(plan.expires)) throw new Refusal(t("the plan expired at {0}; preview again", plan.expires));
  if (plan.configHash !== config.hash) throw new Refusal(t("the configuration changed since the preview; preview again"));
  const items = plan.items.filter((item) => item.verdict === "reclaim");
  if (items.length === 0) return NOTHING;

  // Before the lock, which makes `.offcut/`: nothing is made where a drive should be (R76).
  const { unreachable } = compareRecords(config.root, rootsOf(config), now());
  if (unreachable !== undefined) throw new Refusal(unreachable);

  const undoMs = options.undoMs ?? config.policy.undoMs;
  using _locks = await acquireLocks([...new Set([config.root, ...items.map((item) => item.root)])]);
  recover(config.root, now);
  repairStatus(config);
  const recheck = await createRecheck(config, options, now);
  if (recheck.generation !== plan.generation) throw new Refusal(t("the database changed since the preview; preview again"));
  const outcome = await runCleanup({
    workspace: config.root,
    digest: plan.digest,
    items,
    undoMs,
    guard: createGuard({
      workspace: config.root,
      stores: config.stores,
      protectedPaths: [...plan.protectedPaths, ...recheck.protectedPaths],
      protectedInodes: [...plan.protectedInodes, ...recheck.protectedInodes],
    }),
    recheck: (item) => recheck.ask(item),
    now,
    ...(options.signal && { signal: options.signal }),
    ...(options.onRunProgress && { onProgress: options.onRunProgress }),
  });
  const errors: ItemError[] = [
    ...outcome.errors,
    ...remember(config, now()),
    ...trackStatus(config, outcome, items, now(), options.partial ?? false),
  ];
  const { held: _held, ...result } = outcome;
  if (undoMs > 0) return { ...result, freedSpace: 0, errors };
  const purged = await purgeUnlocked(config.root, outcome.run, {});
  return {
    ...result,
    deletedFiles: purged.deletedFiles,
    freedSpace: purged.freedSpace,
    heldSpace: heldAfter(outcome.held, purged.errors),
    errors: [...errors, ...purged.errors],
  };
}

/** The result of a cleanup that had nothing to do. */
export const NOTHING: CleanResult = {
  run: "",
  deletedFiles: 0,
  freedSpace: 0,
  heldSpace: 0,
  removedDirectories: 0,
  errors: [],
  skipped: [],
  cancelled: false,
};

/** The files are moved already, so what cannot be noted is reported and no refusal. */
function remember(config: Config, nowMs: number): readonly ItemError[] {
  try {
    writeRecords(config.root, rootsOf(config), nowMs);
    return [];
  } catch (error) {
    return [{ path: `${HOME}/records.json`, message: error instanceof Refusal ? error.message : explainErrno(error) }];
  }
}

function heldAfter(held: readonly PlanItem[], failed: readonly ItemError[]): number {
  const left = new Set(failed.map((error) => error.path));
  return held.filter((item) => left.has(item.path)).reduce((sum, item) => sum + item.bytes, 0);
}
