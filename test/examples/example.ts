/** Runs an example as its README says, and sums up what Offcut says of what it left. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface PlanJson {
  readonly items: readonly {
    readonly path: string;
    readonly store: string;
    readonly owner?: string;
    readonly bytes: number;
    readonly verdict: string;
    readonly reason: string;
    readonly evidence: readonly string[];
  }[];
  readonly problems: readonly { readonly severity: string; readonly source: string; readonly message: string }[];
}

/** What it printed. A variable that is undefined is left out. */
export function runExample(name: string, args: readonly string[], environment: Readonly<Record<string, string | undefined>> = {}): string {
  const main = fileURLToPath(new URL(`../../examples/${name}/main.ts`, import.meta.url));
  return execFileSync(process.execPath, [main, ...args], { encoding: "utf8", stdio: "pipe", env: { ...process.env, ...environment } });
}

/** Files below a directory of a workspace, relative to the workspace, sorted. */
export function filesBelow(root: string, directory: string): readonly string[] {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** How many files of a plan have each verdict. */
export function summarize(plan: PlanJson): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { verdict, reason } of plan.items) counts[`${verdict} ${reason}`] = (counts[`${verdict} ${reason}`] ?? 0) + 1;
  return counts;
}
