/** Plans: made anew for each question, kept in memory so that the files can be paged and exactly the confirmed ones cleaned. */
import { t } from "@vscode/l10n";
import { ResponseError } from "vscode-languageserver/node";
import type { Config } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { makePlan } from "../core/makePlan.ts";
import type { Plan, PlanItem } from "../core/model.ts";
import { selects } from "../core/plan/build.ts";
import { countFiles, formatBytes } from "../core/words.ts";
import { pathOf, uriOfItem } from "./convert.ts";
import { requireTrust, type Work } from "./edge.ts";
import type { ItemsAnswer, ItemsParams, Part, PlanParams, PlanSummary, PrepareParams, Question } from "./protocol.ts";
import { planExpired } from "./protocol.ts";
import type { Session, StoredPlan } from "./session.ts";
import { groupItems, groupKey, summarise } from "./summary.ts";
import { verifierFor } from "./uploads.ts";
import { watchFacts } from "./watch.ts";
import { wordQuestion } from "./words.ts";

export async function planFolder(session: Session, params: PlanParams, work: Work): Promise<PlanSummary> {
  const { config, stored } = await planAnew(session, params, work);
  return summarise(params.folder, config, stored);
}

/** Plans for the question before a cleanup; the plan that is asked about is the one that {@link takenOf} narrows later. */
export async function prepare(session: Session, params: PrepareParams, work: Work): Promise<Question> {
  requireTrust(session);
  const { config, stored } = await planAnew(session, params, work);
  const taken = takenOf(stored.plan, params);
  return {
    plan: summarise(params.folder, config, stored),
    ...wordQuestion(config, stored.plan, taken, params.projects !== undefined, session.now()),
  };
}

export function pageItems(session: Session, params: ItemsParams): ItemsAnswer {
  const { plan, groups } = storedPlan(session, pathOf(params.folder), params.digest);
  const { verdict, group, offset, limit } = params;
  const items = group
    ? (groups.get(groupKey(verdict, group.owner, group.store)) ?? [])
    : plan.items.filter((item) => item.verdict === verdict);
  return items.slice(offset, offset + limit).map((item) => Object.assign({ uri: uriOfItem(item) }, item));
}

/** Throws {@link planExpired} when the plan that the client means is no longer the newest one. */
export function storedPlan(session: Session, root: string, digest: string): StoredPlan {
  const stored = session.plans.get(root);
  if (stored?.plan.digest !== digest) throw new ResponseError(planExpired, t("the list is out of date; refresh it"));
  return stored;
}

/** The files that a part of a plan would take. */
export function takenOf(plan: Plan, part: Part): readonly PlanItem[] {
  const selection = {
    ...(part.projects && { projects: part.projects }),
    ...(part.stores && { stores: part.stores }),
    ...(part.files && { paths: part.files.map(pathOf) }),
  };
  return plan.items.filter((item) => item.verdict === "reclaim" && selects(selection, item));
}

async function planAnew(
  session: Session,
  params: PlanParams | PrepareParams,
  work: Work,
): Promise<{ readonly config: Config; readonly stored: StoredPlan }> {
  const root = pathOf(params.folder);
  const config = loadConfig(root);
  work.progress.begin(t("Looking for reclaimable files"), undefined, undefined, true);
  try {
    const plan = await makePlan(config, {
      environment: session.environment,
      trusted: session.trusted,
      orphans: ("orphans" in params && params.orphans) ?? false,
      now: session.now,
      signal: work.signal,
      mediaCache: session.mediaCache,
      ...(await verifierFor(session, config)),
      onProgress: ({ phase, files, bytes }) => {
        if (phase === "catalog") work.progress.report(t("reading the database"));
        if (phase === "uploads") work.progress.report(t("asking the remote storage about {0}", countFiles(files)));
        if (phase === "scan") work.progress.report(t("{0}, {1}", countFiles(files), formatBytes(bytes)));
      },
    });
    work.signal.throwIfAborted();
    const stored = { plan, groups: groupItems(plan.items) };
    session.plans.set(root, stored);
    if (session.trusted) await watchFacts(session, root, config);
    return { config, stored };
  } finally {
    work.progress.done();
  }
}
