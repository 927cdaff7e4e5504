/** The command line: which command, with which options. */
import { parseArgs } from "node:util";
import { t } from "@vscode/l10n";

/** Wrong usage: exit code 2, with a hint where to read on. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const OPTIONS = {
  json: { type: "boolean" },
  root: { type: "string" },
  project: { type: "string", multiple: true },
  job: { type: "string", multiple: true },
  store: { type: "string", multiple: true },
  path: { type: "string", multiple: true },
  why: { type: "boolean" },
  all: { type: "boolean" },
  "dry-run": { type: "boolean" },
  plan: { type: "string" },
  yes: { type: "boolean", short: "y" },
  orphans: { type: "boolean" },
  auto: { type: "boolean" },
  permanently: { type: "boolean" },
  expired: { type: "boolean" },
  remove: { type: "boolean" },
  note: { type: "string" },
  "exit-code": { type: "boolean" },
  format: { type: "string" },
  rule: { type: "string", multiple: true },
  explain: { type: "string" },
  sort: { type: "string" },
  "max-warnings": { type: "string" },
  fix: { type: "boolean" },
  baseline: { type: "string" },
  "update-baseline": { type: "boolean" },
  once: { type: "boolean" },
  every: { type: "string" },
  verbose: { type: "boolean" },
  stdio: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

export type OptionName = keyof typeof OPTIONS;

export interface Arguments {
  readonly command: string;
  readonly positionals: readonly string[];
  readonly json: boolean;
  readonly root?: string;
  /** Of `--project` and `--job`: to a plan both are owners. */
  readonly projects?: readonly string[];
  readonly stores?: readonly string[];
  readonly paths?: readonly string[];
  readonly plan?: string;
  readonly note?: string;
  readonly format?: string;
  readonly rules?: readonly string[];
  readonly explain?: string;
  readonly sort?: string;
  readonly maxWarnings?: string;
  readonly baseline?: string;
  readonly every?: string;
  /** Whether a switch was given. */
  has(option: OptionName): boolean;
}

/** Which options each command understands beside `--root`, `--json` and `--help`. */
export const COMMANDS: Readonly<Record<string, { readonly options: readonly OptionName[]; readonly positionals: number }>> = {
  scan: { options: ["project", "job", "store", "why"], positionals: 0 },
  plan: { options: ["project", "job", "store", "why", "all", "orphans", "auto", "exit-code"], positionals: 0 },
  clean: {
    options: ["project", "job", "store", "why", "all", "orphans", "auto", "dry-run", "plan", "yes", "permanently", "exit-code"],
    positionals: 0,
  },
  undo: { options: ["path"], positionals: 1 },
  purge: { options: ["expired", "yes"], positionals: 1 },
  history: { options: ["all"], positionals: 1 },
  watch: { options: ["once", "every", "verbose"], positionals: 0 },
  jobs: { options: ["yes"], positionals: 2 },
  pin: { options: ["project", "job", "store", "remove", "note"], positionals: 1 },
  auto: { options: ["yes"], positionals: 1 },
  migrate: { options: ["yes", "dry-run"], positionals: 0 },
  doctor: { options: [], positionals: 0 },
  check: { options: ["format", "rule", "sort", "max-warnings", "fix", "baseline", "update-baseline", "explain"], positionals: Infinity },
  lsp: { options: ["stdio"], positionals: 0 },
};

export function parseCommandLine(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv);
  const [command = "", ...rest] = positionals;
  if (values.help || values.version || command === "" || command === "help") {
    return toArguments(
      { ...values, help: values.help === true || values.version !== true },
      command === "help" ? (rest[0] ?? "") : command,
      [],
    );
  }
  const known = COMMANDS[command];
  if (!known) throw new UsageError(t('there is no command "{0}"; the commands are {1}', command, Object.keys(COMMANDS).join(", ")));
  if (rest.length > known.positionals)
    throw new UsageError(t('"offcut {0}" does not take "{1}"; see offcut {0} --help', command, rest[known.positionals] ?? ""));
  for (const option of Object.keys(values) as OptionName[]) {
    if (["root", "json", "help", "version"].includes(option) || known.options.includes(option)) continue;
    throw new UsageError(t('"offcut {0}" has no option --{1}; see offcut {0} --help', command, option));
  }
  return toArguments(values, command, rest);
}

/** Whether JSON is wanted, also of a command line that cannot be understood otherwise. */
export function wantsJson(argv: readonly string[]): boolean {
  return argv.some((word, i) => word === "--json" || word === "--format=json" || (word === "json" && argv[i - 1] === "--format"));
}

type Values = ReturnType<typeof parse>["values"];

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(explainParsing(error as NodeJS.ErrnoException, argv));
  }
}

/** Node explains its parser; what helps here is the help of the command. */
function explainParsing(error: NodeJS.ErrnoException, argv: readonly string[]): string {
  const command = argv.find((word) => COMMANDS[word] !== undefined);
  const help = command === undefined ? "offcut --help" : `offcut ${command} --help`;
  if (error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const option = /'(-[^']*)'/.exec(error.message)?.[1] ?? "";
    return t("there is no option {0}; see {1}", option, help);
  }
  const name = /--([a-z-]+)/.exec(error.message)?.[1];
  if (error.code !== "ERR_PARSE_ARGS_INVALID_OPTION_VALUE" || name === undefined) return error.message;
  return OPTIONS[name as OptionName]?.type === "string"
    ? t("--{0} needs a value; see {1}", name, help)
    : t("--{0} takes no value; see {1}", name, help);
}

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** A word as the user's shell takes it. @internal */
export function quote(word: string, platform: NodeJS.Platform = process.platform): string {
  if (PLAIN_WORD.test(word)) return word;
  return platform === "win32" ? `"${word.replaceAll('"', '\\"')}"` : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The choices of a command line, to be given again: what a plan depends on, and how it is to be cleaned. */
export function repeatChoices(args: Arguments): string {
  const words = [
    ...(args.root === undefined ? [] : ["--root", quote(args.root)]),
    ...(args.projects ?? []).flatMap((project) => ["--project", quote(project)]),
    ...(args.stores ?? []).flatMap((store) => ["--store", quote(store)]),
    ...(["orphans", "auto", "permanently"] as const).filter((name) => args.has(name)).map((name) => `--${name}`),
  ];
  return words.map((word) => ` ${word}`).join("");
}

function toArguments(values: Values, command: string, positionals: readonly string[]): Arguments {
  const { root, project, job, store, path, plan, note, format, rule, explain, sort, baseline, every, "max-warnings": maxWarnings } = values;
  for (const [name, list] of Object.entries({ project, job, store, path, rule })) {
    if (list?.some((value) => value.trim() === "")) throw new UsageError(t("--{0} is empty; an empty choice chooses nothing", name));
  }
  return {
    command,
    positionals,
    json: values.json ?? false,
    ...(root !== undefined && { root }),
    ...((project ?? job) && { projects: [...(project ?? []), ...(job ?? [])] }),
    ...(store && { stores: store }),
    ...(path && { paths: path }),
    ...(plan !== undefined && { plan }),
    ...(note !== undefined && { note }),
    ...(format !== undefined && { format }),
    ...(rule && { rules: rule }),
    ...(explain !== undefined && { explain }),
    ...(sort !== undefined && { sort }),
    ...(maxWarnings !== undefined && { maxWarnings }),
    ...(baseline !== undefined && { baseline }),
    ...(every !== undefined && { every }),
    has: (option) => values[option] === true,
  };
}
