/** `offcut jobs`: what became of each job, and what is done about those that failed or whose manifest is damaged. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Config } from "../../core/config/config.ts";
import type { Manifest } from "../../core/jobs/manifest.ts";
import { readUnnotedStart } from "../../core/jobs/owners.ts";
import { isSafeId } from "../../core/config/template.ts";
import { readManifests } from "../../core/jobs/manifests.ts";
import { releaseOwner, unreleaseOwner } from "../../core/jobs/release.ts";
import { makePlan } from "../../core/makePlan.ts";
import type { Owner, Plan, PlanItem, Totals } from "../../core/model.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { acquireLocks } from "../../core/reclaim/lock.ts";
import { countFiles, formatBytes, formatDuration } from "../../core/words.ts";
import { quote, UsageError } from "../args.ts";
import { type Context, configOf, planOptions } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { showProblems } from "../show.ts";
import { table, visible } from "../terminal.ts";
import { forget, mendUnknown } from "./forget.ts";

type State = "running" | "succeeded" | "failed" | "released" | "abandoned" | "unknown" | "unreadable";

/** A job, or a project of a database that failed: it can be released in the same way. */
interface Row {
  readonly id: string;
  readonly kind: "job" | "project";
  readonly type?: string;
  readonly state: State;
  /** It failed, and its files stay until somebody releases it. */
  readonly held: boolean;
  readonly started?: string;
  readonly ended?: string;
  /** It was started, or started again, and its manifest does not say so. */
  readonly unnoted: boolean;
  /** It says that it is running, and its process cannot be seen from here. */
  readonly unseen: boolean;
  /** What to do about a job of which nobody knows whether it runs. */
  readonly mend?: string;
  /** Who runs it, or what it failed with. */
  readonly detail?: string;
  /** What is left of it, finals aside, and what of that can go now. */
  readonly left: Totals;
  readonly reclaimable: Totals;
  /** Absent when it makes none, or nobody knows any. */
  readonly finals?: { readonly named: number; readonly there: number };
}

export async function jobs(context: Context): Promise<ExitCode> {
  const [action, id, ...more] = context.args.positionals;
  if (action === undefined) return await list(context);
  const act = { release, hold, forget }[action];
  if (!act) throw new UsageError(t('"offcut jobs {0}" is unknown; it is release, hold or forget, and an ID', action));
  if (id === undefined || more.length > 0) throw new UsageError(t('"offcut jobs {0}" needs one ID; "offcut jobs" lists them', action));
  return await act(context, id);
}

async function list(context: Context): Promise<ExitCode> {
  const { args, terminal, root } = context;
  const config = configOf(context);
  const plan = await makePlan(config, planOptions(context));
  terminal.progress(undefined);
  const rows = rowsOf(config, plan);
  if (args.json) {
    terminal.printJson({ root, jobs: rows, problems: plan.problems });
    return EXIT.done;
  }
  showProblems(terminal, plan, false);
  if (rows.length === 0) {
    terminal.print(t("There are no jobs here, and no project failed."));
    return EXIT.done;
  }
  terminal.print(
    ...table(
      terminal,
      [
        { title: t("JOB"), whole: true },
        { title: t("TYPE") },
        { title: t("STATE") },
        { title: t("AGE"), align: "right" },
        { title: t("FILES"), align: "right" },
        { title: t("BYTES"), align: "right" },
        { title: t("FINALS"), align: "right" },
        { title: "", flexible: true },
      ],
      rows.map((row) => cellsOf(row, Date.parse(plan.created))),
    ),
    ...adviceOn(rows).map((line) => terminal.style("dim", line)),
  );
  return EXIT.done;
}

function rowsOf(config: Config, plan: Plan): Row[] {
  const manifests = new Map(readManifests(config.jobs.directory).map((found) => [found.id, found.manifest]));
  const items = new Map<string, PlanItem[]>(plan.owners.map((owner) => [owner.id, []]));
  for (const item of plan.items) items.get(item.owner ?? "")?.push(item);
  return plan.owners
    .filter((owner) => owner.kind === "job" || owner.state === "failed")
    .toSorted((a, b) => Number(b.kind === "job") - Number(a.kind === "job") || (a.id < b.id ? -1 : 1))
    .map((owner) => toRow(config, owner, items.get(owner.id) ?? [], owner.kind === "job" ? manifests.get(owner.id) : undefined));
}

function toRow(config: Config, owner: Owner, items: readonly PlanItem[], manifest: Manifest | undefined): Row {
  const { id, kind = "project", type, startedMs, endedMs, lease } = owner;
  const others = items.filter((item) => item.role !== "final" && item.reason !== "final-output");
  const named = manifest
    ? manifest.files.filter((file) => file.role === "final").map((file) => path.join(config.root, file.path))
    : items.filter((item) => item.reason === "final-output").map((item) => path.join(item.root, item.path));
  const sign = kind === "job" && owner.state === "unknown" && isSafeId(id) ? readUnnotedStart(config.jobs.directory, id) : undefined;
  const words = sign && t("{0}; last sign of life {1}", owner.status, sign.at);
  const mend = kind === "job" && owner.state === "unknown" ? mendUnknown(config, id) : undefined;
  const detail = words ?? manifest?.job.error ?? lease ?? (kind === "project" ? `${owner.source} = ${owner.status}` : undefined);
  return {
    id,
    kind,
    ...(type !== undefined && { type }),
    state: stateOf(owner),
    held: owner.state === "failed" && owner.released !== true && config.policy.preserveOnFailure,
    unnoted: sign !== undefined,
    unseen: mend !== undefined && sign === undefined,
    ...(mend !== undefined && { mend }),
    ...(startedMs !== undefined && { started: new Date(startedMs).toISOString() }),
    ...(endedMs !== undefined && { ended: new Date(endedMs).toISOString() }),
    ...(detail !== undefined && { detail }),
    left: totalOf(others),
    reclaimable: totalOf(others.filter((item) => item.verdict === "reclaim")),
    ...(named.length > 0 && { finals: { named: named.length, there: named.filter((file) => fs.existsSync(file)).length } }),
  };
}

function stateOf({ state, kind, status, released, startedMs }: Owner): State {
  if (state === "failed") return released ? "released" : status === "abandoned" ? "abandoned" : "failed";
  if (state === "unknown" && kind === "job" && startedMs === undefined) return "unreadable";
  return state;
}

function totalOf(items: readonly { readonly bytes: number }[]): Totals {
  return { files: items.length, bytes: items.reduce((sum, item) => sum + item.bytes, 0) };
}

function cellsOf(row: Row, nowMs: number): string[] {
  const since = row.ended ?? row.started;
  return [
    row.id,
    row.type ?? row.kind,
    row.held ? t("{0}, held for debugging", row.state) : row.state,
    since === undefined ? "-" : formatDuration(nowMs - Date.parse(since)),
    String(row.left.files),
    formatBytes(row.left.bytes),
    row.finals === undefined
      ? "-"
      : row.finals.there === row.finals.named
        ? String(row.finals.named)
        : t("{0} of {1}", row.finals.there, row.finals.named),
    row.detail ?? "",
  ];
}

/** What can be done, when there is something. */
function adviceOn(rows: readonly Row[]): string[] {
  const held = rows.filter((row) => row.held && row.left.files > 0);
  const bytes = held.reduce((sum, row) => sum + row.left.bytes, 0);
  const one = held[0];
  const damaged = rows.find((row) => row.state === "unreadable");
  const unnoted = rows.find((row) => row.unnoted);
  const unseen = rows.find((row) => row.unseen);
  return [
    ...(one || damaged || unnoted || unseen ? [""] : []),
    ...(one
      ? [t("Held for debugging: {0}. Let go: offcut jobs release {1}", formatBytes(bytes), held.length === 1 ? quote(one.id) : "ID")]
      : []),
    ...(damaged
      ? [t("While a manifest cannot be read nothing is cleaned. Restore it, or set it aside: offcut jobs forget {0}", quote(damaged.id))]
      : []),
    ...[unnoted, unseen].flatMap((row) => (row?.mend === undefined ? [] : [row.mend])),
  ];
}

async function release(context: Context, id: string): Promise<ExitCode> {
  const { args, terminal, root } = context;
  const config = configOf(context);
  const options = { ...planOptions(context), selection: { projects: [id] } };
  const owner = await findOwner(context, config, id);
  const mend = owner.kind === "job" && owner.state === "unknown" ? mendUnknown(config, id) : undefined;
  if (mend !== undefined) throw new Refusal(mend);
  {
    using _lock = await acquireLocks([root]);
    releaseOwner(root, owner, Date.now());
  }
  const plan = await makePlan(config, options);
  terminal.progress(undefined);
  const { reclaim } = plan.totals;
  if (args.json) terminal.printJson({ root, released: id, reclaimable: reclaim });
  else {
    showProblems(terminal, plan, false);
    terminal.print(
      visible(
        t(
          "Released {0}: {1} ({2}) can go now. It is held again tomorrow if nobody cleans until then.",
          id,
          countFiles(reclaim.files),
          formatBytes(reclaim.bytes),
        ),
      ),
      terminal.style("dim", t("Clean: offcut clean --job {0}   Take it back: offcut jobs hold {0}", quote(id))),
    );
  }
  return EXIT.done;
}

async function findOwner(context: Context, config: Config, id: string): Promise<Owner> {
  const { owners } = await makePlan(config, planOptions(context));
  context.terminal.progress(undefined);
  const owner = owners.find((one) => one.id === id);
  if (owner) return owner;
  const failed = owners.flatMap((one) => (one.state === "failed" ? one.id : [])).slice(0, 20);
  throw new UsageError(
    failed.length === 0
      ? t('there is no project or job "{0}", and none failed', id)
      : t('there is no project or job "{0}"; those that failed: {1}', id, failed.join(", ")),
  );
}

async function hold({ args, terminal, root }: Context, id: string): Promise<ExitCode> {
  using _lock = await acquireLocks([root]);
  if (!unreleaseOwner(root, id)) throw new UsageError(t("{0} is not released", id));
  if (args.json) terminal.printJson({ root, held: id });
  else terminal.print(visible(t("{0} is held for debugging again.", id)));
  return EXIT.done;
}
