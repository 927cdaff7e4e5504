/** Finds `offcut.json` or `offcut.yaml`, completes it by its preset, checks it and resolves it. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { Problem, Role } from "../model.ts";
import { resolveAnalysis } from "./analysis.ts";
import { resolveLimits, resolveUpload, SHORTEST_ROUND_MS } from "./limits.ts";
import {
  type Brake,
  type Config,
  ConfigError,
  type DatabaseConfig,
  type JobsConfig,
  type Policy,
  type StatusTable,
  type TemplatedStore,
} from "./config.ts";
import { type ConfigDocument, parseDocument } from "./document.ts";
import { findConfigFile } from "./file.ts";
import { mergePreset } from "./presets.ts";
import type { ConfigFile, DatabaseFile } from "./schema.ts";
import { parseTemplate, type Template, TemplateError } from "./template.ts";
import { parseDuration, parseSize } from "./units.ts";
import { validate } from "./validate.ts";

/** Its usual name; `file.ts` has the others. */
const CONFIG_FILE = "offcut.json";
const OWNER_CAPTURES = ["project", "job", "owner"];

/**
 * Reads the configuration of a workspace. Without a file there are no stores, and a problem says what to write.
 * Throws a {@link ConfigError} that names file, line and mend when the configuration cannot be used.
 */
export function loadConfig(directory: string): Config {
  const root = path.resolve(directory);
  const found = findConfigFile(root);
  if (found) return resolveConfig(root, found.file, parseDocument(found.text, found.name), []);
  const preset = fs.existsSync(path.join(root, ".offcut/jobs")) ? "job-manifests" : "video-generator";
  const message = t(
    "is not there ({0}), so Offcut knows no stores and keeps everything. Write {1} to start.",
    path.join(root, CONFIG_FILE),
    `{ "preset": "${preset}" }`,
  );
  return resolveConfig(root, undefined, parseDocument("{}", CONFIG_FILE), [{ severity: "warning", source: CONFIG_FILE, message }]);
}

/** The same for a text that may not be saved yet, as an editor has it, or that was never in a file. Throws a {@link ConfigError}. */
export function parseConfig(directory: string, text: string, name = CONFIG_FILE): Config {
  const root = path.resolve(directory);
  return resolveConfig(root, path.join(root, name), parseDocument(text, name), []);
}

function resolveConfig(root: string, file: string | undefined, document: ConfigDocument, noticed: readonly Problem[]): Config {
  const merged = mergePreset(document);
  const { value, problems: invalid } = validate(merged, document);
  if (!value) throw new ConfigError(invalid);
  const problems: Problem[] = [];
  const stores = resolveStores(root, value, document, problems);
  const databases = resolveDatabases(root, value, stores, document, problems);
  const jobs = resolveJobs(root, value, stores, document, problems);
  const policy = resolvePolicy(value.policy ?? {}, stores, document, problems);
  warnOfRetention(stores, policy, document, problems);
  if (problems.some((problem) => problem.severity === "error")) throw new ConfigError(problems);
  const resolved = { preset: value.preset, databases, stores, jobs, policy };
  return {
    root,
    ...(file !== undefined && { file }),
    ...(value.preset !== undefined && { preset: value.preset }),
    databases,
    stores,
    jobs,
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
      const limits = resolveLimits(store, at);
      const upload = resolveUpload(store, template, at);
      stores.push({
        name,
        path: store.path,
        role: store.role,
        root: path.resolve(root, store.root ?? "."),
        ...(capture !== undefined && { ownerCapture: capture }),
        automatic: store.automatic ?? automaticByDefault(store.role),
        ...limits,
        ...(upload && { upload }),
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

/** A manifest is not inside a tree that it describes (R70). */
function resolveJobs(
  root: string,
  value: ConfigFile,
  stores: readonly TemplatedStore[],
  document: ConfigDocument,
  problems: Problem[],
): JobsConfig {
  const directory = path.resolve(root, value.jobs?.directory ?? ".offcut/jobs");
  // A link that leads into a store is in it.
  const places = [directory, ...(fs.existsSync(directory) ? [fs.realpathSync(directory)] : [])];
  const holder = stores.find((store) => {
    const base = path.join(store.root, store.template.prefix);
    return store.template.prefix !== "" && places.some((place) => place === base || place.startsWith(base + path.sep));
  });
  if (holder)
    problems.push({
      severity: "error",
      source: document.label,
      line: document.lineOf(["jobs", "directory"]),
      message: t('jobs.directory: lies in the store "{0}", whose files the manifests describe; put it outside of every store', holder.name),
    });
  const leaseMs = parseDuration(value.jobs?.lease ?? "2m") ?? 0;
  if (leaseMs === 0) {
    const message = `jobs.lease: ${t('is 0, so that no job would ever count as alive; write "2m"')}`;
    problems.push({ severity: "error", source: document.label, line: document.lineOf(["jobs", "lease"]), message });
  }
  return { directory, leaseMs };
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
    for (const kind of ["references", "uploads"] as const)
      for (const name of Object.keys(database[kind] ?? {})) {
        if (stores.some((store) => store.name === name) || value.stores?.[name] === false) continue;
        const where = several ? ["database", i, kind, name] : ["database", kind, name];
        problems.push({
          severity: "error",
          source: document.label,
          line: document.lineOf(where),
          message: t(
            'database.{0}.{1}: there is no store "{1}"; the stores are {2}',
            kind,
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
    uploads: database.uploads ?? {},
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

/** Retention beats a limit of age; the longer one of the policy is easily forgotten. */
function warnOfRetention(stores: readonly TemplatedStore[], policy: Policy, document: ConfigDocument, problems: Problem[]): void {
  for (const { name, maxAgeMs, retentionMs } of stores) {
    if (maxAgeMs === undefined || retentionMs !== undefined || policy.retentionMs <= maxAgeMs) continue;
    const message = `stores.${name}.maxAge: ${t('is shorter than policy.retention, which decides; give the store a "retention" of its own')}`;
    problems.push({ severity: "warning", source: document.label, line: document.lineOf(["stores", name, "maxAge"]), message });
  }
}

function resolvePolicy(
  policy: NonNullable<ConfigFile["policy"]>,
  stores: readonly TemplatedStore[],
  document: ConfigDocument,
  problems: Problem[],
): Policy {
  const at = (key: string, message: string): void => {
    problems.push({
      severity: "error",
      source: document.label,
      line: document.lineOf(["policy", key]),
      message: `policy.${key}: ${message}`,
    });
  };
  const foreign = policy.fileTypes?.find((name) => !stores.some((store) => store.name === name));
  if (foreign !== undefined)
    at("fileTypes", t('there is no store "{0}"; the stores are {1}', foreign, stores.map((store) => store.name).join(", ") || t("none")));
  const everyMs = parseDuration(policy.every ?? "15m") ?? 0;
  if (everyMs < SHORTEST_ROUND_MS) at("every", t("is less than a second"));
  const duration = (text: string | undefined, fallback: string): number => parseDuration(text ?? fallback) ?? 0;
  const brake: Brake = {
    share: policy.brake?.share ?? 0.5,
    floor: policy.brake?.floor ?? 50,
    files: policy.brake?.files ?? 10_000,
    bytes: parseSize(policy.brake?.bytes ?? "100GB") ?? 0,
  };
  return {
    enabled: policy.enabled ?? true,
    ...(policy.fileTypes && { fileTypes: policy.fileTypes }),
    everyMs,
    retentionMs: duration(policy.retention, "0h"),
    preserveOnFailure: policy.preserveOnFailure ?? true,
    graceMs: duration(policy.grace, "1h"),
    undoMs: duration(policy.undo, "24h"),
    debugModeDisables: policy.debugModeDisables ?? true,
    brake,
  };
}
