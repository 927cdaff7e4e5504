/**
 * AUTO_CLEANUP_ENABLED: the effective value and where it comes from (S0.10, R78).
 *
 * Default (on) ‹ `policy.enabled` ‹ `.env` ‹ `.env.local` ‹ process environment ‹ database ‹ debug mode.
 */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import type { AutoCleanup, Problem } from "../model.ts";
import { type Assignment, findAssignment } from "./dotenv.ts";

export const AUTO_CLEANUP = "AUTO_CLEANUP_ENABLED";
const ENV_FILES = [".env.local", ".env"] as const;
const DEBUG_VARIABLES = ["OFFCUT_DEBUG", "DEBUG"] as const;

export interface AutoInput {
  readonly root: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What a database says, e.g. of `user_preferences.auto_cleanup_enabled`. */
  readonly override?: { readonly value: string; readonly source: string };
  readonly debugModeDisables: boolean;
  /** A database that might override it and cannot be read. */
  readonly unreadable?: string;
  /** `policy.enabled`; true unless it says otherwise. */
  readonly enabled?: boolean;
}

export function resolveAutoCleanup(input: AutoInput): { readonly auto: AutoCleanup; readonly problems: readonly Problem[] } {
  if (input.unreadable !== undefined && !input.override) {
    const message = t("cannot be read, so {0} is not known and automatic cleanup is off", AUTO_CLEANUP);
    const problem: Problem = { severity: "warning", source: input.unreadable, message };
    return { auto: { enabled: false, source: input.unreadable, kind: "database" }, problems: [problem] };
  }
  let written: Written | undefined;
  try {
    written = findWritten(input);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const message = t("cannot be read ({0}), so {1} is not known and automatic cleanup is off; make it readable", error.code, AUTO_CLEANUP);
    return { auto: { enabled: false, source: error.file, kind: "file" }, problems: [{ severity: "warning", source: error.file, message }] };
  }
  const value = written?.value;
  const parsed = value === undefined ? true : parseSwitch(value);
  const problems: Problem[] =
    written && parsed === undefined
      ? [
          {
            severity: "warning",
            source: written.source,
            message: t(
              '{0} is "{1}", which is neither on nor off, so automatic cleanup is off; write true or false',
              AUTO_CLEANUP,
              written.value,
            ),
          },
        ]
      : [];
  const auto: AutoCleanup = written
    ? { enabled: parsed ?? false, source: written.source, kind: written.kind, value: written.value }
    : input.enabled !== false
      ? { enabled: true, source: t("default"), kind: "default" }
      : { enabled: false, source: "policy.enabled", kind: "policy" };
  const debug =
    input.debugModeDisables && auto.enabled
      ? DEBUG_VARIABLES.find((name) => parseSwitch(input.environment[name] ?? "") === true)
      : undefined;
  return { auto: debug === undefined ? auto : { enabled: false, source: t("debug mode ({0})", debug), kind: "debug" }, problems };
}

interface Written {
  readonly value: string;
  readonly source: string;
  readonly kind: "environment" | "file" | "database";
}

function findWritten({ root, environment, override }: AutoInput): Written | undefined {
  if (override) return { value: override.value, source: override.source, kind: "database" };
  const exported = environment[AUTO_CLEANUP];
  if (exported !== undefined) return { value: exported, source: t("environment"), kind: "environment" };
  const found = findInFiles(root);
  return found && { value: found.assignment.value, source: `${found.name}:${found.assignment.line}`, kind: "file" };
}

/** `true 1 yes on` and `false 0 no off` in any case; undefined for anything else. */
export function parseSwitch(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (["true", "1", "yes", "on"].includes(word)) return true;
  return ["false", "0", "no", "off"].includes(word) ? false : undefined;
}

function findInFiles(root: string): { readonly name: string; readonly assignment: Assignment } | undefined {
  for (const name of ENV_FILES) {
    const text = readBytes(root, name);
    const assignment = text === undefined ? undefined : findAssignment(text, AUTO_CLEANUP);
    if (assignment) return { name, assignment };
  }
  return undefined;
}

/** An environment file that is there and cannot be read might say anything. */
class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly file: string;
  readonly code: string;

  constructor(file: string, cause: NodeJS.ErrnoException) {
    super(t("{0} cannot be read ({1}); make it readable", file, cause.code ?? cause.message), { cause });
    this.file = file;
    this.code = cause.code ?? cause.message;
  }
}

/** Latin-1 maps every byte to one character and back, so an edit leaves the rest of the file byte for byte. */
function readBytes(root: string, name: string): string | undefined {
  try {
    return fs.readFileSync(path.join(root, name), "latin1");
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(failure.code ?? "")) return undefined;
    throw new Unreadable(name, failure);
  }
}

export interface AutoEdit {
  /** Name of the changed file, relative to the workspace. */
  readonly file: string;
  readonly line: number;
  readonly before: string;
  readonly after: string;
}

/**
 * Writes the switch where it stands, in the words it is written in, and leaves every other byte alone. Where no file has it, a
 * line is added to `.env.local` if that is there, else to `.env`. The file is replaced at once or not at all.
 */
export function writeAutoCleanup(root: string, enabled: boolean): AutoEdit {
  const found = findInFiles(root);
  const name = found?.name ?? ENV_FILES.find((candidate) => fs.existsSync(path.join(root, candidate))) ?? ".env";
  const file = path.join(root, name);
  const text = readBytes(root, name) ?? "";
  if (found) {
    const { start, value, line } = found.assignment;
    // Blanks inside the quotes stay; bytes above 127 belong to the word.
    const before = value.replaceAll(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
    const at = start + value.indexOf(before);
    const after = inStyleOf(before, enabled);
    replaceFile(file, text.slice(0, at) + after + text.slice(at + before.length));
    return { file: name, line, before, after };
  }
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const lead = text === "" || text.endsWith("\n") ? "" : newline;
  const after = String(enabled);
  replaceFile(file, `${text}${lead}${AUTO_CLEANUP}=${after}${newline}`);
  return { file: name, line: (text + lead).split("\n").length, before: "", after };
}

/** `TRUE` becomes `FALSE`, `yes` becomes `no`, `1` becomes `0`. */
function inStyleOf(old: string, enabled: boolean): string {
  const pairs = [
    ["true", "false"],
    ["1", "0"],
    ["yes", "no"],
    ["on", "off"],
  ] as const;
  const pair = pairs.find((words) => (words as readonly string[]).includes(old.toLowerCase())) ?? pairs[0];
  const word = pair[enabled ? 0 : 1];
  if (old !== "" && old === old.toUpperCase()) return word.toUpperCase();
  return /^[A-Z]/.test(old) ? word[0]!.toUpperCase() + word.slice(1) : word;
}

function replaceFile(file: string, latin1: string): void {
  const target = fs.existsSync(file) ? fs.realpathSync(file) : file;
  const mode = fs.statSync(target, { throwIfNoEntry: false })?.mode ?? 0o644;
  const temporary = `${target}.offcut-${process.pid}`;
  try {
    fs.writeFileSync(temporary, latin1, { encoding: "latin1", mode, flush: true });
    fs.chmodSync(temporary, mode & 0o7777);
    fs.renameSync(temporary, target);
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}
