/**
 * Hover on a finding: the way of the file from step to step, what lies on the disk, and where to read more. Editors show the
 * finding's message above it, so that is not repeated.
 */
import os from "node:os";
import path from "node:path";
import { t } from "@vscode/l10n";
import { type Hover, type HoverParams, MarkupKind } from "vscode-languageserver/node";
import type { Finding, RuleId } from "../../core/analysis/finding.ts";
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
    .map((finding) => write(finding, { session, root: folder.root, file: place.file, several: found.length > 1 }))
    .join("\n\n");
  const kind = session.abilities.markdown ? MarkupKind.Markdown : MarkupKind.PlainText;
  return { contents: { kind, value }, range: rangeOf(first.range) };
}

interface Around {
  readonly session: Session;
  readonly root: string;
  /** The file that the hover is in. */
  readonly file: string;
  /** More than one finding is about this place. */
  readonly several: boolean;
}

function writeMarkdown(finding: Finding, { session, root, file, several }: Around): string {
  const { rule, subject } = finding;
  const page = pageOf(session, rule);
  const steps = stepsOf(finding).map(
    (step) => `${escapeMarkdown(step.message)} ([${escapeMarkdown(wordPlace(step, file))}](${linkTo(root, step.file, step.line)}))`,
  );
  const way = `${subject === "" ? "" : `${codeSpan(subject)}: `}${steps.join(" → ")}`;
  const disk = wordDisk(finding);
  return [
    several ? `**${rule}**  \n${way}` : way,
    ...(disk ? [`${codeSpan(disk.where)}: ${escapeMarkdown(disk.what)}`] : []),
    ...(page === undefined ? [] : [`[${escapeMarkdown(t("About this rule"))}](${escapeUri(page)})`]),
  ].join("\n\n");
}

function writePlain(finding: Finding, { file }: Around): string {
  const { rule, subject } = finding;
  const steps = stepsOf(finding).map((step) => `${step.message} (${wordPlace(step, file)})`);
  const disk = wordDisk(finding);
  return [rule, `${subject === "" ? "" : `${subject}: `}${steps.join(" → ")}`, ...(disk ? [`${disk.where}: ${disk.what}`] : [])].join("\n");
}

type Step = Pick<Finding["related"][number], "file" | "line" | "message">;

/** The way of the file, with the call that the finding is about where the way does not name it. */
function stepsOf({ rule, file, range: { start, end }, related }: Finding): readonly Step[] {
  if (related.some((step) => step.file === file && step.line >= start.line && step.line <= end.line)) return related;
  const making = new Set([t("made here"), t("made on the way through here")]);
  const after = related.findIndex((step) => (step.file !== file || step.line > end.line) && !making.has(step.message));
  const place = after === -1 ? related.length : after;
  return [...related.slice(0, place), { file, line: start.line, message: wordCall(rule) }, ...related.slice(place)];
}

/** What the call itself does, where only its place is known. */
function wordCall(rule: RuleId): string {
  if (rule === "missing-cleanup-after-upload") return t("uploaded here");
  return rule === "missing-cleanup-after-assembly" ? t("used by an assembly here") : t("this call");
}

function wordPlace({ file, line }: Step, here: string): string {
  return file === here ? t("line {0}", line) : `${path.posix.basename(file)}:${line}`;
}

/** Holes in a path are read as wildcards. */
function wordDisk({ path: template, onDisk }: Finding): { readonly where: string; readonly what: string } | undefined {
  if (!template || !onDisk || onDisk.files === 0) return undefined;
  const text = template.text.replaceAll("{}", "*");
  const where = template.base === "tmp" ? path.join(os.tmpdir(), text) : template.base === "unknown" ? `…/${text}` : text;
  return { where, what: t("{0}, {1} on disk now", countFiles(onDisk.files), formatBytes(onDisk.bytes)) };
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
