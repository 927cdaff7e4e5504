/** "Ignore rule in this workspace": a line in `offcut.json` or `offcut.yaml`, beside whatever stands there. */
import fs from "node:fs";
import { t } from "@vscode/l10n";
import { createScanner, findNodeAtLocation, type Node as JsonNode, parseTree } from "jsonc-parser";
import {
  type CreateFile,
  LSPErrorCodes,
  ResponseError,
  type TextDocumentEdit,
  type TextEdit as LspTextEdit,
  type WorkspaceEdit,
} from "vscode-languageserver/node";
import type { RuleId } from "../../core/analysis/finding.ts";
import { ConfigError } from "../../core/config/config.ts";
import { configFileOf } from "../../core/config/file.ts";
import { setYamlValue } from "../../core/config/yaml.ts";
import { uriOf } from "../convert.ts";
import type { Session } from "../session.ts";
import { positionOf } from "./pieces.ts";

export function silenceRule(
  session: Session,
  root: string,
  rule: RuleId,
  textOf: (uri: string) => string | undefined,
  versionOf: (uri: string) => number | undefined,
): WorkspaceEdit | undefined {
  const { file, name } = configFileOf(root);
  const uri = uriOf(file);
  const found = textOf(uri) ?? read(file);
  const { createFiles, documentChanges } = session.abilities;
  if (found === undefined && !createFiles) return undefined;
  const edits =
    found === undefined || found.trim() === ""
      ? [everything(found ?? "", name, rule)]
      : isYaml(name)
        ? [yamlEdit(found, name, rule)]
        : editsOf(found, name, rule);
  if (!documentChanges) return { changes: { [uri]: edits } };
  const change: TextDocumentEdit = { textDocument: { uri, version: versionOf(uri) ?? null }, edits };
  const create: CreateFile = { kind: "create", uri, options: { ignoreIfExists: true } };
  return { documentChanges: found === undefined ? [create, change] : [change] };
}

function isYaml(name: string): boolean {
  return !name.endsWith(".json");
}

function everything(text: string, name: string, rule: RuleId): LspTextEdit {
  if (isYaml(name)) return replaceAll(text, `analysis:\n  rules:\n    ${rule}: "off"\n`);
  return replaceAll(text, `${JSON.stringify({ analysis: { rules: { [rule]: "off" } } }, null, 2)}\n`);
}

function replaceAll(text: string, newText: string): LspTextEdit {
  return { range: { start: { line: 0, character: 0 }, end: positionIn(text, text.length) }, newText };
}

function yamlEdit(text: string, name: string, rule: RuleId): LspTextEdit {
  try {
    return replaceAll(text, setYamlValue(text, name, ["analysis", "rules", rule], "off"));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw unreadable(name);
  }
}

function unreadable(name: string): ResponseError {
  return new ResponseError(LSPErrorCodes.RequestFailed, t("{0} cannot be read; mend it first", name));
}

/** Nothing but the new text moves, so that comments stay where they are. */
function editsOf(text: string, name: string, rule: RuleId): LspTextEdit[] {
  // The file may begin with a byte order mark, which the parser does not know.
  const skipped = text.startsWith("\uFEFF") ? 1 : 0;
  const source = text.slice(skipped);
  const edits = setProperty(source, parseTree(source, [], { allowTrailingComma: true }), ["analysis", "rules", rule], "off");
  if (!edits) throw unreadable(name);
  return edits.map(({ offset, length = 0, newText }) => ({
    range: { start: positionIn(text, skipped + offset), end: positionIn(text, skipped + offset + length) },
    newText,
  }));
}

interface Replacement {
  readonly offset: number;
  readonly length?: number;
  readonly newText: string;
}

/** Nothing where something on the way is no object. */
function setProperty(
  source: string,
  object: JsonNode | undefined,
  way: readonly string[],
  value: string,
): readonly Replacement[] | undefined {
  const [name = "", ...rest] = way;
  if (object?.type !== "object") return undefined;
  const found = findNodeAtLocation(object, [name]);
  if (found && rest.length > 0) return setProperty(source, found, rest, value);
  if (found) return [{ offset: found.offset, length: found.length, newText: JSON.stringify(value) }];
  return addProperty(
    source,
    object,
    name,
    rest.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
  );
}

function addProperty(source: string, object: JsonNode, name: string, value: unknown): readonly Replacement[] {
  const close = object.offset + object.length - 1;
  const last = object.children?.at(-1);
  const lastEnd = last ? last.offset + last.length : object.offset + 1;
  const comma: readonly Replacement[] = last && !hasComma(source, lastEnd) ? [{ offset: lastEnd, newText: "," }] : [];
  const inside = source.slice(object.offset, close);
  if (!/[\r\n]/.test(inside) && (last || object.parent)) {
    const text = `${JSON.stringify(name)}: ${JSON.stringify(value)}`;
    return last ? [{ offset: lastEnd, newText: `${comma.length > 0 ? "," : ""} ${text}` }] : [{ offset: close, newText: ` ${text} ` }];
  }
  const lineEnd = source.includes("\r\n") ? "\r\n" : "\n";
  const outer = /[^\S\r\n]*/.exec(source.slice(source.lastIndexOf("\n", object.offset) + 1))?.[0] ?? "";
  const unit = /\n(\s+)\S/.exec(source)?.[1]?.includes("\t") ? "\t" : "  ";
  const body = JSON.stringify(value, null, unit).replaceAll("\n", `${lineEnd}${outer}${unit}`);
  // After the last thing inside, be it a comment.
  const end = object.offset + inside.trimEnd().length;
  const closing = /[\r\n]/.test(source.slice(end, close)) ? "" : `${lineEnd}${outer}`;
  const added = { offset: end, newText: `${lineEnd}${outer}${unit}${JSON.stringify(name)}: ${body}${closing}` };
  return end === lastEnd && comma.length > 0 ? [{ ...added, newText: `,${added.newText}` }] : [...comma, added];
}

function hasComma(source: string, from: number): boolean {
  const scanner = createScanner(source, true);
  scanner.setPosition(from);
  scanner.scan();
  return source[scanner.getTokenOffset()] === ",";
}

interface Point {
  readonly line: number;
  readonly character: number;
}

function positionIn(text: string, offset: number): Point {
  const { line, column } = positionOf(text, offset);
  return { line: line - 1, character: column - 1 };
}

function read(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
