/** Call sites for a view, and the link between them and the files on the disk. */
import fs from "node:fs";
import path from "node:path";
import { filesOf, makersOf } from "../../core/analysis/disk.ts";
import type { CallSite, Finding, Position, Severity } from "../../core/analysis/finding.ts";
import { t } from "@vscode/l10n";
import { countFiles } from "../../core/words.ts";
import { pathOf, uriOf } from "../convert.ts";
import type { Work } from "../edge.ts";
import type {
  CallSitesAnswer,
  CallSitesParams,
  FilesOfAnswer,
  FilesOfParams,
  MakersOfAnswer,
  MakersOfParams,
  SiteSummary,
} from "../protocol.ts";
import { checkFolder, type Checking, type Folder, folderOf } from "./checking.ts";
import { groupByFile, rangeOf } from "./convert.ts";
import type { Checked } from "./messages.ts";

/** Whoever asks where a file comes from asks for what writes it first. */
const MAKING: readonly CallSite["kind"][] = ["write", "assembly", "upload"];

/** A quick pick with more than this helps nobody. */
const MOST_FILES = 1000;

export async function listCallSites(checking: Checking, params: CallSitesParams, work: Work): Promise<CallSitesAnswer> {
  const folder = folderOf(checking, pathOf(params.folder));
  const checked = await checkAll(checking, folder, work, params.background === true);
  folder.shown = true;
  if (!checked) return { sites: [], findings: 0, files: 0 };
  return { sites: summarise(folder, checked.sites, checked.findings), findings: checked.findings.length, files: checked.files };
}

async function checkAll(checking: Checking, folder: Folder, { signal, progress }: Work, background: boolean): Promise<Checked | undefined> {
  const { check, config } = await folder.setup;
  if (!check.enable) return undefined;
  progress.begin(t("Checking the code"), 0, undefined, true);
  try {
    const checked = await checkFolder(checking, folder, {
      signal,
      background,
      onProgress: ({ done, total }) =>
        progress.report(total === 0 ? 100 : Math.floor((done / total) * 100), t("{0} of {1}", done, countFiles(total))),
    });
    await folder.figures.refresh(checked.findings, config, { trusted: checking.session.trusted, signal });
    return { ...checked, findings: folder.figures.apply(checked.findings) };
  } finally {
    progress.done();
  }
}

export async function listFilesOf(checking: Checking, { folder: uri, paths }: FilesOfParams, { signal }: Work): Promise<FilesOfAnswer> {
  const { session } = checking;
  const folder = folderOf(checking, pathOf(uri));
  const { config } = await folder.setup;
  const found = new Map<string, number>();
  let total = 0;
  for (const template of paths) {
    const options = { stores: config.stores, limit: MOST_FILES, signal, ...(!session.trusted && { outside: false }) };
    const { paths: names, files } = await filesOf(folder.root, template, options);
    total += files - names.filter((name) => found.has(name)).length;
    for (const name of names) found.set(name, fs.statSync(name, { throwIfNoEntry: false })?.size ?? 0);
  }
  const files = [...found].sort((a, b) => b[1] - a[1]).slice(0, MOST_FILES);
  return { files: files.map(([name, bytes]) => ({ uri: uriOf(name), path: shorten(folder.root, name), bytes })), total };
}

export async function listMakersOf(checking: Checking, { folder: uri, file }: MakersOfParams, work: Work): Promise<MakersOfAnswer> {
  const folder = folderOf(checking, pathOf(uri));
  const checked = await checkAll(checking, folder, work, false);
  if (!checked) return [];
  const relative = path.relative(folder.root, pathOf(file)).split(path.sep).join("/");
  const makers = makersOf(checked.sites, relative, folder.root).toSorted((a, b) => MAKING.indexOf(a.kind) - MAKING.indexOf(b.kind));
  return summarise(folder, makers, checked.findings);
}

function summarise(folder: Folder, sites: readonly CallSite[], findings: readonly Finding[]): readonly SiteSummary[] {
  const byFile = groupByFile(findings);
  return sites.map((site) => {
    const { kind, file, range, callee, paths } = site;
    const finding = findingOf(site, byFile.get(file) ?? []);
    const state = finding ? "found" : site.state === "found" ? "unknown" : site.state;
    const uri = uriOf(path.join(folder.root, file));
    return { kind, uri, file, range: rangeOf(range), callee, paths, state, ...(finding && { finding: describe(finding) }) };
  });
}

const WORST_FIRST: readonly Severity[] = ["error", "warning", "information", "hint"];

/**
 * The worst finding about the call itself. Of an upload or an assembly also one about its cleanup, which has the call on its way;
 * a remark about that does not make the call faulty.
 */
function findingOf({ kind, range, file }: CallSite, findings: readonly Finding[]): Finding | undefined {
  const own = findings.filter((finding) => overlap(finding, range));
  const others = findings.filter(
    ({ severity, related }) =>
      kind !== "write" &&
      (severity === "error" || severity === "warning") &&
      related.some((step) => step.file === file && isSame(step.range.start, range.start)),
  );
  return [...own, ...others].toSorted((a, b) => WORST_FIRST.indexOf(a.severity) - WORST_FIRST.indexOf(b.severity))[0];
}

function isSame(a: Position, b: Position): boolean {
  return a.line === b.line && a.column === b.column;
}

function describe({ rule, severity, message, onDisk }: Finding): NonNullable<SiteSummary["finding"]> {
  return { rule, severity, message, ...(onDisk && { files: onDisk.files, bytes: onDisk.bytes }) };
}

function overlap({ range: a }: Finding, b: CallSite["range"]): boolean {
  const before = (x: { line: number; column: number }, y: { line: number; column: number }): boolean =>
    x.line < y.line || (x.line === y.line && x.column <= y.column);
  return before(a.start, b.end) && before(b.start, a.end);
}

/** From the workspace where it lies in there. */
function shorten(root: string, file: string): string {
  const relative = path.relative(root, file);
  return relative.startsWith("..") || path.isAbsolute(relative) ? file : relative.split(path.sep).join("/");
}
