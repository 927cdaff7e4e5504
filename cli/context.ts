/** What every command is given. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { DatabaseError } from "../core/catalog/open.ts";
import { MIGRATION, planMigration } from "../core/catalog/write.ts";
import type { Config } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { makePlan, type PlanOptions } from "../core/makePlan.ts";
import type { Plan, Problem } from "../core/model.ts";
import { checkRoot } from "../core/reclaim/guard.ts";
import type { UploadVerifier } from "../core/uploads.ts";
import { countFiles, formatBytes } from "../core/words.ts";
import { type Arguments, UsageError } from "./args.ts";
import type { Terminal } from "./terminal.ts";

export interface Context {
  readonly args: Arguments;
  readonly terminal: Terminal;
  readonly environment: NodeJS.ProcessEnv;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /**
   * Runs work that holds the thread for long. Nobody could hear Ctrl-C until it is over, so meanwhile that ends the process at once,
   * as it does by itself. Only for work that writes nothing.
   */
  readonly stoppable: <T>(work: () => T) => T;
  /** Says otherwise what is told at the first Ctrl-C; undefined: nothing. */
  readonly onStop: (say: () => string | undefined) => void;
  /** Absolute path of the workspace. */
  readonly root: string;
}

/** Throws when the workspace is not there (wrong usage) or is one that must not be touched (R2, R7). */
export function configOf(context: Context): Config {
  if (!fs.existsSync(context.root)) throw new UsageError(t("{0} is not there; give the workspace with --root DIR", context.root));
  checkRoot(context.root);
  return loadConfig(context.root);
}

export function rootOf(args: Arguments): string {
  return path.resolve(args.root ?? process.cwd());
}

/** Loads what asks remote storage, and only where a file could be uploaded to an address that is known: the libraries are large. */
export async function openVerifier(context: Context, config: Config): Promise<UploadVerifier | undefined> {
  const asks = config.stores.some(
    ({ name, role, upload }) =>
      role === "upload" && (upload !== undefined || config.databases.some((database) => database.uploads[name] !== undefined)),
  );
  if (!asks) return undefined;
  const { createUploadVerifier } = await import("../core/remote/verifier.ts");
  return createUploadVerifier({ environment: context.environment });
}

export function planOptions(context: Context, verifier?: UploadVerifier): PlanOptions {
  const { args, terminal } = context;
  return {
    mode: args.has("auto") ? "automatic" : "manual",
    orphans: args.has("orphans"),
    environment: context.environment,
    signal: context.signal,
    selection: { ...(args.projects && { projects: args.projects }), ...(args.stores && { stores: args.stores }) },
    ...(verifier && { verifier }),
    onProgress: ({ phase, files, bytes }) => {
      if (phase === "catalog") terminal.progress(t("Reading the database …"));
      else if (phase === "scan") terminal.progress(t("Looking … {0}, {1}", countFiles(files), formatBytes(bytes)));
      else if (phase === "uploads") terminal.progress(t("Asking the remote storage … {0}", countFiles(files)));
      else terminal.progress(t("Deciding about {0} …", countFiles(files)));
    },
  };
}

/** Makes a plan. A project or store that does not exist is a mistake, not an empty choice. */
export async function planOf(context: Context, config: Config, verifier?: UploadVerifier): Promise<Plan> {
  for (const store of context.args.stores ?? []) {
    if (!config.stores.some((known) => known.name === store))
      throw new UsageError(
        t('there is no store "{0}"; the stores are {1}', store, config.stores.map((known) => known.name).join(", ") || t("none")),
      );
  }
  const plan = await makePlan(config, planOptions(context, verifier));
  context.terminal.progress(undefined);
  for (const project of context.args.projects ?? []) {
    const known = plan.owners.some((owner) => owner.id === project) || plan.items.some((item) => item.owner === project);
    if (!known && plan.problems.every((problem) => problem.severity !== "error"))
      throw new UsageError(
        noOwner(
          project,
          plan.owners.map((owner) => owner.id),
        ),
      );
  }
  return { ...plan, problems: [...plan.problems, ...findUnmigrated(config)] };
}

const NAMED = 20;

/** That nobody has this id, and who is there. */
export function noOwner(id: string, known: readonly string[]): string {
  if (known.length === 0) return t('there is no project or job "{0}"; there are none', id);
  const names = [...known.slice(0, NAMED), ...(known.length > NAMED ? ["…"] : [])];
  return t('there is no project or job "{0}"; there are: {1}', id, names.join(", "));
}

/** Databases whose status is to be tracked (S0.11) before `offcut migrate` made the columns for it. */
export function findUnmigrated(config: Config): Problem[] {
  return config.databases.flatMap((database): Problem[] => {
    try {
      if (!database.trackStatus || planMigration(database, database.trackStatus).statements.length === 0) return [];
    } catch (error) {
      if (error instanceof DatabaseError) return []; // What is wrong with the database is said where it is read.
      throw error;
    }
    const message = t(
      "status tracking is on, but {0} has not run, so there is no column to write the status to; run offcut migrate --yes",
      MIGRATION.name,
    );
    return [{ severity: "warning", source: database.label, message }];
  });
}
