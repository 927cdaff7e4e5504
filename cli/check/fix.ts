/** `--fix`: applies fixes, looks again, and goes on until nothing changes. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { applyEdits, collide, lineEndOf } from "../../core/analysis/applyEdits.ts";
import type { Analysis, CheckResult } from "../../core/analysis/check.ts";
import type { Finding, Fix, TextEdit } from "../../core/analysis/finding.ts";
import type { Problem } from "../../core/model.ts";
import { type Fixed, preferredFix } from "./report.ts";
import { type Change, isBelow, readSource, type Source, Unwritable, writeChanges } from "./write.ts";

/** A fix may make room for another one that stood in its way. */
const ROUNDS = 5;

export interface FixOptions {
  /** Absolute path without links. */
  readonly root: string;
  readonly analysis: Pick<Analysis, "setText" | "changed" | "fixes">;
  readonly signal: AbortSignal;
  readonly check: () => CheckResult;
  /** The findings that are to be mended. */
  readonly choose: (result: CheckResult) => readonly Finding[];
}

export interface FixOutcome {
  readonly result: CheckResult;
  readonly fixed: readonly Fixed[];
  /** Files that were left alone, and why. */
  readonly problems: readonly Problem[];
}

/** Once the signal is aborted no further round begins; a round that has begun is written as a whole. */
export async function fixFindings(options: FixOptions): Promise<FixOutcome> {
  const { analysis, signal, choose } = options;
  const fixed: Fixed[] = [];
  const problems: Problem[] = [];
  const refused = new Set<string>();
  /** What a fix did not clear is not fixed again. */
  const stuck = new Set<string>();
  let result = options.check();
  for (let round = 0; round < ROUNDS; round++) {
    await new Promise(setImmediate); // Lets Ctrl-C be heard.
    if (signal.aborted) break;
    const before = choose(result);
    const candidates = before.filter((finding) => !stuck.has(keyOf(finding)) && !refused.has(finding.file));
    const proposal = propose(options, candidates, refused, problems);
    if (proposal.accepted.length === 0) break;
    const written = write(options.root, proposal, refused, problems);
    for (const file of proposal.sources.keys()) analysis.setText(file, undefined);
    analysis.changed([...proposal.sources.keys()]);
    result = options.check();
    const left = countKeys(choose(result));
    const hoped = countKeys(before);
    for (const { finding } of written) hoped.set(keyOf(finding), (hoped.get(keyOf(finding)) ?? 0) - 1);
    const failed = written.filter(({ finding }) => (left.get(keyOf(finding)) ?? 0) > (hoped.get(keyOf(finding)) ?? 0));
    for (const { finding } of failed) stuck.add(keyOf(finding));
    fixed.push(...written.filter((one) => !failed.includes(one)));
    // The texts changed and the findings became no fewer: going on would only change more.
    if (written.length > 0 && choose(result).length >= before.length) break;
  }
  return { result, fixed, problems };
}

function countKeys(findings: readonly Finding[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const finding of findings) counts.set(keyOf(finding), (counts.get(keyOf(finding)) ?? 0) + 1);
  return counts;
}

interface Accepted {
  readonly finding: Finding;
  readonly fix: Fix;
}

interface Proposal {
  /** Fixes that don't get into each other's way. */
  readonly accepted: readonly Accepted[];
  /** What the fixes were made for; undefined for a file that is to be made. */
  readonly sources: ReadonlyMap<string, Source | undefined>;
}

/**
 * The analysis may have read a file a while ago, so each file that a fix changes is read here and given to it, and the fixes are made
 * for exactly that text.
 */
function propose(options: FixOptions, candidates: readonly Finding[], refused: Set<string>, problems: Problem[]): Proposal {
  const sources = new Map<string, Source | undefined>();
  let findings = candidates;
  for (;;) {
    const fixes = findings.flatMap((finding): Accepted[] => {
      const fix = preferredFix(options.analysis, finding);
      return fix && fix.edits.every(({ file }) => !refused.has(file)) ? [{ finding, fix }] : [];
    });
    const changes = fixes.flatMap(({ fix }) => fix.edits).filter(({ file }) => !sources.has(file));
    if (changes.length === 0) return { accepted: withoutCollisions(fixes), sources };
    for (const { file, create } of changes) {
      if (sources.has(file)) continue;
      try {
        const place = path.resolve(options.root, file);
        if (!isBelow(options.root, place)) throw new Unwritable(t("it lies outside of {0}", options.root));
        if (create && fs.existsSync(place)) throw new Unwritable(t("it is there already"));
        const source = create ? undefined : readSource(options.root, file);
        sources.set(file, source);
        if (source) options.analysis.setText(file, source.text);
      } catch (error) {
        if (!(error instanceof Unwritable)) throw error;
        refuse(file, error.message, refused, problems);
      }
    }
    const wanted = new Set(candidates.map(keyOf));
    findings = options.choose(options.check()).filter((finding) => wanted.has(keyOf(finding)));
  }
}

/** In the order of the findings; one that collides waits for the next round. Equal edits are made once: two fixes may want one import. */
function withoutCollisions(fixes: readonly Accepted[]): readonly Accepted[] {
  const taken = new Map<string, TextEdit[]>();
  return fixes.filter(({ fix }) => {
    const free = fix.edits.every(({ file, edits }) =>
      edits.every((edit) => (taken.get(file) ?? []).every((other) => isSame(edit, other) || !collide(edit.range, other.range))),
    );
    if (!free) return false;
    for (const { file, edits } of fix.edits) {
      const others = taken.get(file) ?? [];
      taken.set(file, [...others, ...edits.filter((edit) => !others.some((other) => isSame(edit, other)))]);
    }
    return true;
  });
}

/** Fixes that share files are written together or not at all. Returns what was applied. */
function write(root: string, { accepted, sources }: Proposal, refused: Set<string>, problems: Problem[]): readonly Fixed[] {
  return groupByFiles(accepted).flatMap((group): Fixed[] => {
    const edits = new Map<string, TextEdit[]>();
    /** By file that is made: the one whose finding has it made, and whose line ends it gets. */
    const models = new Map<string, string>();
    for (const { finding, fix } of group)
      for (const change of fix.edits) {
        if (change.create && !models.has(change.file)) models.set(change.file, finding.file);
        const others = edits.get(change.file) ?? [];
        edits.set(change.file, [...others, ...change.edits.filter((edit) => !others.some((other) => isSame(edit, other)))]);
      }
    const files = [...edits.keys()];
    try {
      const changes = [...edits].map(([file, list]): Change => {
        const before = sources.get(file);
        const model = models.get(file);
        if (before || model === undefined) return { file, before, after: applyEdits(before?.text ?? "", list) };
        const { text } = sources.get(model) ?? readSource(root, model);
        return { file, before, after: applyEdits("", list, lineEndOf(text)) };
      });
      writeChanges(root, changes);
      return group.map(({ finding, fix }) => ({ finding, title: fix.title }));
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error;
      refuse(files[0] ?? "", error.message, refused, problems);
      for (const file of files) refused.add(file);
      return [];
    }
  });
}

function groupByFiles(accepted: readonly Accepted[]): readonly (readonly Accepted[])[] {
  const groups: { readonly files: Set<string>; readonly members: Accepted[] }[] = [];
  for (const one of accepted) {
    const files = new Set(one.fix.edits.map(({ file }) => file));
    const touched = groups.filter((group) => [...files].some((file) => group.files.has(file)));
    for (const group of touched) groups.splice(groups.indexOf(group), 1);
    groups.push({
      files: new Set([...files, ...touched.flatMap((group) => [...group.files])]),
      members: [...touched.flatMap((group) => group.members), one],
    });
  }
  return groups.map(({ members }) => members);
}

function refuse(file: string, reason: string, refused: Set<string>, problems: Problem[]): void {
  refused.add(file);
  problems.push({ severity: "warning", source: file, message: t("was not fixed: {0}", reason) });
}

function isSame(a: TextEdit, b: TextEdit): boolean {
  return a.text === b.text && JSON.stringify(a.range) === JSON.stringify(b.range);
}

function keyOf({ rule, file, fingerprint }: Finding): string {
  return [rule, file, fingerprint].join("\0");
}
