/** Plans of test workspaces, and what to look at in them. */
import assert from "node:assert/strict";
import { lstatSync, utimesSync, writeFileSync } from "node:fs";
import { loadConfig } from "../../core/config/load.ts";
import { makePlan, type PlanOptions } from "../../core/makePlan.ts";
import type { Plan, PlanItem } from "../../core/model.ts";
import type { Workspace } from "../workspace.ts";

export const HOUR = 3_600_000;

/** The plan as it would be made after the grace time: ctimes cannot be set back, so the clock goes on instead. */
export function planLater(workspace: Workspace, options: Partial<PlanOptions> = {}): Promise<Plan> {
  return planNow(workspace, { now: () => Date.now() + 2 * HOUR, ...options });
}

export function planNow(workspace: Workspace, options: Partial<PlanOptions> = {}): Promise<Plan> {
  settle(workspace);
  return makePlan(loadConfig(workspace.root), { environment: {}, ...options });
}

/** A final that was written within the last seconds is looked at twice with a pause between: here it is made a minute old. */
export function settle(workspace: Workspace): void {
  const minuteAgo = Date.now() - 60_000;
  for (const file of workspace.files().filter((one) => /^(\.cache\/output|out|library)\//.test(one))) {
    const stat = lstatSync(workspace.path(file));
    if (stat.isFile() && stat.mtimeMs > minuteAgo + 30_000) utimesSync(workspace.path(file), minuteAgo / 1000, minuteAgo / 1000);
  }
}

/** The paths that a run would take. */
export function taken(plan: Plan): string[] {
  return plan.items
    .filter((item) => item.verdict === "reclaim")
    .map((item) => item.path)
    .sort();
}

export function itemAt(plan: Plan, path: string): PlanItem {
  const item = plan.items.find((one) => one.path === path);
  assert.ok(item, `${path} is not in the plan: ${plan.items.map((one) => one.path).join(", ")}`);
  return item;
}

export function reasonOf(plan: Plan, path: string): string {
  const { verdict, reason } = itemAt(plan, path);
  return `${verdict}: ${reason}`;
}

/** Replaces `offcut.json`; the database is the workspace's unless told. */
export function configure(workspace: Workspace, config: object): void {
  writeFileSync(workspace.path("offcut.json"), JSON.stringify({ preset: "video-generator", database: { path: "data/app.db" }, ...config }));
}
