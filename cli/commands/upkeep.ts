/** Looking after the workspace: doctor and migrate. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { DatabaseError, loadSqlite } from "../../core/catalog/open.ts";
import { readContents } from "../../core/catalog/contents.ts";
import { migrate as runMigration, MIGRATION, planMigration } from "../../core/catalog/write.ts";
import { type Config, PRESETS, rootsOf } from "../../core/config/config.ts";
import { checkRoot } from "../../core/reclaim/guard.ts";
import { ensureHome, HOME, Refusal } from "../../core/reclaim/home.ts";
import { acquireLocks, lockHolder } from "../../core/reclaim/lock.ts";
import { compareRecords, readPins } from "../../core/reclaim/records.ts";
import { listRuns, recoverRuns } from "../../core/runs.ts";
import { trackedFiles } from "../../core/scan/git.ts";
import { countFiles, formatBytes } from "../../core/words.ts";
import { UsageError } from "../args.ts";
import { type Check, checkJobs, checkReserve, checkSchedule } from "../checks.ts";
import { type Context, configOf, findUnmigrated } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { findFittingPreset } from "../fittingPreset.ts";
import { visible } from "../terminal.ts";

/** Finishes what a crash left, then looks at everything a cleanup depends on. */
export async function doctor(context: Context): Promise<ExitCode> {
  const { args, terminal, root } = context;
  const config = configOf(context);
  const recovered = await recoverRuns(root);
  const checks = [
    ...recovered.map((one): Check => ({
      name: t("recovery"),
      ok: true,
      message: t(
        "finished {0}: {1} held, {2} kept, {3} gone{4}",
        one.run,
        one.held,
        one.kept,
        one.gone,
        one.damaged ? t("; its journal was damaged and rebuilt from the hold") : "",
      ),
    })),
    ...recovered
      .filter((one) => one.left > 0)
      .map((one): Check => ({
        name: t("recovery"),
        ok: false,
        message: t("{0} in {1} could not be looked after yet: mount the drive, or move what is in the way", countFiles(one.left), one.run),
      })),
    ...(await lookAround(config)),
  ];
  if (args.json) terminal.printJson({ root, checks, recovered });
  else
    for (const check of checks)
      terminal.print(
        `${check.ok ? terminal.style("green", "✓") : terminal.style("red", "✗")} ${visible(`${check.name}: ${check.message}`)}`,
      );
  return checks.every((check) => check.ok) ? EXIT.done : EXIT.failedItems;
}

async function lookAround(config: Config): Promise<Check[]> {
  const checks: Check[] = [
    attempt(t("runtime"), () => t("Node {0}, SQLite {1}", process.versions.node, (loadSqlite() && process.versions["sqlite"]) ?? "")),
  ];
  checks.push({
    name: t("configuration"),
    ok: config.file !== undefined,
    message:
      config.file === undefined
        ? adviseConfig(config.root)
        : t("{0}, {1}", countStores(config.stores.length), countDatabases(config.databases.length)),
  });
  for (const root of rootsOf(config)) {
    checks.push(
      attempt(t("root"), () => {
        checkRoot(root);
        return root;
      }),
    );
  }
  for (const problem of compareRecords(config.root, rootsOf(config), Date.now()).problems)
    checks.push({ name: problem.source, ok: false, message: problem.message });
  for (const database of config.databases) {
    const contents = readContents(database);
    checks.push({
      name: t("database"),
      ok: contents.unavailable === undefined,
      message:
        contents.unavailable ??
        t("{0}: {1}, {2}", database.label, countProjects(contents.owners.length), countOutputs(contents.outputs.length)),
    });
  }
  for (const { source, message } of findUnmigrated(config)) checks.push({ name: source, ok: false, message });
  checks.push(...(await checkJobs(config)));
  const tracked = await trackedFiles(
    config.root,
    config.stores.filter((store) => store.root === config.root).map((store) => store.template.prefix),
  );
  checks.push({
    name: "git",
    ok: tracked.unknown === undefined,
    message:
      tracked.unknown ??
      (tracked.files.size === 1
        ? t("1 file in the stores is tracked, and kept")
        : t("{0} in the stores are tracked, and kept", countFiles(tracked.files.size))),
  });
  checks.push(attempt(t("pins"), () => countPins(readPins(config.root).list.length)));
  const holder = lockHolder(config.root);
  checks.push({ name: t("lock"), ok: true, message: holder === undefined ? t("free") : t("held by {0}", holder) });
  checks.push(checkSchedule(config.root), checkReserve(config.root));
  const runs = listRuns(config.root);
  const held = runs.filter((run) => run.heldFiles > 0);
  const away = runs.filter((run) => run.state === "unreachable");
  checks.push({
    name: t("holds"),
    ok: away.length === 0,
    message:
      away.length > 0
        ? t("{0} out of reach: mount the drive of {1}", away.length, away.map((run) => run.run).join(", "))
        : t(
            "{0} held for undo, {1}",
            countFiles(held.reduce((sum, run) => sum + run.heldFiles, 0)),
            formatBytes(held.reduce((sum, run) => sum + run.heldSpace, 0)),
          ),
  });
  return checks;
}

function adviseConfig(root: string): string {
  const fit = findFittingPreset(root);
  if (fit) {
    const example = `{ "preset": "${fit.preset}" }`;
    return t("there is no offcut.json; what is there ({0}) fits the preset {1}, so write {2}", fit.found.join(", "), fit.preset, example);
  }
  return t("there is no offcut.json; write its stores, or {0} with one of {1}", '{ "preset": "…" }', PRESETS.join(", "));
}

function countStores(count: number): string {
  return count === 1 ? t("1 store") : t("{0} stores", count);
}

function countDatabases(count: number): string {
  return count === 1 ? t("1 database") : t("{0} databases", count);
}

function countProjects(count: number): string {
  return count === 1 ? t("1 project") : t("{0} projects", count);
}

function countOutputs(count: number): string {
  return count === 1 ? t("1 output") : t("{0} outputs", count);
}

function countPins(count: number): string {
  return count === 1 ? t("1 pin") : t("{0} pins", count);
}

function attempt(name: string, act: () => string): Check {
  try {
    return { name, ok: true, message: act() };
  } catch (error) {
    if (!(error instanceof Refusal) && !(error instanceof DatabaseError)) throw error;
    return { name, ok: false, message: error.message };
  }
}

/** Adds the columns of status tracking. Without --yes it only tells what it would do. */
export async function migrate(context: Context): Promise<ExitCode> {
  const { args, terminal, root } = context;
  const config = configOf(context);
  const tracked = config.databases.flatMap((database) => (database.trackStatus ? [{ database, table: database.trackStatus }] : []));
  if (tracked.length === 0)
    throw new UsageError(t('status tracking is off; set "trackStatus": true under "database" in offcut.json first'));
  const dry = args.has("dry-run") || !args.has("yes");
  const stamp = new Date().toISOString().replace(/[-:]/g, "").slice(0, 15);
  const done: object[] = [];
  using _lock = dry ? undefined : await acquireLocks([root]);
  for (const { database, table } of tracked) {
    const planned = planMigration(database, table);
    if (!dry) ensureHome(root);
    const backup = dry ? undefined : runMigration(database, table, path.join(root, HOME, "backups"), stamp);
    done.push({ ...planned, applied: backup !== undefined, ...(backup !== undefined && { backup: path.relative(root, backup) }) });
    if (args.json) continue;
    if (planned.statements.length === 0)
      terminal.print(t("{0}: migration {1} ({2}) is there already; nothing to do.", database.label, MIGRATION.version, MIGRATION.name));
    else
      terminal.print(
        t("{0}: migration {1} ({2})", database.label, MIGRATION.version, MIGRATION.name),
        ...planned.statements.map((statement) => `  ${statement};`),
        ...planned.notes.map((note) => t("  note: {0}", note)),
      );
    if (backup !== undefined)
      terminal.print(t("Done in one transaction. Backup: {0} ({1})", path.relative(root, backup), formatBytes(fs.statSync(backup).size)));
  }
  if (args.json) terminal.printJson({ migrations: done, dryRun: dry });
  else if (dry) terminal.print(t("Nothing was written. Run it with: offcut migrate --yes"));
  return EXIT.done;
}
