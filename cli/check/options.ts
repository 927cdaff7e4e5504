/** The choices of `offcut check`, checked. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { type RuleId, RULES } from "../../core/analysis/finding.ts";
import { meantRule } from "../../core/analysis/strayIgnores.ts";
import { type Arguments, UsageError } from "../args.ts";
import { isBelow } from "./write.ts";

const FORMATS = ["text", "json", "sarif", "github"] as const;
const SORTS = ["file", "bytes"] as const;

export interface CheckOptions {
  readonly format: (typeof FORMATS)[number];
  readonly sort: (typeof SORTS)[number];
  /** Absent: all of them. */
  readonly rules?: ReadonlySet<RuleId>;
  /** From the root, with `/`. Absent: all of the workspace. */
  readonly paths?: readonly string[];
  readonly maxWarnings: number;
}

/** `root` has no links. Throws a {@link UsageError} that names the mend. */
export function readOptions(args: Arguments, root: string): CheckOptions {
  const rules = rulesOf(args.rules);
  const paths = pathsOf(args.positionals, root);
  return {
    format: formatOf(args),
    sort: oneOf(SORTS, args.sort ?? "file", "--sort"),
    maxWarnings: maxWarningsOf(args.maxWarnings),
    ...(rules && { rules }),
    ...(paths && { paths }),
  };
}

function formatOf({ format, json }: Arguments): CheckOptions["format"] {
  const chosen = oneOf(FORMATS, format ?? (json ? "json" : "text"), "--format");
  if (json && chosen !== "json") throw new UsageError(t("--json and --format {0} don't go together; leave one out", chosen));
  return chosen;
}

function oneOf<T extends string>(choices: readonly T[], value: string, option: string): T {
  const chosen = choices.find((choice) => choice === value);
  if (chosen === undefined) throw new UsageError(t('{0} is one of {1}, not "{2}"', option, choices.join(", "), value));
  return chosen;
}

function maxWarningsOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(t('--max-warnings takes a whole number from 0 on, not "{0}"', text));
  return Number(text);
}

function rulesOf(words: readonly string[] | undefined): ReadonlySet<RuleId> | undefined {
  if (words === undefined) return undefined;
  const names = words
    .flatMap((word) => word.split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) throw new UsageError(t("--rule names no rule; the rules are {0}", RULES.join(", ")));
  return new Set(names.map(ruleOf));
}

/** Throws a {@link UsageError} when there is none of that name. */
function ruleOf(name: string): RuleId {
  const rule = RULES.find((one) => one === name);
  if (rule !== undefined) return rule;
  const meant = meantRule(name);
  throw new UsageError(
    meant === undefined
      ? t('there is no rule "{0}"; the rules are {1}', name, RULES.join(", "))
      : t('there is no rule "{0}"; did you mean "{1}"?', name, meant),
  );
}

/** The rule to be explained, if that is what was asked for instead of a check. */
export function explainedRule({ explain, format, positionals }: Arguments): RuleId | undefined {
  if (explain === undefined) return undefined;
  if (positionals.length > 0) throw new UsageError(t('--explain takes one rule and no paths, so leave out "{0}"', positionals[0] ?? ""));
  if (format !== undefined && format !== "text" && format !== "json")
    throw new UsageError(t("--explain prints text or json; leave out --format {0}", format));
  if (explain.trim() === "") throw new UsageError(t("--explain needs a rule; the rules are {0}", RULES.join(", ")));
  return ruleOf(explain.trim());
}

function pathsOf(words: readonly string[], root: string): readonly string[] | undefined {
  const paths = words.map((word) => pathOf(word, root));
  return paths.length === 0 || paths.includes("") ? undefined : paths;
}

/** A path counts from the working directory, as shells complete it, or else from the root, as Offcut prints it. */
function pathOf(word: string, root: string): string {
  if (word === "") throw new UsageError(t("a path is empty; leave it out to look at all of {0}", root));
  const places = [path.resolve(word), path.resolve(root, word)]
    .filter((place) => fs.existsSync(place))
    .map((place) => fs.realpathSync(place));
  const place = places.find((one) => one === root || isBelow(root, one));
  if (place !== undefined) return path.relative(root, place).split(path.sep).join("/");
  if (places.length === 0) throw new UsageError(t("{0} is not there; give a path from the working directory or from {1}", word, root));
  throw new UsageError(t("{0} is not below {1}; give the workspace that it belongs to with --root DIR", word, root));
}
