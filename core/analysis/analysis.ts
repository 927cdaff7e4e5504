/**
 * The analysis of one workspace. Looks for files that may hold an upload or an assembly, follows their wrappers to whoever calls
 * them, solves all functions of those files and asks the rules. A session that followed edits keeps what cannot have changed, and finds
 * what a fresh one finds.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { extendCatalogue, loadCatalogue } from "./catalogue/catalogue.ts";
import type { Analysis, AnalysisOptions } from "./check.ts";
import type { Finding, Fix } from "./finding.ts";
import { fixesFor } from "./fix/fixes.ts";
import type { FlowModule } from "./flow.ts";
import type { FrontEnd } from "./frontEnd.ts";
import { type Changes, followEdits, invalidate } from "./incremental.ts";
import { type Found, isWithinPaths, judge, type JudgeOptions } from "./judge.ts";
import { createProgram, type Program } from "./program.ts";
import type { Draft } from "./rules/draft.ts";
import { openSources } from "./scan.ts";
import { sitesOf } from "./sites.ts";
import { registerAll, solveFiles, solveForgotten } from "./solveFiles.ts";
import { describePlace } from "./sources.ts";
import { strayIgnores } from "./strayIgnores.ts";
import { tryOut } from "./trial.ts";
import { openTypeScript } from "./typescript/frontEnd.ts";
import { type CallerCache, ledTo, reviewCallers, wrappersIn } from "./wrappers.ts";

const ROUNDS = 12;
const MOST_FILES = 4000;

/** What a session keeps between its checks. */
interface Kept {
  readonly program: Program;
  /** Files that may hold something, and those that name the switch for automatic cleanup. */
  readonly candidates: Set<string>;
  readonly gates: Set<string>;
  /** Files that count, in the program's eyes: those that are judged. */
  judged: ReadonlySet<string>;
  /** What they said. */
  readonly flows: Map<string, FlowModule>;
  readonly callers: CallerCache;
  /** Functions that count, and those of them through which files go. */
  visited: ReadonlySet<string>;
  wrappers: ReadonlySet<string>;
  /** Of the list of files and of what configures their imports. */
  readonly revision: number;
}

export function openAnalysis(options: AnalysisOptions): Analysis {
  const { root, settings } = options;
  const catalogue = extendCatalogue(loadCatalogue(), settings);
  const sources = openSources(root, { exclude: settings.exclude });
  const frontEnd: FrontEnd = openTypeScript(sources, catalogue, settings);
  let last: { readonly kept: Kept; readonly options: JudgeOptions; readonly paths: readonly string[] | undefined } | undefined;
  /** What is found in all files, once somebody has asked for that. */
  let whole: readonly Found[] | undefined;
  let kept: Kept | undefined;
  /** Files whose text changed since, with what they imported before. */
  const dirty = new Map<string, string>();

  const touch = (file: string): void => {
    if (kept && !dirty.has(file) && sources.has(file)) dirty.set(file, frontEnd.importsOf(file));
  };

  const analysis: Analysis = {
    setText(file, text) {
      touch(file);
      sources.setText(file, text);
    },
    changed(files) {
      if (files && files.every((file) => sources.has(file))) for (const file of files) touch(file);
      else kept = undefined;
      sources.changed(files);
    },
    check(request = {}) {
      const { paths, signal } = request;
      const total = sources.files(signal).length;
      const revision = sources.revision();
      const same = kept?.revision === revision && [...dirty].every(([file, before]) => frontEnd.importsOf(file) === before);
      if (!same) frontEnd.importsChanged();
      const now: Kept = (same ? kept : undefined) ?? {
        program: open(frontEnd, catalogue, () => now.judged),
        candidates: new Set(frontEnd.candidates({ signal, onFile: (done) => request.onProgress?.({ done, total }) })),
        gates: new Set(frontEnd.mentioning(SWITCH)),
        judged: new Set(),
        flows: new Map(),
        callers: new Map(),
        visited: new Set(),
        wrappers: new Set(),
        revision,
      };
      for (const file of dirty.keys()) {
        const put = (set: Set<string>, is: boolean): unknown => (is ? set.add(file) : set.delete(file));
        put(now.candidates, frontEnd.isCandidate(file));
        put(now.gates, frontEnd.contains(file, [SWITCH], [SWITCH]));
      }
      const base = new Set([...now.candidates].filter((file) => !describePlace(file).test || isNamed(file, paths)));
      // Whatever goes wrong half way leaves nothing behind.
      kept = undefined;
      reviewCallers(now.callers, frontEnd, new Set(dirty.keys()));
      solve(now, frontEnd, base, new Set(dirty.keys()), signal);
      dirty.clear();
      kept = now;
      const gated = now.gates.size > 0 || environmentNames(root);
      last = { kept: now, options: { ...options, gated }, paths };
      whole = undefined;
      const { found, reports } = judge(now.program, frontEnd, now.judged, last.options, paths);
      if (paths === undefined) whole = found;
      const findings = found.map(({ draft, finding }) => ({ ...finding, fixable: isPrintable(frontEnd, draft, finding) }));
      const strays = [...now.judged]
        .filter((file) => isWithinPaths(file, paths))
        .sort()
        .flatMap((file) => strayIgnores(frontEnd.lower(file)));
      const problems = [...sources.problems(), ...strays];
      return { findings, sites: sitesOf(reports, findings), parsed: now.judged.size, files: total, problems };
    },
    fixes(finding, most): readonly Fix[] {
      if (!last) return [];
      // Edits are of the text as it is now.
      if (dirty.size > 0 || kept !== last.kept) analysis.check(last.paths && { paths: last.paths });
      const { options, kept: now } = last;
      whole ??= judge(now.program, frontEnd, now.judged, options, undefined).found;
      const before = whole.map((one) => one.finding);
      const known = whole.find((one) => one.finding.fingerprint === finding.fingerprint && one.finding.file === finding.file);
      if (!known) return [];
      return fixesFor(frontEnd, known, (file, text) => tryOut(frontEnd, options, before, now.program, { file, text }), most);
    },
  };
  return analysis;
}

function isPrintable(frontEnd: FrontEnd, draft: Draft, finding: Finding): boolean {
  const plan = draft.fix?.();
  return plan !== undefined && frontEnd.print(finding, plan, frontEnd.lower(plan.file)) !== undefined;
}

function open(frontEnd: FrontEnd, catalogue: Program["catalogue"], judged: () => ReadonlySet<string>): Program {
  return createProgram(catalogue, {
    load: (file) => (judged().has(file) || frontEnd.isRelevant(file) ? frontEnd.lower(file) : undefined),
    resolve: (from, specifier) => frontEnd.resolve(from, specifier),
    uses: (file, module) => frontEnd.uses(file, module),
    isBeside: (file, module) => frontEnd.isBeside(file, module),
  });
}

function isNamed(file: string, paths: readonly string[] | undefined): boolean {
  return paths?.some((path) => file === path) ?? false;
}

/** Solves the functions of the judged files that may touch files, and those that call their wrappers, until nobody new turns up. */
function solve(
  kept: Kept,
  frontEnd: FrontEnd,
  base: ReadonlySet<string>,
  dirty: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): void {
  const { program } = kept;
  // Those that were looked at last time are so again, until it is known that they need not be.
  let judged: ReadonlySet<string> = new Set([...base, ...kept.judged]);
  let changed = followEdits(program, dirty, { before: kept.flows, now: (file) => frontEnd.lower(file) });
  for (let round = 0; round < ROUNDS; round += 1) {
    const came = [...judged].filter((file) => !kept.judged.has(file));
    const went = [...kept.judged].filter((file) => !judged.has(file));
    kept.judged = judged;
    // A file that nobody thought worth loading may have been asked for before.
    const all = new Set([...changed.files, ...came, ...went]);
    const inner = round === 0 && all.size === 0;
    if (!inner) registerAll(program, frontEnd, [...judged].sort());
    const forgotten = invalidate(program, { ...changed, files: all });
    changed = NOTHING;
    if (!inner || !solveForgotten(program, kept.visited, forgotten, signal)) {
      program.visited.clear();
      solveFiles(program, [...judged].sort(), signal);
    }
    const found = wrappersIn(program, frontEnd, kept.callers);
    const needed = new Set(base);
    for (const file of found.files) if (!describePlace(file).test) needed.add(file);
    if (needed.size > MOST_FILES) break;
    if (isSame(needed, judged) && isSame(found.names, program.wrappers)) {
      // A wrapper that went may have been what the others were looked at for.
      const lost = [...kept.wrappers].some((key) => !found.keys.has(key));
      kept.wrappers = found.keys;
      const led = lost ? ledTo(program, frontEnd, base, kept.callers) : judged;
      if (led.size === judged.size) break;
      judged = led;
      continue;
    }
    judged = needed;
    program.wrappers.clear();
    for (const name of found.names) program.wrappers.add(name);
    program.roots = new WeakMap();
  }
  kept.visited = new Set(program.visited);
  kept.flows.clear();
  for (const file of kept.judged) kept.flows.set(file, frontEnd.lower(file));
}

const NOTHING: Changes = { files: new Set(), parts: new Map() };

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}

/** Whether the environment's files name the switch that automatic cleanup should ask. */
function environmentNames(root: string): boolean {
  return [".env", ".env.example", ".env.local", ".env.sample"].some((name) => {
    try {
      return readFileSync(join(root, name), "utf8").includes(SWITCH);
    } catch {
      return false;
    }
  });
}

const SWITCH = "AUTO_CLEANUP_ENABLED";
