/** Settings as text, in JSON with comments or in YAML: values and the lines they stand in. */
import { t } from "@vscode/l10n";
import { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode, type ParseError, type ParseErrorCode } from "jsonc-parser";
import type { Problem } from "../model.ts";
import { ConfigError, PRESETS } from "./config.ts";
import { readYaml } from "./yaml.ts";

export interface ConfigDocument {
  /** As shown in messages. */
  readonly label: string;
  readonly value: unknown;
  /** The line, from 1, of the value at a JSON path, or of the nearest enclosing value that exists. */
  lineOf(path: readonly (string | number)[]): number;
}

/** Reads what the label's extension says: `.yaml` and `.yml`, else JSON. Throws a {@link ConfigError} that names the lines of syntax errors. */
export function parseDocument(text: string, label: string): ConfigDocument {
  return /\.ya?ml$/i.test(label) ? parseYaml(text, label) : parseJson(text, label);
}

function parseYaml(text: string, label: string): ConfigDocument {
  const document = readYaml(text, label);
  if (document.value !== null) return document;
  const message = sayEmpty((preset) => `"preset: ${preset}"`);
  throw new ConfigError([{ severity: "error", source: label, line: 1, message }]);
}

function parseJson(text: string, label: string): ConfigDocument {
  const errors: ParseError[] = [];
  const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const tree = parseTree(source, errors, { allowTrailingComma: true });
  const line = (offset: number): number => source.slice(0, offset).split(/\r\n|\r|\n/).length;
  const refuse = (at: number, message: string): Problem => ({ severity: "error", source: label, line: at, message });
  if (!tree && errors.every((error) => printParseErrorCode(error.error) === "ValueExpected"))
    throw new ConfigError([
      refuse(
        1,
        sayEmpty((preset) => `{ "preset": "${preset}" }`),
      ),
    ]);
  const problems = errors.map((error) =>
    refuse(line(error.offset), t("is not valid JSON with comments: {0}", nameSyntaxError(error.error))),
  );
  if (problems.length > 0 || !tree) throw new ConfigError(problems);
  return {
    label,
    value: getNodeValue(tree) as unknown,
    lineOf(path) {
      for (let length = path.length; length >= 0; length--) {
        const node = findNodeAtLocation(tree, path.slice(0, length));
        if (node) return line(node.parent?.type === "property" ? node.parent.offset : node.offset);
      }
      return 1;
    },
  };
}

function sayEmpty(write: (preset: string) => string): string {
  const [usual, ...others] = PRESETS;
  return t("is empty; write {0}, or name the layout {1}", write(usual), others.join(", "));
}

function nameSyntaxError(error: ParseErrorCode): string {
  const code = printParseErrorCode(error);
  switch (code) {
    case "InvalidSymbol":
      return t("invalid symbol");
    case "InvalidNumberFormat":
      return t("invalid number format");
    case "PropertyNameExpected":
      return t("property name expected");
    case "ValueExpected":
      return t("value expected");
    case "ColonExpected":
      return t("colon expected");
    case "CommaExpected":
      return t("comma expected");
    case "CloseBraceExpected":
      return t("close brace expected");
    case "CloseBracketExpected":
      return t("close bracket expected");
    case "EndOfFileExpected":
      return t("end of file expected");
    case "InvalidCommentToken":
      return t("invalid comment token");
    case "UnexpectedEndOfComment":
      return t("unexpected end of comment");
    case "UnexpectedEndOfString":
      return t("unexpected end of string");
    case "UnexpectedEndOfNumber":
      return t("unexpected end of number");
    case "InvalidUnicode":
      return t("invalid unicode");
    case "InvalidEscapeCharacter":
      return t("invalid escape character");
    case "InvalidCharacter":
      return t("invalid character");
    default:
      return code;
  }
}
