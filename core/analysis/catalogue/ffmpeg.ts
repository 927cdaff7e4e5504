/** Reads the words of an ffmpeg command: which local files it reads and which it writes. */
import { filesInFilters } from "./filters.ts";
import { type Piece, textOf, type Word } from "./shell.ts";

export interface FileWord<T> {
  /** Position among the words that were given. */
  readonly index: number;
  /** The path. The word itself where all of it is the path, else the part of it that is. */
  readonly word: Word<T>;
  /** Stands for many files: `frame_%03d.png`, a prefix of log files. */
  readonly pattern?: true;
  /** Stands within other text: what is special there was replaced. */
  readonly escaped?: true;
}

export interface FfmpegUse<T> {
  readonly inputs: readonly FileWord<T>[];
  readonly outputs: readonly FileWord<T>[];
  /** The file of `-f concat`, which names further inputs; it is among the inputs, too. */
  readonly list?: FileWord<T>;
  /** Words that may be an output or an option: holes outside of quotes, before the last word. */
  readonly unsure: readonly number[];
}

/**
 * The options that stand alone. Every other option of ffmpeg, of its codecs, formats and filters takes a value
 * (https://ffmpeg.org/ffmpeg.html; `no` before a name turns a switch off).
 */
const SWITCHES: ReadonlySet<string> = new Set(
  (
    "y n L version buildconf formats muxers demuxers devices codecs decoders encoders bsfs protocols filters pix_fmts layouts " +
    "sample_fmts dispositions colors hwaccels hide_banner report stdin stats benchmark benchmark_all an vn sn dn copyts start_at_zero " +
    "shortest accurate_seek seek_timestamp autorotate autoscale dump hex re ignore_unknown copy_unknown recast_media xerror bitexact " +
    "intra psnr qphist vstats deinterlace fix_sub_duration find_stream_info debug_ts copyinkf force_fps sameq same_quant " +
    "auto_conversion_filters print_graphs qp_hist nodisp"
  ).split(" "),
);

/** Options whose value is a file that is read. */
const READ: ReadonlySet<string> = new Set([
  "filter_complex_script",
  "filter_script",
  "attach",
  "hls_key_info_file",
  "apre",
  "vpre",
  "fpre",
]);

/** Options whose value is a filter graph. */
const FILTERS: ReadonlySet<string> = new Set(["vf", "af", "filter", "filter_complex", "lavfi"]);

/** Options whose value is a file that is written. */
const WRITTEN: ReadonlySet<string> = new Set([
  "hls_segment_filename",
  "hls_fmp4_init_filename",
  "segment_list",
  "passlogfile",
  "vstats_file",
  "sdp_file",
  "dump_attachment",
  "progress",
]);

/** Formats (`-f`) whose input is a device or is made up, and whose output goes nowhere. */
const NO_FILE =
  /^(?:lavfi|null|sdl2?|opengl|xv|avfoundation|x11grab|kmsgrab|gdigrab|dshow|vfwcap|v4l2|video4linux2|alsa|pulse|oss|jack|sndio|openal|fbdev|decklink|iec61883|libcdio|libdc1394|android_camera|audiotoolbox|chromaprint)$/;

const PROTOCOL = /^(?!file:|concat:|concatf:|subfile|tee:|crypto:|cache:|async:)[a-z][a-z0-9+]+:/i;
const NOWHERE = /^(?:-|nul|\/dev\/.*)$/i;

/** The words after the program's name. `undefined` when they name no file at all (`ffmpeg -version`). */
export function readFfmpeg<T>(words: readonly Word<T>[]): FfmpegUse<T> | undefined {
  const inputs: FileWord<T>[] = [];
  const outputs: FileWord<T>[] = [];
  const unsure: number[] = [];
  let list: FileWord<T> | undefined;
  let format: string | undefined;
  let onlyFiles = false;
  let index = 0;
  const lastWord = words.length - 1;
  while (index <= lastWord) {
    const word = words[index]!;
    const option = onlyFiles ? undefined : optionOf(word);
    if (option === "-") onlyFiles = true;
    else if (option === undefined) {
      if (word[0]?.many === "spread" || (isLoose(word) && hasLater(words, index))) unsure.push(index);
      else outputs.push(...filesOf(index, word, format));
      format = undefined;
    } else if (!isSwitch(option)) {
      index++;
      const value = words[index];
      if (!value) break;
      if (option === "f") format = textOf(value) ?? undefined;
      else if (option === "i") {
        const found = filesOf(index, value, format);
        inputs.push(...found);
        if (format === "concat") list ??= found[0];
        format = undefined;
      } else if (FILTERS.has(option)) inputs.push(...filesInFilters(value).map((one) => ({ index, word: one, escaped: true as const })));
      else if (READ.has(option) || option.startsWith("/")) inputs.push(...filesOf(index, value, undefined));
      else if (WRITTEN.has(option)) outputs.push(...filesOf(index, value, undefined).map((file) => asPattern(file, option)));
    }
    index++;
  }
  if (inputs.length + outputs.length + unsure.length === 0) return undefined;
  return { inputs, outputs, unsure, ...(list && { list }) };
}

/** Name of an option without its dash and stream specifier: `c` of `-c:v:0`; `-` for `--`. */
function optionOf(word: Word<unknown>): string | undefined {
  const start = word[0]?.text;
  if (start === undefined || !/^-./.test(start)) return undefined;
  return start.slice(1).split(":")[0];
}

function isSwitch(option: string): boolean {
  return SWITCHES.has(option) || (option.startsWith("no") && SWITCHES.has(option.slice(2)));
}

function isLoose(word: Word<unknown>): boolean {
  return word.length === 1 && word[0]!.many === "unquoted";
}

/** Whether a word follows that may be the output, so that a loose hole need not be it. */
function hasLater(words: readonly Word<unknown>[], index: number): boolean {
  for (let i = index + 1; i < words.length; i++) {
    const option = optionOf(words[i]!);
    if (option === undefined) return true;
    if (!isSwitch(option)) i++;
  }
  return false;
}

/** The local files that a word names. */
function filesOf<T>(index: number, word: Word<T>, format: string | undefined): FileWord<T>[] {
  if (format !== undefined && NO_FILE.test(format)) return [];
  const start = word[0]?.text ?? "";
  const text = textOf(word);
  if (word.length === 0 || (text !== undefined && NOWHERE.test(text)) || PROTOCOL.test(start)) return [];
  if (format === "tee" || start.startsWith("tee:")) {
    return split(strip(word, /^tee:/), "|").flatMap((slave) => filesOf(index, strip(slave, /^\[[^\]]*\]/), undefined));
  }
  if (/^concatf?:/.test(start)) return split(strip(word, /^concatf?:/), "|").map((one) => ({ index, word: one }));
  const path = /^(?:file|cache|async|crypto):/.test(start) ? strip(word, /^(?:file|cache|async|crypto):(?:\/\/)?/) : word;
  const pattern = path.some((piece) => piece.text !== undefined && /%0?\d*d|%[YmdHMSs]|\*/.test(piece.text));
  return [{ index, word: path, ...(pattern && { pattern: true }) }];
}

function asPattern<T>(file: FileWord<T>, option: string): FileWord<T> {
  return option === "passlogfile" ? { ...file, pattern: true } : file;
}

function strip<T>(word: Word<T>, prefix: RegExp): Word<T> {
  const [first, ...rest] = word;
  if (first?.text === undefined) return word;
  const text = first.text.replace(prefix, "");
  return text === "" ? rest : [{ text }, ...rest];
}

function split<T>(word: Word<T>, separator: string): Word<T>[] {
  const words: Piece<T>[][] = [[]];
  for (const piece of word) {
    if (piece.text === undefined) words.at(-1)!.push(piece);
    else {
      for (const [i, text] of piece.text.split(separator).entries()) {
        if (i > 0) words.push([]);
        if (text !== "") words.at(-1)!.push({ text });
      }
    }
  }
  return words.filter((one) => one.length > 0);
}
