/** Hover on a finding: the way of the file, step by step, what lies on the disk, and where to read more. */
import path from "node:path";
import { t } from "@vscode/l10n";
import { type Hover, type HoverParams, MarkupKind } from "vscode-languageserver/node";
import type { Finding } from "../../core/analysis/finding.ts";
import { countFiles, formatBytes } from "../../core/words.ts";
import { uriOf } from "../convert.ts";
import type { Session } from "../session.ts";
import { checkFile, type Checking, placeOf } from "./checking.ts";
import { pageOf, rangeOf } from "./convert.ts";

export async function explainFinding(checking: Checking, params: HoverParams, signal: AbortSignal): Promise<Hover | null> {
  const { textDocument, position } = params;
  const place = placeOf(checking, textDocument.uri);
  if (!place) return null;
  const { folder } = place;
  const { check, config } = await folder.setup;
  if (!check.enable) return null;
  const { session } = checking;
  const found = (await checkFile(checking, place, { signal })).filter((finding) => contains(finding, position));
  const [first] = found;
  if (!first) return null;
  await folder.figures.refresh(found, config, { trusted: session.trusted, signal });
  const write = session.abilities.markdown ? writeMarkdown : writePlain;
  const value = folder.figures
    .apply(found)
    .map((finding) => write(session, folder.root, finding))
    .join(session.abilities.markdown ? "\n\n---\n\n" : "\n\n");
  const kind = session.abilities.markdown ? MarkupKind.Markdown : MarkupKind.PlainText;
  return { contents: { kind, value }, range: rangeOf(first.range) };
}

function writeMarkdown(session: Session, root: string, finding: Finding): string {
  const { rule, subject, onDisk } = finding;
  const page = pageOf(session, rule);
  const steps = stepsOf(finding).map((step, i) => {
    const label = `${path.posix.basename(step.file)}:${step.line}`;
    return `${i + 1}. ${escapeMarkdown(step.message)} — [${escapeMarkdown(label)}](${linkTo(root, step.file, step.line)})`;
  });
  return [
    [`**${rule}**`, ...(subject === "" ? [] : [codeSpan(subject)])].join(" "),
    ...(steps.length > 0 ? [steps.join("\n")] : []),
    ...(onDisk && onDisk.files > 0 ? [escapeMarkdown(wordDisk(onDisk))] : []),
    ...(page === undefined ? [] : [`[${escapeMarkdown(t("About this rule"))}](${escapeUri(page)})`]),
  ].join("\n\n");
}

function writePlain(_session: Session, _root: string, finding: Finding): string {
  const { rule, subject, onDisk } = finding;
  return [
    `${rule}: ${subject}`,
    ...stepsOf(finding).map((step, i) => `${i + 1}. ${step.message} (${step.file}:${step.line})`),
    ...(onDisk && onDisk.files > 0 ? [wordDisk(onDisk)] : []),
  ].join("\n");
}

type Step = Pick<Finding["related"][number], "file" | "line" | "message">;

/** The way of the file, with the call that the finding is about where the way does not name it. */
function stepsOf({ file, range: { start, end }, related }: Finding): readonly Step[] {
  if (related.some((step) => step.file === file && step.line >= start.line && step.line <= end.line)) return related;
  const after = related.findIndex((step) => step.file === file && step.line > end.line);
  const place = after === -1 ? related.length : after;
  return [...related.slice(0, place), { file, line: start.line, message: t("this call") }, ...related.slice(place)];
}

function wordDisk({ files, bytes }: NonNullable<Finding["onDisk"]>): string {
  return t("{0}, {1} on disk now", countFiles(files), formatBytes(bytes));
}

function linkTo(root: string, file: string, line: number): string {
  return `${escapeUri(uriOf(path.join(root, file)))}#L${line}`;
}

/** Names of files and variables come from the code, and none of it may become Markdown. */
function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]()#+\-.!~|<>&$:@]/g, String.raw`\$&`).replaceAll(/\s+/g, " ");
}

function escapeUri(uri: string): string {
  return uri.replaceAll("(", "%28").replaceAll(")", "%29");
}

/** As code, in as many backticks as the text cannot end. */
function codeSpan(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = "`".repeat(longest + 1);
  const inner = text.replaceAll(/\s+/g, " ");
  return longest > 0 ? `${fence} ${inner} ${fence}` : `${fence}${inner}${fence}`;
}

function contains({ range }: Finding, { line, character }: HoverParams["position"]): boolean {
  const { start, end } = rangeOf(range);
  const after = line > start.line || (line === start.line && character >= start.character);
  return after && (line < end.line || (line === end.line && character <= end.character));
}
