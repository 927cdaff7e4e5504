/**
 * Settings written in YAML 1.2: values and the lines they stand in. The parser is loaded when the first such file turns up, so that
 * nobody else pays for it; in a bundle it is a file of its own.
 */
import { createRequire } from "node:module";
import { t } from "@vscode/l10n";
import type * as Yaml from "yaml";
import type { Alias, Document, LineCounter, Node, Pair, ParsedNode, YAMLError } from "yaml";
import type { Problem } from "../model.ts";
import { ConfigError } from "./config.ts";
import type { ConfigDocument } from "./document.ts";

/** What YAML 1.1 took for a switch and YAML 1.2 takes for a word: which of the two is meant nobody can tell. */
const SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ["yes", true],
  ["on", true],
  ["no", false],
  ["off", false],
]);

/** A file of some lines has no use for more; a few that double each other would fill the memory. */
const MOST_ALIASES = 100;

/**
 * The value of the one document in `text`: plain data whose keys are strings; null when the text is empty. Throws a
 * {@link ConfigError} that names lines and mends.
 */
export function readYaml(text: string, label: string): ConfigDocument {
  const yaml = loadParser(label);
  const lines = new yaml.LineCounter();
  const documents = yaml.parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    resolveKnownTags: false,
    uniqueKeys: false,
    logLevel: "silent",
  });
  const [document, second] = "empty" in documents ? [] : documents;
  const refuse = (problems: readonly Mistake[]): never => {
    throw new ConfigError(problems.map(({ at, message }): Problem => problemAt(label, lines.linePos(at).line, message)));
  };
  if (!document) return { label, value: null, lineOf: () => 1 };
  // What follows the first syntax error is mostly its consequence.
  const [broken] = document.errors;
  if (broken) refuse([{ at: broken.pos[0], message: t("is not valid YAML: {0}", nameSyntaxError(broken)) }]);
  if (second) refuse([{ at: second.range[0], message: t('a second document starts here ("---"); one file is one document: keep one') }]);
  const mistakes = findMistakes(yaml, document, lines);
  if (mistakes.length > 0) refuse(mistakes);
  return { label, value: valueOf(document, refuse), lineOf: (path) => lines.linePos(offsetOf(yaml, document, path)).line };
}

/** The text with one value set, in quotes; comments and everything else stay. Throws a {@link ConfigError} where the text cannot be read. */
export function setYamlValue(text: string, label: string, path: readonly string[], value: string): string {
  readYaml(text, label);
  const yaml = loadParser(label);
  const document = yaml.parseDocument(text, { resolveKnownTags: false, uniqueKeys: false });
  const there = document.getIn(path, true);
  const scalar = yaml.isScalar(there) ? there : new yaml.Scalar<unknown>(value);
  scalar.value = value;
  scalar.type = yaml.Scalar.QUOTE_DOUBLE;
  try {
    document.setIn(path, scalar);
  } catch {
    throw new ConfigError([problemAt(label, 1, t("{0} is no place for a setting; write a mapping", path.join(".")))]);
  }
  return document.toString({ lineWidth: 0 });
}

interface Mistake {
  /** Where in the text. */
  readonly at: number;
  readonly message: string;
}

function problemAt(source: string, line: number, message: string): Problem {
  return { severity: "error", source, line, message };
}

let parser: typeof Yaml | undefined;

/** From source it is the package, beside a bundle it is a bundle. */
function loadParser(label: string): typeof Yaml {
  const module = import.meta.url.endsWith(".ts") ? "yaml" : "./yaml.cjs";
  try {
    parser ??= createRequire(import.meta.url)(module) as typeof Yaml;
    return parser;
  } catch (error) {
    const [reason = ""] = (error as Error).message.split("\n");
    const message = t("cannot be read, because the YAML parser cannot be loaded ({0}); write JSON instead", reason);
    throw new ConfigError([problemAt(label, 1, message)]);
  }
}

/** What parses but does not mean what it seems to. */
function findMistakes(yaml: typeof Yaml, document: Document.Parsed, lines: LineCounter): readonly Mistake[] {
  const mistakes: Mistake[] = document.warnings.map((warning) => ({
    at: warning.pos[0],
    message: t("has a tag (!…) that is not known here; write the plain value"),
  }));
  const add = (node: Node, message: string): void => void mistakes.push({ at: node.range?.[0] ?? 0, message });
  yaml.visit(document, {
    Map: (_key, map) => checkKeys(yaml, map.items as readonly Pair<ParsedNode>[], lines, add),
    Alias: (_key, alias) => checkAlias(document, alias, add),
    Scalar: (role, scalar) => {
      const plain = scalar.type === "PLAIN" && scalar.tag === undefined && role !== "key";
      const meant = plain && typeof scalar.value === "string" ? SWITCHES.get(scalar.value.toLowerCase()) : undefined;
      if (meant === undefined) return;
      add(scalar, t('"{0}" is a word in YAML 1.2 and no switch; write {1}, or put it into quotes', String(scalar.value), String(meant)));
    },
  });
  return mistakes.sort((a, b) => a.at - b.at);
}

function checkKeys(
  yaml: typeof Yaml,
  pairs: readonly Pair<ParsedNode>[],
  lines: LineCounter,
  add: (node: Node, message: string) => void,
): void {
  const seen = new Map<string, number>();
  for (const { key } of pairs) {
    if (!yaml.isScalar(key) || typeof key.value !== "string") {
      const written = yaml.isScalar(key) && key.value !== null ? key.source : undefined;
      add(
        key,
        written === undefined
          ? t("has a key that is no text; write key: value")
          : t('has the key {0}, which is no text; write "{0}" in quotes', written),
      );
    } else if (key.value === "<<") {
      add(key, t("<< is not supported; write the settings out"));
    } else {
      const first = seen.get(key.value);
      if (first === undefined) seen.set(key.value, key.range[0]);
      else add(key, t('has the key "{0}" twice, first in line {1}; keep one', key.value, lines.linePos(first).line));
    }
  }
}

function checkAlias(document: Document.Parsed, alias: Alias, add: (node: Node, message: string) => void): void {
  const target = alias.resolve(document);
  if (!target) return add(alias, t('"*{0}" has no anchor "&{0}" above it; text that begins with * needs quotes', alias.source));
  const at = alias.range?.[0] ?? 0;
  const [start, end] = target.range ?? [0, 0];
  if (start <= at && at < end) add(alias, t('"*{0}" stands inside of what it repeats; write it out', alias.source));
}

function valueOf(document: Document.Parsed, refuse: (problems: readonly Mistake[]) => never): unknown {
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES }) as unknown;
  } catch {
    return refuse([{ at: 0, message: t("repeats its anchors too often (*name); write the settings out") }]);
  }
}

/** Where the value at a path, or the nearest enclosing one that exists, starts: its key where it has one. */
function offsetOf(yaml: typeof Yaml, document: Document.Parsed, path: readonly (string | number)[]): number {
  let offset = 0;
  let node: unknown = document.contents;
  for (const step of path) {
    if (yaml.isAlias(node)) node = node.resolve(document);
    if (yaml.isMap(node)) {
      const pair = node.items.find(({ key }) => yaml.isScalar(key) && key.value === String(step));
      if (!pair) break;
      offset = (pair.key as ParsedNode).range[0];
      node = pair.value;
    } else {
      const item: unknown = yaml.isSeq(node) ? node.items[Number(step)] : undefined;
      if (!yaml.isNode(item)) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    }
  }
  return offset;
}

function nameSyntaxError({ code, message }: YAMLError): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return t("a tab is no indentation; write spaces");
    case "BAD_INDENT":
      return t("the indentation does not fit, or a bracket is not closed");
    case "UNEXPECTED_TOKEN":
      return t("this does not belong here; text with any of { } [ ] , # needs quotes");
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return t('"key: value" is expected; a ":" may be missing, or text with ": " needs quotes');
    case "BAD_SCALAR_START":
      return t("text that begins with this character needs quotes");
    case "BAD_DQ_ESCAPE":
      return t("there is no such escape; in double quotes a backslash is written twice");
    case "MISSING_CHAR":
      return t("a quote, a bracket, a comma or a space is missing");
    case "RESOURCE_EXHAUSTION":
      return t("it is nested too deeply");
    default:
      return message;
  }
}
