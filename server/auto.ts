/** AUTO_CLEANUP_ENABLED: told with its source, and changed where it stands. */
import { t } from "@vscode/l10n";
import { readContents } from "../core/catalog/contents.ts";
import { writeOverride } from "../core/catalog/write.ts";
import { AUTO_CLEANUP, resolveAutoCleanup, writeAutoCleanup } from "../core/config/auto.ts";
import type { Config, DatabaseConfig } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import type { AutoCleanup } from "../core/model.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { pathOf } from "./convert.ts";
import { requireTrust } from "./edge.ts";
import type { AutoAnswer, AutoParams } from "./protocol.ts";
import type { Session } from "./session.ts";

export function switchAuto(session: Session, params: AutoParams): AutoAnswer {
  const root = pathOf(params.folder);
  const config = loadConfig(root);
  const before = readSwitch(session, config);
  const { enabled } = params;
  if (enabled === undefined || enabled === before.auto.enabled) return { auto: before.auto };
  requireTrust(session);
  if (before.auto.kind === "environment")
    throw new Refusal(
      t("{0} is set in the environment that the editor was started from, and wins over .env; change it there.", AUTO_CLEANUP),
    );
  if (before.auto.kind === "debug")
    throw new Refusal(
      t("Automatic cleanup is off because of {0}; unset it, or set policy.debugModeDisables to false.", before.auto.source),
    );
  if (before.database && params.writeDatabase !== true) return { auto: before.auto, askDatabase: before.auto.source };
  const changed = before.database ? writeDatabase(before.database, enabled) : writeFile(root, enabled);
  session.changed(root);
  return { auto: readSwitch(session, config).auto, changed };
}

/** The effective value, and the database when that is what decides. Databases are not opened in an untrusted workspace (R82). */
function readSwitch(session: Session, config: Config): { readonly auto: AutoCleanup; readonly database?: DatabaseConfig } {
  for (const database of session.trusted ? config.databases : []) {
    const { owners: _owners, outputs: _outputs, ...rest } = database;
    const { override } = readContents({ ...rest, references: {} }, { check: false });
    if (override) return { auto: resolve(session, config, override), database };
  }
  return { auto: resolve(session, config) };
}

function resolve(session: Session, config: Config, override?: { readonly value: string; readonly source: string }): AutoCleanup {
  const { environment } = session;
  return resolveAutoCleanup({
    root: config.root,
    environment,
    ...(override && { override }),
    debugModeDisables: config.policy.debugModeDisables,
    enabled: config.policy.enabled,
  }).auto;
}

function writeDatabase(database: DatabaseConfig, enabled: boolean): string {
  writeOverride(database, enabled);
  return t("{0} is {1} now", database.label, enabled ? t("on") : t("off"));
}

function writeFile(root: string, enabled: boolean): string {
  const edit = writeAutoCleanup(root, enabled);
  return t("{0}:{1} says {2}={3} now", edit.file, edit.line, AUTO_CLEANUP, edit.after);
}
