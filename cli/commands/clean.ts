import { t } from "@vscode/l10n";
import { cleanUp, NOTHING } from "../../core/cleanUp.ts";
import type { Config } from "../../core/config/config.ts";
import type { CleanResult, Plan } from "../../core/model.ts";
import { digestAge, PLAN_LIFETIME_MS } from "../../core/plan/build.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { purge } from "../../core/runs.ts";
import { cleanupLine, countFiles, formatBytes, formatDuration } from "../../core/words.ts";
import { repeatChoices, UsageError } from "../args.ts";
import { type Context, configOf, openVerifier, planOf, planOptions } from "../context.ts";
import { EXIT, type ExitCode, exitOf } from "../exit.ts";
import { clock, planJson, showPlan, showProblems, showSummary } from "../show.ts";
import { visible } from "../terminal.ts";
import { mendUnknown } from "./forget.ts";

/** More than usual, and nobody named the plan (R20). */
export class Braked extends Refusal {
  readonly plan: Plan;

  constructor(message: string, plan: Plan) {
    super(message);
    this.plan = plan;
  }
}

/** Plans, asks, cleans. What it took can be undone until the window of `policy.undo` ends. */
export async function clean(context: Context): Promise<ExitCode> {
  const { args, terminal } = context;
  const config = configOf(context);
  await using verifier = await openVerifier(context, config);
  const plan = await planOf(context, config, verifier);
  if (args.plan !== undefined) checkDigest(args.plan, plan);
  const dry = args.has("dry-run");
  const off = args.has("auto") && !plan.autoCleanup.enabled;
  if (args.json && dry) terminal.printJson(planJson(plan));
  if (!args.json) {
    if (off && !dry) showProblems(terminal, plan, false);
    else if (dry || args.has("why") || args.has("all"))
      showPlan(terminal, plan, { why: args.has("why"), all: args.has("all"), auto: args.has("auto") });
    else showSummary(terminal, plan);
  }
  if (dry) return args.has("exit-code") ? exitOf(plan) : EXIT.done;
  if (off) {
    return finish(context, plan, NOTHING, t("Automatic cleanup is off ({0}); nothing was touched.", plan.autoCleanup.source));
  }
  if (plan.totals.reclaim.files === 0)
    return finish(context, plan, { ...NOTHING, notes: mendsOf(context, config, plan) }, whyNothing(plan));

  const undoMs = args.has("permanently") ? 0 : config.policy.undoMs;
  if (!(await confirm(context, config, plan, undoMs))) return finish(context, plan, NOTHING, t("Nothing was touched."));
  await purgeExpired(context, config);
  const result = await cleanUp(config, plan, {
    ...planOptions(context, verifier),
    undoMs,
    partial: args.stores !== undefined,
    onRunProgress: ({ done, total, bytes }) => terminal.progress(t("Cleaning … {0} of {1}, {2}", done, total, formatBytes(bytes))),
  });
  terminal.progress(undefined);
  return finish(context, plan, { ...result, notes: [...(result.notes ?? []), ...mendsOf(context, config, plan)] });
}

/** What can no longer be undone is not held any longer than until the next cleanup, and that is said. */
async function purgeExpired({ args, terminal, signal }: Context, config: Config): Promise<void> {
  const purged = await purge(config.root, { expiredAt: Date.now() }, { signal });
  if (purged.length === 0 || args.json) return;
  const files = purged.reduce((sum, one) => sum + one.deletedFiles, 0);
  const freed = purged.reduce((sum, one) => sum + one.freedSpace, 0);
  terminal.print(t("The undo time of earlier cleanups is over: {0}", cleanupLine(files, freed)));
}

/** A plan is the same when it would take the same files for the same reasons, and good for ten minutes (R15, R16). */
function checkDigest(given: string, plan: Plan): void {
  const age = digestAge(given, Date.parse(plan.created));
  if (!age) throw new UsageError(t('"{0}" is not the digest of a plan; copy it from the last line of "offcut plan"', given));
  if (age.ageMs > PLAN_LIFETIME_MS)
    throw new Refusal(t('the plan is {0} old and expired; run "offcut plan" again', formatDuration(age.ageMs)));
  if (digestAge(plan.digest, 0)?.content !== age.content)
    throw new Refusal(t('something changed since that plan was made; run "offcut plan" again (it is {0} now)', plan.digest));
}

async function confirm(context: Context, config: Config, plan: Plan, undoMs: number): Promise<boolean> {
  const { args, terminal } = context;
  const { files, bytes } = plan.totals.reclaim;
  const braked = plan.brake.length > 0 && args.plan === undefined;
  if (args.has("yes") && !braked) return true;
  if (braked) {
    terminal.warn("", terminal.style("yellow", t("This is more than usual:")), ...plan.brake.map((reason) => visible(`  - ${reason}`)));
    if (!terminal.interactive || args.has("yes"))
      throw new Braked(
        t("confirm these {0} by naming the plan: offcut clean --yes --plan {1}{2}", countFiles(files), plan.digest, repeatChoices(args)),
        plan,
      );
    return (await terminal.ask(t("Type {0} to go on: ", files))) === String(files);
  }
  if (!terminal.interactive) throw new UsageError(t('nobody is there to confirm; preview with "offcut plan", then add --yes'));
  const roots = [...new Set(plan.items.filter((item) => item.verdict === "reclaim").map((item) => item.root))].join(", ");
  const undo = undoMs > 0 ? t("can be undone for {0}", formatDuration(undoMs)) : t("cannot be undone");
  const answer = await terminal.ask(
    t("Clean up {0} ({1}) below {2}? This {3}. [y/N] ", countFiles(files), formatBytes(bytes), roots || config.root, undo),
  );
  return /^y(es)?$/i.test(answer);
}

function finish(context: Context, plan: Plan, result: CleanResult, note?: string): ExitCode {
  const { args, terminal } = context;
  if (args.json) {
    const { run, deletedFiles, freedSpace, heldSpace, undoUntil, removedDirectories, errors, skipped, cancelled, notes = [] } = result;
    terminal.printJson({
      run,
      deletedFiles,
      freedSpace,
      heldSpace,
      ...(undoUntil !== undefined && { undoUntil }),
      removedDirectories,
      errors,
      skipped,
      cancelled,
      ...(note !== undefined && { note }),
      ...(notes.length > 0 && { notes }),
      problems: plan.problems,
    });
  } else {
    terminal.print("");
    if (note !== undefined) terminal.print(visible(note));
    for (const { path, message } of result.errors) terminal.warn(terminal.style("red", t("failed: {0}: {1}", path, message)));
    for (const { path, reason } of result.skipped) terminal.warn(visible(t("kept: {0}: {1}", path, reason)));
    if (result.run !== "") terminal.print(...projectLines(plan, result).map(visible), terminal.style("bold", resultLine(result)));
    if (result.heldSpace > 0 && result.undoUntil !== undefined)
      terminal.print(terminal.style("dim", t("Undo: offcut undo {0}   Free the space now: offcut purge", result.run)));
    terminal.print(...(result.notes ?? []).map(visible));
    if (result.cancelled) terminal.print(t("Stopped as you asked; what was not reached is untouched."));
  }
  if (result.cancelled) return EXIT.interrupted;
  if (result.errors.length > 0) return EXIT.failedItems;
  return args.has("exit-code") && exitOf(plan) === EXIT.usage ? EXIT.usage : EXIT.done;
}

/** What each project gave back (S0.15), when there are several. */
function projectLines(plan: Plan, result: CleanResult): string[] {
  const stayed = new Set([...result.errors, ...result.skipped].map((one) => one.path));
  const sums = new Map<string, { files: number; bytes: number }>();
  for (const item of plan.items) {
    if (item.verdict !== "reclaim" || stayed.has(item.path)) continue;
    const sum = sums.get(item.owner ?? "-") ?? { files: 0, bytes: 0 };
    sums.set(item.owner ?? "-", { files: sum.files + 1, bytes: sum.bytes + item.bytes });
  }
  return [...sums].map(([owner, sum]) => t("{0}: {1} MB in {2}", owner, (sum.bytes / 1024 ** 2).toFixed(2), countFiles(sum.files)));
}

/** S0.8 to the letter, and in brackets what is not freed yet (R14). */
function resultLine(result: Pick<CleanResult, "deletedFiles" | "freedSpace" | "heldSpace" | "undoUntil">): string {
  const line = cleanupLine(result.deletedFiles, result.freedSpace);
  if (result.heldSpace === 0 || result.undoUntil === undefined) return line;
  return `${line} (${t("{0} MB held for undo until {1}", (result.heldSpace / 1024 ** 2).toFixed(2), clock(result.undoUntil))})`;
}

/** Of jobs that were named nobody may know whether they run: that is not mended by waiting. */
function mendsOf({ args }: Context, config: Config, plan: Plan): readonly string[] {
  const unknown = plan.owners.filter((owner) => owner.kind === "job" && owner.state === "unknown" && args.projects?.includes(owner.id));
  return unknown.flatMap(({ id }) => mendUnknown(config, id) ?? []);
}

/** Nothing to do is explained, not just said (R84). */
function whyNothing(plan: Plan): string {
  if (plan.items.length === 0) return t("There are no files in the stores; nothing was touched.");
  const counts = new Map<string, number>();
  for (const item of plan.items) counts.set(item.reason, (counts.get(item.reason) ?? 0) + 1);
  return t(
    "Nothing is reclaimable, so nothing was touched. Kept: {0}.",
    [...counts].map(([reason, count]) => `${countFiles(count)} ${reason}`).join(", "),
  );
}
