/** A plan as a table that leads with project, kind, bytes, age and reason; then the total. */
import { t } from "@vscode/l10n";
import type { Blocker, Plan, PlanItem } from "../core/model.ts";
import { countFiles, formatBytes, formatDuration } from "../core/words.ts";
import { formatProblem, table, type Terminal, visible } from "./terminal.ts";

/** Rows that a person reads before they want a summary. Pipes get everything. */
const ROWS = 40;

/** What a cleanup is about to take, summed up by project, kind and reason; `offcut plan` has the files. */
export function showSummary(terminal: Terminal, plan: Plan): void {
  showProblems(terminal, plan, false);
  const items = plan.items.filter((item) => item.verdict === "reclaim");
  if (items.length === 0) return;
  const rows = groupBy(items, (item) => [item.owner ?? "-", item.store, item.reason].join("\0")).map((group) => [
    group[0]?.owner ?? "-",
    group[0]?.store ?? "",
    String(group.length),
    formatBytes(sumBytes(group)),
    formatDuration(Math.max(...group.map((item) => item.ageMs))),
    group[0]?.reason ?? "",
  ]);
  const columns = [
    { title: ownerTitle(items, plan) },
    { title: t("KIND") },
    { title: t("FILES"), align: "right" },
    { title: t("BYTES"), align: "right" },
    { title: t("AGE"), align: "right" },
    { title: t("REASON") },
  ] as const;
  terminal.print(
    ...table(terminal, columns, rows),
    "",
    terminal.style("bold", t("{0} in {1} to clean up; keeps {2} in {3}.", ...sayTotals(plan))),
  );
}

/** Bytes and files to reclaim, bytes and files to keep. */
function sayTotals({ totals: { reclaim, keep } }: Plan): readonly string[] {
  return [reclaim, keep].flatMap(({ bytes, files }) => [formatBytes(bytes), countFiles(files)]);
}

export function showProblems(terminal: Terminal, plan: Plan, notes: boolean): void {
  for (const problem of plan.problems) {
    if (problem.severity !== "info" || notes)
      terminal.warn(terminal.style(problem.severity === "error" ? "red" : "yellow", formatProblem(problem)));
  }
}

/** What those are called that the files belong to. */
function ownerTitle(items: readonly PlanItem[], { owners }: Plan): string {
  const kinds = new Map(owners.map((owner) => [owner.id, owner.kind ?? "project"]));
  const found = new Set(items.flatMap((item) => (item.owner === undefined ? [] : (kinds.get(item.owner) ?? "project"))));
  if (!found.has("job")) return t("PROJECT");
  return found.has("project") ? t("PROJECT/JOB") : t("JOB");
}

function groupBy(items: readonly PlanItem[], keyOf: (item: PlanItem) => string): PlanItem[][] {
  const groups = new Map<string, PlanItem[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return [...groups.values()];
}

function sumBytes(items: readonly PlanItem[]): number {
  return items.reduce((sum, item) => sum + item.bytes, 0);
}

export interface ShowOptions {
  /** The evidence under each row. */
  readonly why: boolean;
  /** Every file, however many. */
  readonly all: boolean;
  /** Planned as automatic cleaning does, which may be off. */
  readonly auto: boolean;
}

export function showPlan(terminal: Terminal, plan: Plan, options: ShowOptions): void {
  showProblems(terminal, plan, options.why);
  const reclaim = plan.items.filter((item) => item.verdict === "reclaim");
  const keep = plan.items.filter((item) => item.verdict === "keep");
  showReclaimable(terminal, reclaim, ownerTitle(reclaim, plan), options);
  showKept(terminal, keep, options);
  showLimits(terminal, plan, options);
  terminal.print(
    "",
    terminal.style("bold", t("Would reclaim {0} in {1}; keeps {2} in {3}.", ...sayTotals(plan))),
    terminal.style(
      "dim",
      t(
        "Auto-cleanup: {0} ({1}). Plan {2}, good until {3}.",
        plan.autoCleanup.enabled ? t("on") : t("off"),
        plan.autoCleanup.source,
        plan.digest,
        clock(plan.expires),
      ),
    ),
  );
  if (options.auto && !plan.autoCleanup.enabled)
    terminal.print(visible(t("Automatic cleanup is off ({0}); nothing would be taken.", plan.autoCleanup.source)));
}

function showReclaimable(terminal: Terminal, items: readonly PlanItem[], owners: string, options: ShowOptions): void {
  if (items.length === 0) return terminal.print(t("Nothing is reclaimable."));
  const shown = options.all || terminal.columns === Infinity ? items : items.slice(0, ROWS);
  const lines = table(
    terminal,
    [
      { title: owners },
      { title: t("KIND") },
      { title: t("BYTES"), align: "right" },
      { title: t("AGE"), align: "right" },
      { title: t("REASON") },
      { title: t("FILE"), flexible: true },
    ],
    shown.map((item) => [item.owner ?? "-", item.store, formatBytes(item.bytes), formatDuration(item.ageMs), item.reason, item.path]),
  );
  terminal.print(lines[0] ?? "");
  for (const [i, item] of shown.entries()) {
    terminal.print(lines[i + 1] ?? "");
    // Neighbours with the same evidence say it once.
    const next = shown[i + 1];
    if (options.why && !(next && sameWhy(item, next))) terminal.print(...whyLines(terminal, item));
  }
  if (shown.length < items.length)
    terminal.print(
      terminal.style(
        "dim",
        items.length - shown.length === 1
          ? t("… and 1 more file (--all lists it)")
          : t("… and {0} more files (--all lists them)", items.length - shown.length),
      ),
    );
}

function sameWhy(a: PlanItem, b: PlanItem): boolean {
  return a.owner === b.owner && a.store === b.store && a.evidence.join() === b.evidence.join();
}

function whyLines(terminal: Terminal, item: PlanItem): string[] {
  return [terminal.style("dim", `    ${item.evidence.join(" · ")}`)];
}

/** What stays is summed up: by project, kind and reason. */
function showKept(terminal: Terminal, items: readonly PlanItem[], options: ShowOptions): void {
  if (items.length === 0) return;
  const rows = groupBy(items, (item) => [item.owner ?? "-", item.store, item.reason, ...(options.why ? item.evidence : [])].join("\0"));
  const lines = table(
    terminal,
    [
      { title: t("KEPT") },
      { title: t("KIND") },
      { title: t("FILES"), align: "right" },
      { title: t("BYTES"), align: "right" },
      { title: t("REASON") },
      ...(options.why ? [] : [{ title: "", flexible: true }]),
    ],
    rows.map((group) => [
      group[0]?.owner ?? "-",
      group[0]?.store ?? "",
      String(group.length),
      formatBytes(sumBytes(group)),
      group[0]?.reason ?? "",
      group[0]?.evidence[0] ?? "",
    ]),
  );
  terminal.print("", lines[0] ?? "");
  for (const [i, group] of rows.entries()) {
    terminal.print(lines[i + 1] ?? "");
    if (options.why && group[0]) terminal.print(...whyLines(terminal, group[0]));
  }
}

/** Stores with a limit of bytes, and on request what blocks the target of one that is too full (R56). */
function showLimits(terminal: Terminal, { pressures }: Plan, { why }: ShowOptions): void {
  if (pressures.length === 0) return;
  const lines = table(
    terminal,
    [
      { title: t("LIMIT OF") },
      { title: t("USED"), align: "right" },
      { title: t("AT MOST"), align: "right" },
      { title: t("WOULD FREE"), align: "right" },
      { title: t("TARGET"), align: "right" },
      { title: "", flexible: true },
    ],
    pressures.map((pressure) => [
      pressure.store,
      formatBytes(pressure.usedBytes),
      formatBytes(pressure.maxBytes),
      formatBytes(pressure.freeBytes),
      formatBytes(pressure.targetBytes),
      [
        ...(pressure.unmanagedBytes > 0 ? [t("{0} not managed", formatBytes(pressure.unmanagedBytes))] : []),
        ...(pressure.heldBytes > 0 ? [t("{0} held for undo", formatBytes(pressure.heldBytes))] : []),
      ].join(", "),
    ]),
  );
  terminal.print("", lines[0] ?? "");
  for (const [i, { blocked }] of pressures.entries())
    terminal.print(lines[i + 1] ?? "", ...(why ? blocked.flatMap((blocker) => blockerLines(terminal, blocker)) : []));
}

/** The reason, then the largest files that stay for it. */
function blockerLines(terminal: Terminal, { reason, files, bytes, largest }: Blocker): string[] {
  const more = files - largest.length;
  return [
    t("    in the way: {0}: {1} in {2}", reason, formatBytes(bytes), countFiles(files)),
    ...largest.map((file) => `      ${file.path}  ${formatBytes(file.bytes)}`),
    ...(more > 0 && largest.length > 0 ? [t("      and {0} more", countFiles(more))] : []),
  ].map((line) => terminal.style("dim", line));
}

/** The local time of day, as people read a clock; with the date when it is not today. */
export function clock(iso: string): string {
  const date = new Date(iso);
  const pad = (number: number): string => String(number).padStart(2, "0");
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  const today = new Date();
  return date.toDateString() === today.toDateString()
    ? time
    : `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`;
}

/** The plan as the JSON contract has it. */
export function planJson(plan: Plan): object {
  const { digest, created, expires, root, totals, problems, autoCleanup, brake, pressures } = plan;
  return {
    digest,
    created,
    expires,
    root,
    items: plan.items.map((item) => ({
      path: item.path,
      ...(item.root !== root && { root: item.root }),
      store: item.store,
      role: item.role,
      ...(item.owner !== undefined && { owner: item.owner }),
      bytes: item.bytes,
      modified: item.modified,
      ageMs: item.ageMs,
      verdict: item.verdict,
      reason: item.reason,
      evidence: item.evidence,
      ...(item.remote && { remote: item.remote }),
    })),
    totals,
    problems,
    autoCleanup,
    brake,
    pressures,
  };
}
