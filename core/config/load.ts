/** Finds `offcut.json`, completes it by its preset, checks it and resolves it. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Problem, Role } from "../model.ts";
import { resolveAnalysis } from "./analysis.ts";
import { type Brake, type Config, ConfigError, type DatabaseConfig, type Policy, type StatusTable, type TemplatedStore } from "./config.ts";
import { type ConfigDocument, parseDocument } from "./document.ts";
import { mergePreset } from "./presets.ts";
import type { ConfigFile, DatabaseFile, StoreFile } from "./schema.ts";
import { parseTemplate, type Template, TemplateError } from "./template.ts";
import { parseDuration, parseSize } from "./units.ts";
import { validate } from "./validate.ts";

export const CONFIG_FILE = "offcut.json";
const OWNER_CAPTURES = ["project", "job", "owner"];

/**
 * Reads the configuration of a workspace. Without an `offcut.json` there are no stores, and a problem says what to write.
 * Throws a {@link ConfigError} that names file, line and mend when the configuration cannot be used.
 */
export function loadConfig(directory: string): Config {
  const root = path.resolve(directory);
  const file = path.join(root, CONFIG_FILE);
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new ConfigError([{ severity: "error", source: CONFIG_FILE, message: t("cannot be read: {0}", (error as Error).message) }]);
    }
    return resolveConfig(root, undefined, parseDocument("{}", CONFIG_FILE), [
      {
        severity: "warning",
        source: CONFIG_FILE,
        message: t(
          'is not there ({0}), so Offcut knows no stores and keeps everything. Write { "preset": "video-generator" } to start.',
          file,
        ),
      },
    ]);
  }
  return resolveConfig(root, file, parseDocument(text, CONFIG_FILE), []);
}

/** The same for a text that may not be saved yet, as an editor has it. Throws a {@link ConfigError}. */
export function parseConfig(directory: string, text: string): Config {
  const root = path.resolve(directory);
  return resolveConfig(root, path.join(root, CONFIG_FILE), parseDocument(text, CONFIG_FILE), []);
}

function resolveConfig(root: string, file: string | undefined, document: ConfigDocument, noticed: readonly Problem[]): Config {
  const merged = mergePreset(document);
  const { value, problems: invalid } = validate(merged, document);
  if (!value) throw new ConfigError(invalid);
  const problems: Problem[] = [];
  const stores = resolveStores(root, value, document, problems);
  const databases = resolveDatabases(root, value, stores, document, problems);
  const policy = resolvePolicy(value.policy ?? {});
  if (problems.some((problem) => problem.severity === "error")) throw new ConfigError(problems);
  const resolved = { preset: value.preset, databases, stores, policy };
  return {
    root,
    ...(file !== undefined && { file }),
    ...(value.preset !== undefined && { preset: value.preset }),
    databases,
    stores,
    policy,
    problems: [...noticed, ...problems],
    hash: createHash("sha256").update(JSON.stringify(resolved)).digest("hex").slice(0, 16),
    analysis: resolveAnalysis(value.analysis),
  };
}

function resolveStores(root: string, value: ConfigFile, document: ConfigDocument, problems: Problem[]): TemplatedStore[] {
  const stores: TemplatedStore[] = [];
  for (const [name, store] of Object.entries(value.stores ?? {})) {
    if (store === false) continue;
    const at = (key: string, severity: Problem["severity"], message: string): void => {
      problems.push({
        severity,
        source: document.label,
        line: document.lineOf(["stores", name, key]),
        message: `stores.${name}.${key}: ${message}`,
      });
    };
    try {
      const template = parseTemplate(store.path);
      const capture = store.owner ?? OWNER_CAPTURES.find((candidate) => template.captures.includes(candidate));
      if (capture !== undefined && !template.captures.includes(capture))
        at("owner", "error", t("the path has no {0}; name one of its placeholders", `{${capture}}`));
      if (capture !== undefined && isAmbiguous(template, capture))
        at(
          "path",
          "warning",
          t(
            "{0} shares a name with another placeholder, so that one file could belong to two projects; give each project a directory of its own",
            `{${capture}}`,
          ),
        );
      checkLimits(store, at);
      stores.push({
        name,
        path: store.path,
        role: store.role,
        root: path.resolve(root, store.root ?? "."),
        ...(capture !== undefined && { ownerCapture: capture }),
        automatic: store.automatic ?? automaticByDefault(store.role),
        template,
      });
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      at("path", "error", error.message);
    }
  }
  return stores;
}

/** `{project}-{n}.mp3`: in `a-b-1.mp3` the project may be `a` or `a-b`. Harmless where another segment names it alone. */
function isAmbiguous(template: Template, capture: string): boolean {
  const naming = template.segments.filter((segment) => segment.captures.includes(capture));
  return naming.every((segment) => segment.captures.length > 1 || segment.wildcard);
}

/** A download costs time and money, so a cache is not emptied by itself unless its owner says so (R33). */
function automaticByDefault(role: Role): boolean {
  return role !== "shared";
}

function checkLimits(store: StoreFile, at: (key: string, severity: Problem["severity"], message: string) => void): void {
  const high = store.maxBytes === undefined ? undefined : parseSize(store.maxBytes);
  const low = store.targetBytes === undefined ? undefined : parseSize(store.targetBytes);
  if (low !== undefined && high === undefined) at("targetBytes", "error", t('has no "maxBytes" to go with it'));
  if (low !== undefined && high !== undefined && low >= high)
    at("targetBytes", "error", t("must be less than maxBytes ({0})", store.maxBytes ?? ""));
  const unused = (["maxAge", "maxBytes", "every"] as const).filter((key) => store[key] !== undefined);
  if (unused.length > 0) at(unused[0]!, "info", t("age and size limits are read but not enforced by this version; the files are kept"));
}

function resolveDatabases(
  root: string,
  value: ConfigFile,
  stores: readonly TemplatedStore[],
  document: ConfigDocument,
  problems: Problem[],
): DatabaseConfig[] {
  const several = Array.isArray(value.database);
  const written = value.database === undefined ? [] : Array.isArray(value.database) ? value.database : [value.database];
  for (const [i, database] of written.entries()) {
    for (const name of Object.keys(database.references ?? {})) {
      if (stores.some((store) => store.name === name) || value.stores?.[name] === false) continue;
      const where = several ? ["database", i, "references", name] : ["database", "references", name];
      problems.push({
        severity: "error",
        source: document.label,
        line: document.lineOf(where),
        message: t(
          'database.references.{0}: there is no store "{0}"; the stores are {1}',
          name,
          stores.map((store) => store.name).join(", ") || t("none"),
        ),
      });
    }
  }
  return written.map((database) => resolveDatabase(root, database));
}

function resolveDatabase(root: string, database: DatabaseFile): DatabaseConfig {
  const { owners, outputs, autoCleanup, setAutoCleanup } = database;
  const trackStatus = statusTable(database.trackStatus);
  return {
    path: path.resolve(root, database.path),
    label: database.path,
    base: path.resolve(root, database.base ?? "."),
    states: { succeeded: database.states?.succeeded ?? [], failed: database.states?.failed ?? [] },
    references: database.references ?? {},
    ...(owners !== undefined && { owners }),
    ...(outputs !== undefined && { outputs }),
    ...(autoCleanup !== undefined && { autoCleanup }),
    ...(setAutoCleanup !== undefined && { setAutoCleanup }),
    ...(trackStatus && { trackStatus }),
  };
}

function statusTable(value: DatabaseFile["trackStatus"]): StatusTable | undefined {
  if (value === undefined || value === false) return undefined;
  return value === true ? { table: "projects", id: "id" } : value;
}

function resolvePolicy(policy: NonNullable<ConfigFile["policy"]>): Policy {
  const duration = (text: string | undefined, fallback: string): number => parseDuration(text ?? fallback) ?? 0;
  const brake: Brake = {
    share: policy.brake?.share ?? 0.5,
    floor: policy.brake?.floor ?? 50,
    files: policy.brake?.files ?? 10_000,
    bytes: parseSize(policy.brake?.bytes ?? "100GB") ?? 0,
  };
  return {
    retentionMs: duration(policy.retention, "0h"),
    preserveOnFailure: policy.preserveOnFailure ?? true,
    graceMs: duration(policy.grace, "1h"),
    undoMs: duration(policy.undo, "24h"),
    debugModeDisables: policy.debugModeDisables ?? true,
    brake,
  };
}
