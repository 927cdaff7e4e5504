/**
 * The analysis of one workspace. Looks for files that may hold an upload or an assembly, follows their wrappers to whoever calls
 * them, solves all functions of those files and asks the rules. What a text says is worked out once for each text; everything
 * else is made anew for each check, so that a session that followed edits finds what a fresh one finds.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { extendCatalogue, loadCatalogue } from "./catalogue/catalogue.ts";
import type { Analysis, AnalysisOptions, CheckResult } from "./check.ts";
import type { CallSite, Finding, Fix } from "./finding.ts";
import { fixesFor, type Trial } from "./fix/fixes.ts";
import type { FrontEnd } from "./frontEnd.ts";
import { gather, invalidate, visitedReports } from "./incremental.ts";
import { callersOf, leaksOf, ownLeaks, sweptBy } from "./leaks.ts";
import { createProgram, type Program } from "./program.ts";
import { createReporter } from "./report.ts";
import { RULE_LIST } from "./rules/rules.ts";
import type { Draft } from "./rules/draft.ts";
import { openSources } from "./scan.ts";
import { rootsOf } from "./roots.ts";
import { sitesOf } from "./sites.ts";
import { type Report, summaryOf } from "./solve.ts";
import { describePlace } from "./sources.ts";
import { openTypeScript } from "./typescript/frontEnd.ts";
import { type CallerCache, reviewCallers, wrappersIn } from "./wrappers.ts";

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
  readonly callers: CallerCache;
  /** Of the list of files and of what configures their imports. */
  readonly revision: number;
}

export function openAnalysis(options: AnalysisOptions): Analysis {
  const { root, settings } = options;
  const catalogue = extendCatalogue(loadCatalogue(), settings);
  const sources = openSources(root, { exclude: settings.exclude });
  const frontEnd: FrontEnd = openTypeScript(sources, catalogue, settings);
  let drafts = new Map<string, Judged>();
  let kept: Kept | undefined;
  /** Files whose text changed since, with what they imported before. */
  const dirty = new Map<string, string>();

  const touch = (file: string): void => {
    if (kept && !dirty.has(file) && sources.has(file)) dirty.set(file, frontEnd.importsOf(file));
  };

  return {
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
        callers: new Map(),
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
      const result = judge(now.program, frontEnd, now.judged, { ...options, gated }, paths);
      drafts = result.drafts;
      return { ...result.checked, files: total, problems: sources.problems() };
    },
    fixes(finding): readonly Fix[] {
      const known = drafts.get(finding.fingerprint + finding.file);
      return known
        ? fixesFor(frontEnd, finding, known.draft, (file, text) =>
            tryOut(frontEnd, { ...options, gated: known.gated }, [...drafts.values()], known.program, { file, text }),
          )
        : [];
    },
  };
}

function open(frontEnd: FrontEnd, catalogue: Program["catalogue"], judged: () => ReadonlySet<string>): Program {
  return createProgram(catalogue, {
    load: (file) => (judged().has(file) || frontEnd.isRelevant(file) ? frontEnd.lower(file) : undefined),
    resolve: (from, specifier) => frontEnd.resolve(from, specifier),
    uses: (file, module) => frontEnd.uses(file, module),
  });
}

/** A finding with what it was made of. */
interface Judged {
  readonly draft: Draft;
  readonly program: Program;
  readonly finding: Finding;
  readonly gated: boolean;
}

/**
 * What would be found if the file said something else, where that can make a difference: in it, and in whoever calls it. The sources
 * stay as they are, and so does everything that is known of other files.
 */
function tryOut(
  frontEnd: FrontEnd,
  options: AnalysisOptions & { readonly gated: boolean },
  judged: readonly Judged[],
  known: Program,
  change: { readonly file: string; readonly text: string },
): Trial {
  const module = frontEnd.parse(change.file, change.text);
  const { sources } = frontEnd;
  const changed: FrontEnd = {
    ...frontEnd,
    lower: (file) => (file === change.file ? module : frontEnd.lower(file)),
    sources: { ...sources, read: (file) => (file === change.file ? change.text : sources.read(file)) },
  };
  const files = new Set(visitedReports(known).map((report) => report.module.file));
  const program = createProgram(known.catalogue, {
    ...known.loader,
    load: (file) => (file === change.file ? module : known.loader.load(file)),
  });
  registerAll(program, changed, [...files].sort());
  const concerned = callingFiles(known, change.file);
  for (const name of known.wrappers) program.wrappers.add(name);
  solveFiles(program, concerned, undefined);
  const { checked } = judge(program, changed, concerned, options, undefined);
  return { before: judged.map((one) => one.finding).filter((finding) => concerned.has(finding.file)), after: checked.findings };
}

/** The file, and those whose files go through its functions. */
function callingFiles(program: Program, file: string): Set<string> {
  const found = new Set([file]);
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const { module, frame } of visitedReports(program))
      if ([...frame.files.values()].some((record) => record.from.some((origin) => found.has(origin.callee.file)))) found.add(module.file);
  }
  return found;
}

function isNamed(file: string, paths: readonly string[] | undefined): boolean {
  return paths?.some((path) => file === path) ?? false;
}

function isWithinPaths(file: string, paths: readonly string[] | undefined): boolean {
  return (
    paths === undefined ||
    paths.some((path) => path === "" || path === "." || file === path || file.startsWith(path.endsWith("/") ? path : `${path}/`))
  );
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
  let changed = dirty;
  for (let round = 0; round < ROUNDS; round += 1) {
    const came = [...judged].filter((file) => !kept.judged.has(file));
    const went = [...kept.judged].filter((file) => !judged.has(file));
    kept.judged = judged;
    const files = [...judged].sort();
    registerAll(program, frontEnd, files);
    // A file that nobody thought worth loading may have been asked for before.
    invalidate(program, new Set([...changed, ...came, ...went]));
    changed = new Set();
    program.visited.clear();
    solveFiles(program, files, signal);
    const found = wrappersIn(program, frontEnd, kept.callers);
    const needed = new Set(base);
    for (const file of found.files) if (!describePlace(file).test) needed.add(file);
    if (needed.size > MOST_FILES || (isSame(needed, judged) && isSame(found.names, program.wrappers))) return;
    judged = needed;
    program.wrappers.clear();
    for (const name of found.names) program.wrappers.add(name);
  }
}

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

function registerAll(program: Program, frontEnd: FrontEnd, files: readonly string[]): void {
  program.classes.length = 0;
  program.methods.clear();
  for (const file of files)
    for (const one of frontEnd.lower(file).classes) {
      program.classes.push({ file, index: one.index });
      for (const method of one.methods) {
        const known = program.methods.get(method.name) ?? [];
        known.push({ file, index: method.function });
        program.methods.set(method.name, known);
      }
    }
}

function solveFiles(program: Program, files: Iterable<string>, signal: AbortSignal | undefined): void {
  for (const file of files) {
    signal?.throwIfAborted();
    const module = program.loader.load(file);
    if (module) for (const index of rootsOf(program, module, program.wrappers)) summaryOf(program, { file, index });
  }
}

function judge(
  program: Program,
  frontEnd: FrontEnd,
  judged: ReadonlySet<string>,
  options: AnalysisOptions & { readonly gated: boolean },
  paths: readonly string[] | undefined,
): { checked: Omit<CheckResult, "files" | "problems">; drafts: Map<string, Judged> } {
  const visited = visitedReports(program);
  gather(program, visited);
  const reports = visited.filter((report) => judged.has(report.module.file));
  const callers = callersOf(visited);
  const { gated } = options;
  const swept = sweptBy(program, visited);
  const reporter = createReporter(frontEnd, options);
  const drafts = new Map<string, Judged>();
  const all: { draft: Draft; report: Report }[] = [];
  const leaksByReport = ownLeaks(
    program,
    reports.map((report) => leaksOf(program, report, callers)),
  );
  for (const [index, report] of reports.entries()) {
    const leaks = leaksByReport[index] ?? [];
    for (const rule of RULE_LIST)
      for (const draft of rule({ program, report, reports: visited, callers, leaks, gated, swept })) all.push({ draft, report });
  }
  const findings: Finding[] = [];
  for (const { draft, finding: found } of reporter.findings(all.map((one) => one.draft))) {
    const finding = {
      ...found,
      fixable: draft.fix !== undefined && frontEnd.print(found, draft.fix, frontEnd.lower(draft.fix.file)) !== undefined,
    };
    drafts.set(finding.fingerprint + finding.file, { draft, program, finding, gated });
    if (isWithinPaths(finding.file, paths)) findings.push(finding);
  }
  const sites: readonly CallSite[] = sitesOf(
    reports.filter((report) => isWithinPaths(report.module.file, paths)),
    findings,
  );
  return { checked: { findings, sites, parsed: judged.size }, drafts };
}
