/**
 * What `offcut watch --once` has said. Cron mails whatever is said, and each round is a process of its own: what stays as it was is
 * said once a day, not every 15 minutes.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import { ensureHome, homeOf, readState, Refusal, STATE_SCHEMA, writeState } from "../core/reclaim/home.ts";

interface ToldFile {
  readonly schema: number;
  /** When something was said, ISO 8601, UTC, by the hash of what. */
  readonly told: Readonly<Record<string, string>>;
}

const AGAIN_MS = 24 * 3_600_000;

export interface Memory {
  /** Whether it has to be said: it was not so in the round before, or was said a day ago. Who asks says it. */
  isNews(words: string): boolean;
  /** Keeps what this round asked about, and forgets the rest: what comes back is news again. */
  save(): void;
}

export function recallTold(root: string, nowMs: number): Memory {
  const before = load(root);
  const now: Record<string, string> = {};
  return {
    isNews(words) {
      const key = createHash("sha256").update(withoutFigures(words)).digest("hex").slice(0, 16);
      const age = nowMs - Date.parse(before[key] ?? "");
      // A time in the future is that of a clock that was wrong.
      const news = !(age >= 0 && age < AGAIN_MS);
      now[key] = news ? new Date(nowMs).toISOString() : (before[key] ?? "");
      return news;
    },
    save() {
      try {
        ensureHome(root);
        writeState<ToldFile>(fileOf(root), { schema: STATE_SCHEMA, told: now });
      } catch (error) {
        // It is said again the next time.
        if (!(error instanceof Refusal) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
      }
    },
  };
}

/** Sizes, counts and ages change from round to round; every other number tells one thing from another. */
function withoutFigures(words: string): string {
  return words
    .replaceAll(/\b\d[\d.,]* [KMGT]?B\b/g, "#")
    .replaceAll(/\b\d+ of \d+ files\b/g, "# files")
    .replaceAll(/\b\d+ (files?|uploads?|s|min|h|d)\b/g, "# $1");
}

function fileOf(root: string): string {
  return path.join(homeOf(root), "told.json");
}

function load(root: string): ToldFile["told"] {
  try {
    const told = readState<ToldFile>(fileOf(root))?.told;
    return typeof told === "object" && told !== null ? told : {};
  } catch (error) {
    if (!(error instanceof Refusal) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return {};
  }
}
