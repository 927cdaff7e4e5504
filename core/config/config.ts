/** The configuration as the engine uses it: every default filled in, every path absolute, every unit a number. */
import type { AnalysisSettings } from "../analysis/check.ts";
import type { Problem, Store } from "../model.ts";
import type { Template } from "./template.ts";

/** Built-in layouts, `core/config/presets`. */
export const PRESETS = ["video-generator", "upload-outputs", "job-manifests", "clip-store"] as const;

export interface TemplatedStore extends Store {
  readonly template: Template;
}

export interface StatusTable {
  readonly table: string;
  readonly id: string;
}

export interface DatabaseConfig {
  /** Absolute path. */
  readonly path: string;
  /** As written, for messages. */
  readonly label: string;
  /** Absolute directory that relative paths in the database start from. */
  readonly base: string;
  readonly owners?: string;
  readonly states: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  readonly references: Readonly<Record<string, string>>;
  readonly outputs?: string;
  /** By store: which file was uploaded to which address. */
  readonly uploads: Readonly<Record<string, string>>;
  readonly autoCleanup?: string;
  readonly setAutoCleanup?: string;
  readonly trackStatus?: StatusTable;
}

export interface Brake {
  /** Part of a store, 0 to 1, that a run may take without asking once more (R20). */
  readonly share: number;
  /** Stores with fewer files than this are not measured by their share: half of four files is no alarm. */
  readonly floor: number;
  readonly files: number;
  readonly bytes: number;
}

/** Durations in milliseconds. */
export interface Policy {
  /** 0 means none. */
  readonly retentionMs: number;
  readonly preserveOnFailure: boolean;
  readonly graceMs: number;
  /** 0 means that a run deletes at once. */
  readonly undoMs: number;
  readonly debugModeDisables: boolean;
  readonly brake: Brake;
  /** Whether files are cleaned automatically, where neither the environment nor a database says it. */
  readonly enabled: boolean;
  /** The stores that automatic cleaning may take; absent: all. */
  readonly fileTypes?: readonly string[];
  /** How often the automatic loop looks. */
  readonly everyMs: number;
}

/** Job manifests, as the runtime library writes them. */
export interface JobsConfig {
  /** Absolute path of the directory that holds them. */
  readonly directory: string;
  /** How long a job counts as alive after its last sign of life, milliseconds (R39). */
  readonly leaseMs: number;
}

export interface Config {
  /** Absolute path of the workspace. */
  readonly root: string;
  /** Absolute path of `offcut.json`; absent when there is none. */
  readonly file?: string;
  readonly preset?: string;
  readonly databases: readonly DatabaseConfig[];
  readonly stores: readonly TemplatedStore[];
  readonly jobs: JobsConfig;
  readonly policy: Policy;
  /** What is odd but does not stop the work. */
  readonly problems: readonly Problem[];
  /** Changes when anything above changes. */
  readonly hash: string;
  /** Says what is looked for in source code; no plan depends on it, so the hash leaves it out. */
  readonly analysis: AnalysisSettings;
}

/** The configuration cannot be used. Nothing is scanned, and nothing deleted, until it is mended. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(
      problems.map((problem) => `${problem.source}${problem.line === undefined ? "" : `:${problem.line}`}: ${problem.message}`).join("\n"),
    );
    this.problems = problems;
  }
}

/** All directories that stores start from, each once. */
export function rootsOf(config: Config): readonly string[] {
  return [...new Set([config.root, ...config.stores.map((store) => store.root)])];
}
