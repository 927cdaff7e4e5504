/** Programs that are run: what their command lines do with files. */
import { filesInFilters } from "./catalogue/filters.ts";
import { valuesAt } from "./entries.ts";
import { type CallContext, runLater } from "./call.ts";
import { written } from "./written.ts";
import type { Entry } from "./catalogue/entry.ts";
import type { FileWord } from "./catalogue/ffmpeg.ts";
import { placesOf } from "./catalogue/place.ts";
import { type ProgramUse, readProgram } from "./catalogue/program.ts";
import { type Piece, readCommand, type Command as SimpleCommand, type Word } from "./catalogue/shell.ts";
import { assemble, make, type Moment, remove, upload, use } from "./effects.ts";
import { unescaped } from "./pathsInText.ts";
import type { Command } from "./summary.ts";
import { elementsOf } from "./members.ts";
import { type Frame, type State, thingOf } from "./frame.ts";
import { atomsOf, combine, joined, NOTHING, text, unionAll, type Value, type Values } from "./value.ts";
import { isHandedIn, normalized } from "./paths.ts";

/** One command of a command line. */
type Line = Pick<SimpleCommand<Values>, "argv" | "redirections">;

export function runCommand(frame: Frame, state: State, context: CallContext, entry: Entry): void {
  if (!handsOver(frame, context, entry)) {
    const alternatives: readonly (readonly Line[])[] =
      entry.shell === undefined
        ? argvOf(frame, context, entry).map((argv) => [{ argv, redirections: [] }])
        : valuesAt(frame, context, entry.shell).map((line) => readCommand(piecesOf(line)));
    runOneOf(frame, state, context.moment, alternatives);
  }
  // `execFile("ffmpeg", args, done)`
  const last = context.args.at(-1) ?? NOTHING;
  for (const value of last) if (value.kind === "function") runLater(frame, state, context, value, "onSuccess");
}

/** Notes a command whose words come from the caller. */
function handsOver(frame: Frame, context: CallContext, entry: Entry): boolean {
  if (frame.scratch) return false;
  const place = entry.shell ?? entry.argv?.find((one) => one.includes("[]"))?.split("|")[0];
  if (place === undefined) return false;
  const shell = entry.shell !== undefined;
  const list = shell ? place : place.slice(0, place.lastIndexOf("[]"));
  const first = entry.argv?.find((one) => !one.includes("[]"));
  const program: Values =
    first === undefined ? (entry.program === undefined ? NOTHING : [text(entry.program)]) : valuesAt(frame, context, first);
  let found = false;
  for (const words of valuesAt(frame, context, list)) {
    if (!needsCaller(frame, words)) continue;
    found = true;
    note(frame, { program, written: writtenAt(frame, context, first), words, shell, step: context.moment.step });
  }
  return found;
}

const MOST_COMMANDS = 20;

function note(frame: Frame, command: Command): void {
  const key = `${command.words.key}|${command.step.file}:${command.step.span.start}`;
  if (frame.commands.size < MOST_COMMANDS || frame.commands.has(key)) frame.commands.set(key, command);
}

function needsCaller(frame: Frame, words: Value, depth = 0): boolean {
  if (words.kind === "symbol" || words.kind === "derived") return isHandedIn(words);
  const thing = thingOf(frame, words);
  if (!thing || depth > 4) return false;
  return [...thing.order.values()].some(
    (item) => item.spread === true && item.values.some((value) => needsCaller(frame, value, depth + 1)),
  );
}

/** A command of a called function, with the words that this one hands in. */
export function applyCommand(frame: Frame, state: State, command: Command, moment: Moment): void {
  if (frame.scratch) return;
  if (needsCaller(frame, command.words)) {
    note(frame, { ...command, step: moment.step });
    return;
  }
  if (command.shell) {
    runLine(frame, state, moment, readCommand(piecesOf(command.words)));
    return;
  }
  const words = wordsOfList(frame, command.words);
  if (!words) return;
  const known = command.program.find((value) => value.kind === "text");
  const program: Word<Values>[] =
    command.program.length === 0
      ? []
      : [[known?.kind === "text" ? { text: known.text } : { value: command.program, written: command.written }]];
  for (const use of readProgram([...program, ...words])) runProgram(frame, state, moment, use);
}

/** One command line, as far as it is known which. What one of them would make is there for the next run, not for another of them. */
function runOneOf(frame: Frame, state: State, moment: Moment, alternatives: readonly (readonly Line[])[]): void {
  const uses = alternatives.flatMap((commands) => commands.flatMap(({ argv }) => readProgram(argv)));
  const isSimple = alternatives.every((commands) => commands.length === 1 && commands[0]?.redirections.length === 0);
  if (alternatives.length > 1 && isSimple && uses.length === alternatives.length && uses.every(({ role }) => role === "assembly")) {
    const { inputs, outputs } = filesOf(uses);
    assemble(frame, state, inputs, outputs, moment);
  } else for (const commands of alternatives) runLine(frame, state, moment, commands);
}

function filesOf(uses: readonly ProgramUse<Values>[]): { readonly inputs: Values; readonly outputs: Values } {
  const distinct = (values: Values): Values => [...new Map(values.map((value) => [value.key, value])).values()];
  return {
    inputs: distinct(uses.flatMap(({ inputs }) => inputs.flatMap((word) => ownOf(fileOf(word))))),
    outputs: distinct(uses.flatMap(({ outputs }) => outputs.flatMap(fileOf))),
  };
}

/** A line as a shell reads it: its commands, and where their output goes. */
function runLine(frame: Frame, state: State, moment: Moment, commands: readonly Line[]): void {
  for (const { argv, redirections } of commands) {
    runProgramOf(frame, state, moment, argv);
    for (const { mode, to } of redirections) {
      const files = fileOf({ word: to });
      if (mode === "read") use(frame, state, files, moment);
      else make(frame, state, files, moment);
    }
  }
}

function writtenAt(frame: Frame, context: CallContext, place: string | undefined): string {
  const [root] = place === undefined ? [] : placesOf(place);
  const operand = root?.root === "argument" ? context.event.args[root.index] : undefined;
  return operand === undefined ? "" : written(frame, operand);
}

function runProgramOf(frame: Frame, state: State, moment: Moment, argv: readonly Word<Values>[]): void {
  const uses = readProgram(argv);
  if (uses.length === 0) frame.obscure.push(moment.step.span);
  for (const one of uses) runProgram(frame, state, moment, one);
}

function runProgram(frame: Frame, state: State, moment: Moment, program: ProgramUse<Values>): void {
  const { inputs, outputs } = filesOf([program]);
  switch (program.role) {
    case "assembly":
      assemble(frame, state, inputs, outputs, moment);
      break;
    case "write":
    case "copy":
      use(frame, state, inputs, moment);
      make(frame, state, outputs, moment);
      break;
    case "consume":
      remove(frame, state, inputs, moment, { recursive: false, caught: true });
      make(frame, state, outputs, moment);
      break;
    case "delete":
      remove(frame, state, inputs, moment, { recursive: program.recursive === true });
      break;
    case "upload":
      upload(frame, state, inputs, moment, { byValue: false, pending: false });
      break;
    default:
      use(frame, state, inputs, moment);
  }
}

/** `music ? join(work, "joined.mp4") : target`, read: what was made here is meant, not what the caller asked for. */
function ownOf(alternatives: Values): Values {
  const own = alternatives.filter((value) => !isHandedIn(value));
  return own.length > 0 ? own : alternatives;
}

function fileOf(file: Pick<FileWord<Values>, "word" | "escaped">): Values {
  const whole = combine(
    file.word.map((piece) => {
      if (piece.text !== undefined) return [text(piece.text)];
      const values = piece.value ?? NOTHING;
      return file.escaped ? values.map(unescaped) : values;
    }),
    (parts) => normalized(joined(parts.flatMap(atomsOf))),
  );
  return unionAll(whole.map((value) => [value]));
}

/** Files that filters of ffmpeg read. */
export function namedByFilters(values: Values): Values {
  return unionAll(values.flatMap((value) => filesInFilters(piecesOf(value)).map((word) => fileOf({ word, escaped: true }))));
}

/** The words of a call with a program and a list of arguments; one line for each list that it may be. */
function argvOf(frame: Frame, context: CallContext, entry: Entry): Word<Values>[][] {
  let lines: Word<Values>[][] = [entry.program === undefined ? [] : [[{ text: entry.program }]]];
  for (const place of entry.argv ?? []) {
    const isList = place.includes("[]");
    const options = isList ? listsAt(frame, context, place) : [wordsFor(frame, context, place)];
    lines = lines.flatMap((line) => options.slice(0, 3).map((words) => [...line, ...words])).slice(0, 6);
  }
  return lines;
}

function wordsFor(frame: Frame, context: CallContext, place: string): Word<Values>[] {
  const values = valuesAt(frame, context, place);
  const name = writtenAt(frame, context, place);
  const program = values.find((value) => value.kind === "text");
  if (program?.kind === "text" && values.length === 1) return [[{ text: program.text }]];
  // Which of several programs it is (`custom ?? "ffmpeg"`) is told by the one that is known.
  return [[program?.kind === "text" ? { text: program.text } : { value: values, ...(name !== "" && { written: name }) }]];
}

function listsAt(frame: Frame, context: CallContext, places: string): Word<Values>[][] {
  return places.split("|").flatMap((place) => {
    const list = place.slice(0, place.lastIndexOf("[]"));
    const values = valuesAt(frame, context, list);
    const known = values.flatMap((value) => {
      const words = wordsOfList(frame, value);
      return words === undefined ? [] : [words];
    });
    return known;
  });
}

/** The items of a list in their order. */
function wordsOfList(frame: Frame, value: Value, depth = 0): Word<Values>[] | undefined {
  const thing = thingOf(frame, value);
  if (!thing) {
    if (value.kind === "symbol" || value.kind === "derived") return [[{ value: elementsOf(frame, value), many: "spread" }]];
    return undefined;
  }
  if (depth > 5) return [];
  if (thing.order.size === 0) return thing.elements.length > 0 ? [[{ value: thing.elements, many: "spread" }]] : [];
  const words: Word<Values>[] = [];
  for (const item of thing.order.values()) {
    if (!item.spread) words.push(wordOf(item.values));
    else {
      const first = item.values.find((one) => thingOf(frame, one) !== undefined && (thingOf(frame, one)?.order.size ?? 0) > 0);
      const inner = first === undefined ? undefined : wordsOfList(frame, first, depth + 1);
      words.push(...(inner ?? [[{ value: unionAll(item.values.map((one) => elementsOf(frame, one))), many: "spread" as const }]]));
    }
  }
  return words;
}

function wordOf(values: Values): Word<Values> {
  const [only] = values;
  if (values.length === 1 && only !== undefined) return piecesOf(only);
  const known = values.find((value) => value.kind === "text" && value.text.startsWith("-"));
  return known?.kind === "text" ? [{ text: known.text }] : [{ value: values }];
}

function piecesOf(value: Value): Piece<Values>[] {
  if (value.kind === "literal") return [{ text: String(value.value) }];
  if (value.kind !== "text" && value.kind !== "joined") return [{ value: [value] }];
  return atomsOf(value).map((part) => (part.kind === "text" ? { text: part.text } : { value: [part], written: part.key }));
}
