/** What a command line does with files, whichever program it starts. */
import { TOOLS } from "./catalogue.ts";
import type { Tool } from "./entry.ts";
import { type FfmpegUse, type FileWord, readFfmpeg } from "./ffmpeg.ts";
import { type Command, readCommand, textOf, type Word } from "./shell.ts";

export interface ProgramUse<T> {
  /** Canonical name: `ffmpeg`, `sox`, `rm`. */
  readonly program: string;
  /**
   * `assembly` and `write` make their outputs from their inputs; `upload`, `delete` and `read` are about their inputs; `consume`
   * and `copy` take the inputs to the outputs.
   */
  readonly role: Tool["role"];
  readonly inputs: readonly FileWord<T>[];
  readonly outputs: readonly FileWord<T>[];
  /** See {@link FfmpegUse.list}. */
  readonly list?: FileWord<T>;
  /** `delete`: directories go with all below them. */
  readonly recursive?: true;
}

/** Programs that only start another one, with the options of theirs that take a value. */
const WRAPPERS: ReadonlyMap<string, readonly string[]> = new Map([
  ["sudo", ["-u", "-g"]],
  ["nice", ["-n"]],
  ["ionice", ["-c", "-n"]],
  ["nohup", []],
  ["time", []],
  ["env", ["-u"]],
  ["timeout", ["-s", "-k"]],
  ["xvfb-run", ["-s", "-n"]],
  ["stdbuf", ["-o", "-e", "-i"]],
  ["npx", ["-p", "--package"]],
  ["bunx", []],
  ["exec", []],
  ["command", []],
  ["!", []],
]);

/** Options that hardly another program has beside `-i`: they tell ffmpeg where its name is not known. */
const TELLING =
  /^-(?:y|vf|af|filter_complex|lavfi|map|vcodec|acodec|c:[avs].*|codec:[avs].*|c|crf|preset|pix_fmt|frames:v|vframes|movflags|b:[av]|ss|shortest)$/;

/** The program that a word or the name of a variable stands for: `ffmpegPath`, `/usr/bin/ffmpeg`, `process.env.FFMPEG_BIN`. */
function programOf(text: string): string | undefined {
  const name = text.slice(Math.max(text.lastIndexOf("/"), text.lastIndexOf("\\")) + 1).replace(/\.(?:exe|cmd|bat)$/i, "");
  if (/ffprobe|ffplay/i.test(name)) return "ffprobe";
  if (/ffmpeg/i.test(name)) return "ffmpeg";
  return TOOLS.find((tool) => tool.names.includes(name))?.names[0];
}

/** The words of one command, its program first. A shell's `-c` may make several of one. */
export function readProgram<T>(argv: readonly Word<T>[]): readonly ProgramUse<T>[] {
  const start = startOf(argv);
  const [first, ...words] = argv.slice(start);
  if (!first) return [];
  const text = textOf(first);
  const name = text === undefined ? undefined : baseName(text);
  if (name !== undefined && /^(?:(?:ba|z|da|k)?sh|cmd|powershell|pwsh)$/.test(name)) {
    const at = words.findIndex((word) => /^(?:-\w*c|\/[cC]|-Command)$/.test(textOf(word) ?? ""));
    const script = at < 0 ? undefined : words[at + 1];
    return script ? readCommand(script).flatMap((command: Command<T>) => readProgram(command.argv)) : [];
  }
  const program = programOf(text ?? first.map((piece) => piece.text ?? piece.written ?? "").join(""));
  const shift = start + 1;
  if (program === "ffmpeg" || (program === undefined && text === undefined && looksLikeFfmpeg(first, words))) {
    const use = readFfmpeg(words);
    return use ? [fromFfmpeg(use, shift)] : [];
  }
  const tool = TOOLS.find((tool) => tool.names[0] === program && hasSubcommand(tool, words));
  return tool ? [readTool(tool, words, shift)] : [];
}

function looksLikeFfmpeg(program: Word<unknown>, words: readonly Word<unknown>[]): boolean {
  if (program.some((piece) => /ffprobe|ffplay/i.test(piece.written ?? ""))) return false;
  const texts = words.map((word) => textOf(word) ?? "");
  return texts.includes("-i") && texts.some((text) => TELLING.test(text));
}

/** Skips assignments, the shell's keywords and programs that start others. */
function startOf(argv: readonly Word<unknown>[]): number {
  let at = 0;
  for (;;) {
    const text = argv[at] && (argv[at]![0]?.text ?? "");
    if (text === undefined) return at;
    const name = baseName(text);
    const valued = WRAPPERS.get(name);
    if (/^\w+=/.test(text) || /^(?:if|then|else|do|while|until|\{)$/.test(name)) at++;
    else if (valued) at = skipOptions(argv, at + 1, valued, name);
    else return at;
  }
}

function skipOptions(argv: readonly Word<unknown>[], from: number, valued: readonly string[], name: string): number {
  let at = from;
  for (;;) {
    const text = argv[at] && textOf(argv[at]!);
    if (text === undefined || !text.startsWith("-")) break;
    at += valued.includes(text) ? 2 : 1;
  }
  // `timeout 30 ffmpeg …`
  return name === "timeout" ? at + 1 : at;
}

function baseName(text: string): string {
  return text.slice(text.lastIndexOf("/") + 1);
}

function fromFfmpeg<T>({ inputs, outputs, list }: FfmpegUse<T>, shift: number): ProgramUse<T> {
  const moved = (file: FileWord<T>): FileWord<T> => ({ ...file, index: file.index + shift });
  return {
    program: "ffmpeg",
    role: "assembly",
    inputs: inputs.map(moved),
    outputs: outputs.map(moved),
    ...(list && { list: moved(list) }),
  };
}

function hasSubcommand(tool: Tool, words: readonly Word<unknown>[]): boolean {
  const names = tool.subcommand?.split(" ") ?? [];
  return names.every((name, i) => textOf(words[i] ?? []) === name);
}

function readTool<T>(tool: Tool, words: readonly Word<T>[], shift: number): ProgramUse<T> {
  const inputs: FileWord<T>[] = [];
  const outputs: FileWord<T>[] = [];
  const plain: FileWord<T>[] = [];
  let recursive = tool.recursive === undefined ? false : tool.recursive.length === 0;
  const skipped = tool.subcommand?.split(" ").length ?? 0;
  for (let at = skipped; at < words.length; at++) {
    const word = words[at]!;
    const text = word[0]?.text ?? "";
    const glued = [...(tool.outputs ?? []), ...(tool.inputs ?? [])].find((option) => option.endsWith("=") && text.startsWith(option));
    if (tool.marked?.includes(text)) {
      const path = words[at + 1] && afterMark(words[at + 1]!);
      at++;
      if (path) inputs.push({ index: at + shift, word: path });
    } else if (glued !== undefined) {
      const rest = text.slice(glued.length);
      const file = { index: at + shift, word: rest === "" ? word.slice(1) : [{ text: rest }, ...word.slice(1)] };
      (tool.outputs?.includes(glued) ? outputs : inputs).push(file);
    } else if (tool.outputs?.includes(text) || tool.inputs?.includes(text)) {
      at++;
      if (words[at]) (tool.outputs?.includes(text) ? outputs : inputs).push({ index: at + shift, word: words[at]! });
    } else if (tool.valued?.includes(text)) at++;
    else if (/^-./.test(text)) recursive ||= tool.recursive?.some((option) => isOption(option, text)) ?? false;
    else if (word.length > 0 && text !== "-") plain.push({ index: at + shift, word });
  }
  const positional = tool.positional ?? "none";
  if (positional === "inputs") inputs.push(...plain);
  else if (positional === "remote") inputs.push(...sent(plain));
  else if (positional === "outputs") outputs.push(...plain);
  else if (positional === "last" && plain.length > 0) {
    inputs.push(...plain.slice(0, -1));
    outputs.push(plain.at(-1)!);
  }
  return { program: tool.names[0]!, role: tool.role, inputs: local(inputs), outputs: local(outputs), ...(recursive && { recursive }) };
}

/** `@path`, `name=@path`. */
function afterMark<T>(word: Word<T>): Word<T> | undefined {
  const [first, ...rest] = word;
  const mark = /^(?:[\w.[\]-]+=)?@/.exec(first?.text ?? "");
  if (!mark || first?.text === undefined) return undefined;
  const text = first.text.slice(mark[0].length);
  return text === "" ? rest : [{ text }, ...rest];
}

/** The local files among the words before the last, if the last is not a local path itself. */
function sent<T>(plain: readonly FileWord<T>[]): readonly FileWord<T>[] {
  const target = plain.at(-1);
  if (!target || !isRemote(target)) return [];
  return plain.slice(0, -1);
}

/** Leaves out what is on another machine or in no file: `s3://bucket/key`, `host:path`, `/dev/null`. */
function local<T>(files: readonly FileWord<T>[]): FileWord<T>[] {
  return files.filter((file) => !isRemote(file) && !(file.word[0]?.text ?? "").startsWith("/dev/"));
}

function isRemote({ word }: FileWord<unknown>): boolean {
  const [first, ...rest] = word;
  return /^(?:[a-z][a-z0-9+.-]+:|[\w.-]+@)/i.test(first?.text ?? "") || rest.some((piece) => piece.text?.startsWith(":"));
}

/** `-r` is in `-rf`. */
function isOption(option: string, text: string): boolean {
  if (option === text) return true;
  return /^-\w$/.test(option) && /^-\w+$/.test(text) && text.includes(option[1]!);
}
