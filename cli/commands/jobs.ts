/** `offcut jobs`: what became of each job, and what is done about those that failed or whose manifest is damaged. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Config } from "../../core/config/config.ts";
import type { Manifest } from "../../core/jobs/manifest.ts";
import { heartbeatFile } from "../../core/jobs/lease.ts";
import { readUnnotedStart } from "../../core/jobs/owners.ts";
import { isSafeId } from "../../core/config/template.ts";
import { lockManifests, manifestFile, readManifest, readManifests, setAsideManifest } from "../../core/jobs/manifests.ts";
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
  const detail = words ?? manifest?.job.error ?? lease ?? (kind === "project" ? `${owner.source} = ${owner.status}` : undefined);
  return {
    id,
    kind,
    ...(type !== undefined && { type }),
    state: stateOf(owner),
    held: owner.state === "failed" && owner.released !== true && config.policy.preserveOnFailure,
    unnoted: sign !== undefined,
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
  return [
    ...(one || damaged || unnoted ? [""] : []),
    ...(one
      ? [t("Held for debugging: {0}. Let go: offcut jobs release {1}", formatBytes(bytes), held.length === 1 ? quote(one.id) : "ID")]
      : []),
    ...(damaged
      ? [t("While a manifest cannot be read nothing is cleaned. Restore it, or set it aside: offcut jobs forget {0}", quote(damaged.id))]
      : []),
    ...(unnoted
      ? [
          t(
            "A start that nobody could note keeps the files of its job. Start it again, or, once nobody is at work on it: offcut jobs forget {0}",
            quote(unnoted.id),
          ),
        ]
      : []),
  ];
}

async function release(context: Context, id: string): Promise<ExitCode> {
  const { args, terminal, root } = context;
  const config = configOf(context);
  const options = { ...planOptions(context), selection: { projects: [id] } };
  const owner = await findOwner(context, config, id);
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
  throw new UsageError(t('there is no job or project "{0}"; those that failed are {1}', id, failed.join(", ") || t("none")));
}

async function hold({ args, terminal, root }: Context, id: string): Promise<ExitCode> {
  using _lock = await acquireLocks([root]);
  if (!unreleaseOwner(root, id)) throw new UsageError(t("{0} is not released", id));
  if (args.json) terminal.printJson({ root, held: id });
  else terminal.print(visible(t("{0} is held for debugging again.", id)));
  return EXIT.done;
}

/** Only what nobody can read is set aside: a manifest that can be read is what protects the files of its job. */
async function forget(context: Context, id: string): Promise<ExitCode> {
  const { args, terminal, root, signal } = context;
  const config = configOf(context);
  const { directory } = config.jobs;
  if (isSafeId(id) && readUnnotedStart(directory, id)) return await forgetStart(context, config, id);
  const problem = whyUnreadable(directory, id);
  const question = t("Set it aside? What only it protects is nobody's then: it is kept, and taken by hand only (--orphans). [y/N] ");
  if (!(await confirm(context, problem, question))) return EXIT.done;
  using _lock = await lockManifests(directory, [id], signal);
  whyUnreadable(directory, id);
  const aside = setAsideManifest(directory, id);
  if (args.json) terminal.printJson({ root, forgotten: id, aside: path.relative(root, aside) });
  else terminal.print(visible(t("The manifest of {0} is now {1}; nothing reads it there.", id, path.relative(root, aside))));
  return EXIT.done;
}

/** A process began with the job and is gone, and what it was at nobody noted: then its last sign of life is all that there is. */
async function forgetStart(context: Context, { jobs }: Config, id: string): Promise<ExitCode> {
  const { args, terminal, root, signal } = context;
  const refuseFresh = (): string => {
    const at = readUnnotedStart(jobs.directory, id)?.at;
    const ageMs = at === undefined ? Number.POSITIVE_INFINITY : Date.now() - Date.parse(at);
    if (at === undefined || (ageMs >= 0 && ageMs <= jobs.leaseMs))
      throw new Refusal(t("somebody is at work on {0}: its last sign of life is from {1}", id, at ?? t("just now")));
    return at;
  };
  const problem = t("The start of {0} could not be noted; its last sign of life is from {1}.", id, refuseFresh());
  const question = t(
    "Forget that it was started? Be sure that no process is at work on it: then its files are what they were before. [y/N] ",
  );
  if (!(await confirm(context, problem, question))) return EXIT.done;
  using _lock = await lockManifests(jobs.directory, [id], signal);
  refuseFresh();
  fs.rmSync(heartbeatFile(jobs.directory, id), { force: true });
  if (args.json) terminal.printJson({ root, forgotten: id });
  else terminal.print(visible(t("The start of {0} is forgotten.", id)));
  return EXIT.done;
}

async function confirm({ args, terminal }: Context, problem: string, question: string): Promise<boolean> {
  if (args.has("yes")) return true;
  if (!terminal.interactive) throw new UsageError(t("nobody is there to confirm; add --yes: {0}", problem));
  terminal.warn(visible(problem));
  if (/^y(es)?$/i.test(await terminal.ask(question))) return true;
  terminal.print(t("Nothing was touched."));
  return false;
}

/** Throws unless the manifest is damaged for good: one that can be read, is newer, or may only not be opened is left alone. */
function whyUnreadable(directory: string, id: string): string {
  const found = readManifest(directory, id);
  if (!found) throw new UsageError(t('there is no manifest of "{0}" in {1}', id, directory));
  const { manifest, problem, from } = found;
  if (manifest || !problem)
    throw new Refusal(t("the manifest of {0} can be read; clean its files with: offcut clean --job {1}", id, quote(id)));
  if (from !== "nothing" || !mayRead(manifestFile(directory, id))) throw new Refusal(problem.message);
  return problem.message;
}

function mayRead(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.R_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
