/** `offcut jobs forget`: the mend of jobs that only people can judge: damaged, begun without a note, or run where nobody can look. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Config } from "../../core/config/config.ts";
import { isSafeId } from "../../core/config/template.ts";
import { abandonJob, whyUnseen } from "../../core/jobs/abandon.ts";
import { requireDamage } from "../../core/jobs/damage.ts";
import { heartbeatFile, type Moment } from "../../core/jobs/lease.ts";
import { lockManifests, readManifest, setAsideManifest } from "../../core/jobs/manifests.ts";
import { readUnnotedStart, stateOfJob } from "../../core/jobs/owners.ts";
import { uptimeMs } from "../../core/process.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { quote, UsageError } from "../args.ts";
import { type Context, configOf } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { visible } from "../terminal.ts";

const now = (): Moment => ({ wallMs: Date.now(), uptimeMs: uptimeMs() });

/** What to do about a job of which nobody knows whether it runs. Undefined where that is known, or its manifest cannot be read. */
export function mendUnknown({ jobs }: Pick<Config, "jobs">, id: string): string | undefined {
  if (!isSafeId(id)) return undefined;
  if (readUnnotedStart(jobs.directory, id))
    return t(
      "A start that nobody could note keeps the files of its job. Start it again, or, once nobody is at work on it: offcut jobs forget {0}",
      quote(id),
    );
  if (whyUnseen(jobs.directory, id, now()) === undefined) return undefined;
  return t(
    "Whether {0} still runs cannot be seen from here, so its files are kept. Once nobody is at work on it: offcut jobs forget {1}",
    id,
    quote(id),
  );
}

export async function forget(context: Context, id: string): Promise<ExitCode> {
  const config = configOf(context);
  const { directory } = config.jobs;
  if (!isSafeId(id)) return await forgetDamaged(context, config, id);
  if (readUnnotedStart(directory, id)) return await forgetStart(context, config, id);
  const unseen = whyUnseen(directory, id, now());
  return unseen === undefined ? await forgetDamaged(context, config, id) : await forgetUnseen(context, config, { id, unseen });
}

/** Only what nobody can read is set aside: a manifest that can be read is what protects the files of its job. */
async function forgetDamaged(context: Context, { jobs }: Config, id: string): Promise<ExitCode> {
  const { args, terminal, root, signal } = context;
  const { directory } = jobs;
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

/** The machine or the container that ran it may be gone, or only out of sight. */
async function forgetUnseen(context: Context, { jobs }: Config, { id, unseen }: { id: string; unseen: string }): Promise<ExitCode> {
  const { args, terminal, root, signal } = context;
  const problem = t("{0} says that it is running: {1}.", id, unseen);
  const question = t(
    "Is it over? Be sure that its machine or container is gone: then it counts as failed, and what it left can be released. [y/N] ",
  );
  if (!(await confirm(context, problem, question))) return EXIT.done;
  await abandonJob(jobs.directory, id, now, signal);
  if (args.json) terminal.printJson({ root, forgotten: id, state: "failed" });
  else
    terminal.print(
      visible(t("{0} counts as failed now.", id)),
      terminal.style("dim", t("Let go what it left: offcut jobs release {0}", quote(id))),
    );
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

/** Why its manifest may be set aside. Throws unless it is damaged for good. */
function whyUnreadable(directory: string, id: string): string {
  const found = readManifest(directory, id);
  if (!found) throw new UsageError(t('there is no manifest of "{0}" in {1}', id, directory));
  const { manifest, heartbeat } = found;
  const job = manifest && stateOfJob({ manifest, ...(heartbeat && { heartbeat }) }, now());
  if (job?.state === "running") throw new Refusal(t("somebody is at work on {0}: {1}", id, job.lease?.words ?? ""));
  if (job) throw new Refusal(t("the manifest of {0} can be read; clean its files with: offcut clean --job {1}", id, quote(id)));
  return requireDamage(directory, id).message;
}
