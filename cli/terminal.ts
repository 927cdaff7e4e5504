/** What the terminal shell writes and asks. Results go to stdout, everything about the work to stderr. */
import path from "node:path";
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
  /** One object a line, for a command that goes on. */
  printJsonLine(value: object): void;
  warn(...lines: readonly string[]): void;
  /** One line that changes in place; nothing in a pipe. */
  progress(text: string | undefined): void;
  style(style: Style, text: string): string;
  /** Leads to a `file:` address where the terminal can do that, which is nowhere to be seen; elsewhere only the text. */
  link(text: string, address: string | undefined): string;
  ask(question: string): Promise<string>;
}

const PROGRESS_MS = 100;

/** C0, C1 and DEL, line and paragraph separators, and the marks that reorder text. */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** The same, but for the colours that `style` adds, and the links that `link` does (https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda). */
// oxlint-disable-next-line no-control-regex
const CONTROLS_NOT_OURS = new RegExp(`(\\x1b\\[[0-9;]*m|\\x1b\\]8;;(?:file:[!-~]*)?\\x1b\\\\)|${CONTROLS.source}`, "g");

/** Makes control characters visible: a file's name must not move the cursor, colour a line or pretend to be another line. */
export function visible(text: string): string {
  return text.replace(CONTROLS, escapeControl);
}

function escapeControl(character: string): string {
  const code = character.charCodeAt(0);
  const short = { 9: "\\t", 10: "\\n", 13: "\\r" }[code];
  return short ?? (code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`);
}

/** The last guard: whatever was forgotten on the way here. */
function guard(line: string): string {
  return line.replace(CONTROLS_NOT_OURS, (match: string, ours: string | undefined) => ours ?? escapeControl(match));
}

let dropsBrokenPipes = false;

/**
 * `offcut plan | head -1`: nobody reads on, which is no mishap; nor is a terminal that was closed (EIO). The command goes on, for a
 * cleanup must not stop half-way.
 */
function dropBrokenPipes(): void {
  if (dropsBrokenPipes) return;
  dropsBrokenPipes = true;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (!["EPIPE", "ERR_STREAM_DESTROYED", "EIO"].includes(error.code ?? "")) throw error;
    });
  }
}

export function createTerminal(json: boolean): Terminal {
  const [reads, prints, warns] = [tty.isatty(0), tty.isatty(1), tty.isatty(2)];
  const live = warns && !json;
  // Only a NO_COLOR that is not empty counts (no-color.org).
  const colours = prints && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
  // The console of Linux itself, which is no terminal emulator, would print parts of the address.
  const links = colours && process.env["TERM"] !== "linux";
  dropBrokenPipes();
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
      for (const line of lines) process.stdout.write(`${guard(line)}\n`);
    },
    printJson(value) {
      process.stdout.write(`${JSON.stringify({ schema: 1, ...value }, null, 2)}\n`);
    },
    printJsonLine(value) {
      process.stdout.write(`${JSON.stringify({ schema: 1, ...value })}\n`);
    },
    warn(...lines) {
      erase();
      for (const line of lines) process.stderr.write(`${guard(line)}\n`);
    },
    progress(text) {
      if (!live) return;
      if (text === undefined) return erase();
      if (Date.now() - last < PROGRESS_MS) return;
      last = Date.now();
      process.stderr.write(`\r\x1b[2K${visible(text).slice(0, Math.max(20, (process.stderr.columns ?? 80) - 1))}`);
      shown = true;
    },
    style: (style, text) => (colours ? styleText(style, visible(text), { validateStream: false }) : visible(text)),
    link: (text, address) =>
      links && address !== undefined ? `\x1b]8;;${visible(address)}\x1b\\${visible(text)}\x1b]8;;\x1b\\` : visible(text),
    async ask(question) {
      erase();
      const prompt = readline.createInterface({ input: process.stdin, output: process.stderr });
      try {
        return (await prompt.question(visible(question))).trim();
      } finally {
        prompt.close();
      }
    },
  };
}

/** `warning: offcut.json:12: message`, the way compilers write it. */
export function formatProblem(problem: Problem): string {
  return visible(`${problem.severity === "info" ? "note" : problem.severity}: ${wordProblem(problem)}`);
}

/** `offcut.json:12: message`. What the message names itself, or a long path in it, is told once. */
export function wordProblem({ source, line, message }: Problem): string {
  if (line === undefined && (message.startsWith(`${source} `) || (path.isAbsolute(source) && message.includes(source)))) return message;
  return `${source}${line === undefined ? "" : `:${line}`}: ${message}`;
}

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** Takes what is left of the line. */
  readonly flexible?: boolean;
  /** Never cut or dropped, because it is there to be copied. */
  readonly whole?: boolean;
}

const GAP = 2;
const NARROWEST = 8;

/** Aligned columns; on a terminal no line is wider than it, as far as columns can be cut. In a pipe nothing is cut. */
export function table(terminal: Terminal, columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(visible));
  const widths = fit(
    columns,
    columns.map((column, i) => cells.reduce((width, row) => Math.max(width, row[i]?.length ?? 0), column.title.length)),
    terminal.columns,
  );
  const line = (row: readonly string[]): string =>
    columns
      .flatMap((column, i) => {
        const width = widths[i];
        if (width === undefined) return [];
        const cell = cut(row[i] ?? "", width);
        return [column.align === "right" ? cell.padStart(width) : cell.padEnd(width)];
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  return [terminal.style("dim", line(columns.map((column) => column.title))), ...cells.map(line)];
}

/** The flexible column gives way first, then the widest texts, then whole columns (undefined) from the right. */
function fit(columns: readonly Column[], natural: readonly number[], available: number): readonly (number | undefined)[] {
  const widths: (number | undefined)[] = [...natural];
  const excess = (): number =>
    widths.reduce<number>((sum, width) => (width === undefined ? sum : sum + width + GAP), -GAP) - (available - 1);
  if (excess() <= 0) return widths;
  const flexible = columns.findIndex((column) => column.flexible);
  if (flexible >= 0) {
    const left = (widths[flexible] ?? 0) - excess();
    widths[flexible] = left >= NARROWEST ? left : undefined;
  }
  while (excess() > 0) {
    const texts = columns.flatMap((column, i) => (column.align || column.whole ? [] : [{ i, width: widths[i] ?? 0 }]));
    const widest = texts.sort((a, b) => b.width - a.width)[0];
    if (!widest || widest.width <= NARROWEST) break;
    widths[widest.i] = widest.width - 1;
  }
  for (let i = columns.length - 1; i > 0 && excess() > 0; i--) if (!columns[i]?.whole) widths[i] = undefined;
  return widths;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
