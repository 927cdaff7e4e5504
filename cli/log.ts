/** Lines of a command that runs for long: a terminal wants the time of day, a log file the date, the journal of systemd neither. */
import fs from "node:fs";
import type { Terminal } from "./terminal.ts";
import { visible } from "./terminal.ts";

type Level = "info" | "warning" | "error";

export interface Log {
  /** Whether somebody is watching the screen. */
  readonly live: boolean;
  /** `info` goes to stdout, the others to stderr. */
  tell(level: Level, ...lines: readonly string[]): void;
}

/** The journal takes the priority from the beginning of a line (sd-daemon(3)). */
const PRIORITIES: Readonly<Record<Level, string>> = { info: "", warning: "<4>", error: "<3>" };
const COLOURS = { warning: "yellow", error: "red" } as const;

export function createLog(terminal: Terminal, environment: NodeJS.ProcessEnv): Log {
  const live = terminal.columns !== Infinity;
  const journal = leadsToJournal(1, environment) && leadsToJournal(2, environment);
  const stamp = (level: Level): string => {
    if (journal) return PRIORITIES[level];
    const now = new Date();
    return live ? terminal.style("dim", `${now.toTimeString().slice(0, 8)} `) : `${now.toISOString().slice(0, 19)}Z `;
  };
  return {
    live,
    tell(level, ...lines) {
      for (const line of lines) {
        const text = level === "info" ? visible(line) : terminal.style(COLOURS[level], line);
        if (level === "info") terminal.print(stamp(level) + text);
        else terminal.warn(stamp(level) + text);
      }
    },
  };
}

/** `JOURNAL_STREAM` names the socket that a service was given as output; what it starts may have another one. */
function leadsToJournal(descriptor: number, environment: NodeJS.ProcessEnv): boolean {
  const stream = environment["JOURNAL_STREAM"];
  if (!stream) return false;
  try {
    const { dev, ino } = fs.fstatSync(descriptor, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false; // It is closed.
  }
}
