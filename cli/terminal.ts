/** What the terminal shell writes and asks. Results go to stdout, everything about the work to stderr. */
import readline from "node:readline/promises";
import tty from "node:tty";
import { styleText } from "node:util";
import type { Problem } from "../core/model.ts";

type Style = Parameters<typeof styleText>[0];

export interface Terminal {
  readonly json: boolean;
  /** A person is there to read and to answer. */
  readonly interactive: boolean;
  readonly columns: number;
  print(...lines: readonly string[]): void;
  printJson(value: object): void;
  warn(...lines: readonly string[]): void;
  /** One line that changes in place; nothing in a pipe. */
  progress(text: string | undefined): void;
  style(style: Style, text: string): string;
  ask(question: string): Promise<string>;
}

const PROGRESS_MS = 100;

export function createTerminal(json: boolean): Terminal {
  const [reads, prints, warns] = [tty.isatty(0), tty.isatty(1), tty.isatty(2)];
  const live = warns && !json;
  let last = 0;
  let shown = false;
  const erase = (): void => {
    if (shown) process.stderr.write("\r\x1b[2K");
    shown = false;
  };
  return {
    json,
    interactive: reads && warns,
    columns: process.stdout.columns ?? Infinity,
    print(...lines) {
      erase();
      for (const line of lines) process.stdout.write(`${line}\n`);
    },
    printJson(value) {
      process.stdout.write(`${JSON.stringify({ schema: 1, ...value }, null, 2)}\n`);
    },
    warn(...lines) {
      erase();
      for (const line of lines) process.stderr.write(`${line}\n`);
    },
    progress(text) {
      if (!live) return;
      if (text === undefined) return erase();
      if (Date.now() - last < PROGRESS_MS) return;
      last = Date.now();
      process.stderr.write(`\r\x1b[2K${text.slice(0, Math.max(20, (process.stderr.columns ?? 80) - 1))}`);
      shown = true;
    },
    style: (style, text) => (prints && process.env["NO_COLOR"] === undefined ? styleText(style, text, { validateStream: false }) : text),
    async ask(question) {
      erase();
      const prompt = readline.createInterface({ input: process.stdin, output: process.stderr });
      try {
        return (await prompt.question(question)).trim();
      } finally {
        prompt.close();
      }
    },
  };
}

/** `offcut.json:12: message`, the way compilers write it. */
export function formatProblem(problem: Problem): string {
  const where = `${problem.source}${problem.line === undefined ? "" : `:${problem.line}`}`;
  return `${problem.severity === "info" ? "note" : problem.severity}: ${where}: ${problem.message}`;
}

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** Takes what is left of the line. */
  readonly flexible?: boolean;
}

/** Aligned columns; the flexible one is cut to the terminal's width, never in a pipe. */
export function table(terminal: Terminal, columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((column, i) => Math.max(column.title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const flexible = columns.findIndex((column) => column.flexible);
  if (flexible >= 0 && terminal.columns !== Infinity) {
    const others = widths.reduce((sum, width, i) => (i === flexible ? sum : sum + width + 2), 0);
    widths[flexible] = Math.max(20, Math.min(widths[flexible] ?? 0, terminal.columns - others - 1));
  }
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, i) => {
        const cell = cut(cells[i] ?? "", i === flexible ? (widths[i] ?? 0) : Infinity);
        return column.align === "right" ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0);
      })
      .join("  ")
      .trimEnd();
  return [terminal.style("dim", line(columns.map((column) => column.title))), ...rows.map((row) => line(row))];
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
