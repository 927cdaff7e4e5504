/** The configuration that a class of the runtime works with: that of the root, changed by what its caller said. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { type Config, ConfigError, type TemplatedStore } from "../core/config/config.ts";
import { findConfigFile } from "../core/config/file.ts";
import { loadConfig, parseConfig } from "../core/config/load.ts";
import { isSafeId, type Segment } from "../core/config/template.ts";
import type { Problem } from "../core/model.ts";
import { checkRoot } from "../core/reclaim/guard.ts";
import { Refusal } from "../core/reclaim/home.ts";
import { readPins } from "../core/reclaim/records.ts";
import { type Layout, LAYOUT } from "./layout.ts";
import type { PolicyValues } from "./policyValues.ts";

const HOUR = 3_600_000;

/** Without a configuration file the stores are those of the layout: whoever starts jobs has said where their files are. */
export function configOf(root: string, layout: Layout): Config {
  if (findConfigFile(root)) return loadConfig(root);
  const { file: _file, ...config } = parseConfig(
    root,
    JSON.stringify(layout === LAYOUT ? { preset: "job-manifests" } : settingsOf(layout)),
  );
  return config;
}

function settingsOf(layout: Layout): object {
  const temporary = layout.temporary.map((kind) => [kind, { path: `${layout.jobs}/{job}/${kind}/`, role: "temp" }]);
  const finals = Object.entries(layout.finals).map(([kind, directory]) => [kind, { path: `${directory}/`, role: "final" }]);
  return { stores: Object.fromEntries([...temporary, ...finals]), policy: { retention: "24h" } };
}

/** Where the configuration and the layout of jobs do not go together: files that nothing would ever clean, finals that could go. */
export function layoutProblems(config: Config, layout: Layout): readonly string[] {
  const storesOf = (directory: string, orBelow: boolean): readonly TemplatedStore[] =>
    config.stores.filter((store) => isIn(store, path.join(config.root, directory), orBelow));
  const unclean = layout.temporary.flatMap((kind) => {
    const directory = `${layout.jobs}/{job}/${kind}`;
    if (storesOf(`${layout.jobs}/job/${kind}`, true).length > 0) return [];
    return [t("no store has the files in {0}, so they are never cleaned; give them a store with the role temp", `${directory}/`)];
  });
  const unsafe = Object.values(layout.finals).flatMap((directory) => {
    const stores = storesOf(directory, false);
    const store = stores.some((one) => one.role === "final") ? undefined : stores[0];
    if (!store) return [];
    return [
      t(
        'finals of jobs lie in {0}, where the store "{1}" has the role {2}; give them a store with the role final',
        `${directory}/`,
        store.name,
        store.role,
      ),
    ];
  });
  return [...unclean, ...unsafe, ...unknownKinds(config)];
}

/** A kind that is written wrong is never cleaned, which nobody would notice. */
function unknownKinds({ policy, stores }: Pick<Config, "policy" | "stores">): readonly string[] {
  const kinds = stores.map((store) => store.name);
  const foreign = policy.fileTypes?.filter((kind) => !kinds.includes(kind)) ?? [];
  return foreign.map((kind) => t('the cleanup policy names the kind "{0}", which there is not; the kinds are {1}', kind, kinds.join(", ")));
}

export interface PolicyChange extends Partial<PolicyValues> {
  /** Files stay at least that long, whatever the policy says. */
  readonly leastHours?: number;
}

/** The policy of the caller in place of that of the file. */
export function withPolicy(config: Config, change: PolicyChange): Config {
  const { enabled, retentionHours, fileTypesToClean, preserveOnFailure, debugModeDisables, leastHours = 0 } = change;
  const { fileTypes: _fileTypes, ...kept } = config.policy;
  const fileTypes = "fileTypesToClean" in change ? fileTypesToClean : config.policy.fileTypes;
  const least = (ms: number): number => Math.max(ms, leastHours * HOUR);
  const policy = {
    ...kept,
    ...(fileTypes !== undefined && { fileTypes }),
    enabled: enabled ?? kept.enabled,
    retentionMs: least(retentionHours === undefined ? kept.retentionMs : retentionHours * HOUR),
    preserveOnFailure: preserveOnFailure ?? kept.preserveOnFailure,
    debugModeDisables: debugModeDisables ?? kept.debugModeDisables,
  };
  const stores = config.stores.map((store) =>
    store.retentionMs === undefined ? store : { ...store, retentionMs: least(Math.max(store.retentionMs, (retentionHours ?? 0) * HOUR)) },
  );
  const problems = unknownKinds({ policy, stores }).map((message): Problem => ({ severity: "warning", source: t("policy"), message }));
  return rehash({ ...config, policy, stores, problems: [...config.problems, ...problems] });
}

/** Whether everything of a job that ended just now has to stay for a while, so that there is nothing to look for. */
export function isRetained(config: Config): boolean {
  return config.stores.every((store) => store.role === "final" || (store.retentionMs ?? config.policy.retentionMs) > 0);
}

/** Looks only at the directories of one owner, where a store has one for each. Verdicts stay what they are. */
export function narrowTo(config: Config, owner: string): Config {
  // What is no id never is in a path as one, and a pattern made of it could match what no template does.
  if (!isSafeId(owner)) return config;
  const exactly = new RegExp(`^(${owner.replaceAll(".", "\\.")})$`);
  const narrowed = new Set(narrowable(config.stores));
  const narrow = (store: TemplatedStore): TemplatedStore => {
    const own = ownSegment(store);
    const segments = store.template.segments.map((segment, i): Segment => (i === own ? { ...segment, pattern: exactly } : segment));
    return { ...store, template: { ...store.template, segments } };
  };
  return rehash({ ...config, stores: config.stores.map((store) => (narrowed.has(store) ? narrow(store) : store)) }, owner);
}

/**
 * The stores of which a part can be looked at alone. Not those with a limit, which is a matter of all of its files; nor those with a
 * directory in which another store, looked at as a whole or by another name of it, would be given files that are theirs.
 */
function narrowable(stores: readonly TemplatedStore[]): readonly TemplatedStore[] {
  let found = stores.filter((store) => store.maxBytes === undefined && ownSegment(store) !== -1);
  for (;;) {
    const fit = found.filter((store) =>
      stores.every((other) => !areNested(store, other) || (found.includes(other) && depthOf(store) === depthOf(other))),
    );
    if (fit.length === found.length) return fit;
    found = fit;
  }
}

/** Which of its segments is the owner and nothing else; -1 when there is none. */
function ownSegment({ template, ownerCapture }: TemplatedStore): number {
  return ownerCapture === undefined ? -1 : template.segments.findIndex(({ source }) => source === `{${ownerCapture}}`);
}

/** Where in an absolute path the owner is. */
function depthOf(store: TemplatedStore): number {
  return store.root.split(path.sep).filter(Boolean).length + ownSegment(store);
}

function areNested(a: TemplatedStore, b: TemplatedStore): boolean {
  const [one, other] = [a, b].map(({ root, template }) => path.join(root, template.prefix, path.sep)) as [string, string];
  return one.startsWith(other) || other.startsWith(one);
}

export interface ClipLimits {
  /** Absolute path of the directory that holds the clips. */
  readonly directory: string;
  readonly maxAge: string;
  readonly maxBytes: string;
  readonly targetBytes: string;
  readonly every: string;
}

/**
 * The configuration of one directory of clips. What the root's own file says of databases stays in force, and the limits are the
 * caller's. With `clips` only those are looked at, and they may go whatever their age, because their maker says so.
 */
export function clipConfig(
  root: string,
  limits: ClipLimits,
  clips?: readonly string[],
): { readonly config: Config; readonly store: string } {
  checkPlaces(root, limits.directory);
  const prefix = path.relative(root, limits.directory).split(path.sep).join("/");
  const own = findConfigFile(root) ? loadConfig(root) : undefined;
  const same = own?.stores.find((store) => path.join(store.root, store.template.prefix) === limits.directory && store.role === "clip");
  const name = same?.name ?? "clips";
  const { maxAge, maxBytes, targetBytes, every } = limits;
  const stores = clips
    ? clips.map((clip) => [`${name}:${clip}`, { path: `${prefix}/${clip}.mp4`, role: "temp", grace: "0s" }])
    : [[name, { path: `${prefix}/{clip}.mp4`, role: "clip", maxAge, maxBytes, targetBytes, every }]];
  // No brake: the limits themselves say what goes, and a file that its maker names is no surprise.
  const brake = { share: 1, files: Number.MAX_SAFE_INTEGER, bytes: "8000TB" };
  const settings = { stores: Object.fromEntries(stores), policy: { undo: "0s", retention: "0s", brake } };
  const { file: _file, ...config } = parseConfig(root, JSON.stringify(settings));
  // Invariant: the directory is taken as it is written, whatever templates may be able to say some day (R8).
  if (config.stores.some((store) => store.template.prefix !== prefix))
    throw new Refusal(t("the directory {0} stands for others, too", prefix));
  if (!own) return { config, store: name };
  // What another store has other rules for is none of the clips' business: finals stay, uploads want a proof.
  const clash = own.stores.find((one) => one.role !== "clip" && mayMatchIn(one, limits.directory));
  if (clash) {
    const message = t(
      'the store "{0}" ({1}) has files in {2}, too; give the clips a directory of their own',
      clash.name,
      clash.role,
      prefix,
    );
    throw new ConfigError([{ severity: "error", source: own.file ?? root, message }]);
  }
  if (readPins(root).list.some((pin) => pin.kind === "store" && pin.value === name))
    throw new ConfigError([{ severity: "error", source: own.file ?? root, message: t('the store "{0}" is pinned', name) }]);
  const policy = { ...config.policy, enabled: own.policy.enabled, debugModeDisables: own.policy.debugModeDisables };
  return { config: rehash({ ...config, databases: own.databases, jobs: own.jobs, policy }), store: name };
}

/** Throws a {@link Refusal} that says what to write instead, where nothing in the directory could ever be cleaned (R1, R2). */
function checkPlaces(root: string, directory: string): void {
  try {
    checkRoot(root);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(t('{0}. The option "root" names it: the clips have to be below it, in {1}', error.message, directory));
  }
  const real = realPathOf(directory);
  if (real !== undefined && real !== path.join(fs.realpathSync(root), path.relative(root, directory)))
    throw new Refusal(t("{0} leads through a link, and links are not followed; let the clips have the directory {1}", directory, real));
}

function realPathOf(directory: string): string | undefined {
  try {
    return fs.realpathSync(directory);
  } catch {
    return undefined; // It is not there, or cannot be looked at: the scan says so.
  }
}

/** Whether a store could have a file `*.mp4` in this directory. */
function mayMatchIn(store: TemplatedStore, directory: string): boolean {
  const last = store.template.segments.at(-1)?.source ?? "";
  return isIn(store, directory) && (store.template.deep || last.endsWith(".mp4") || last.endsWith("}") || last.endsWith("*"));
}

/** Whether a store has files in this directory; with `orBelow` also whether it has some in directories of it. */
function isIn({ root, template }: TemplatedStore, directory: string, orBelow = false): boolean {
  const relative = path.relative(root, directory);
  if (relative === "" || relative.startsWith("..") || path.isAbsolute(relative)) return false;
  const names = relative.split(path.sep);
  const { segments, deep } = template;
  const directories = deep ? segments : segments.slice(0, -1);
  if (!orBelow && directories.length > names.length) return false;
  if (!deep && directories.length < names.length) return false;
  return directories.every(
    ({ literal, pattern }, i) => i >= names.length || literal === names[i] || (literal === undefined && pattern.test(names[i] ?? "")),
  );
}

/** A plan is good for the configuration that it was made with, and for no other one (R16). */
function rehash(config: Config, more = ""): Config {
  const { hash, policy, databases, jobs, stores } = config;
  const limits = stores.map(({ name, retentionMs }) => [name, retentionMs]);
  const text = JSON.stringify([hash, policy, databases, jobs, limits, more]);
  return { ...config, hash: createHash("sha256").update(text).digest("hex").slice(0, 16) };
}
