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
import { wrappersIn } from "./wrappers.ts";

const ROUNDS = 10;
const MOST_FILES = 4000;

export function openAnalysis(options: AnalysisOptions): Analysis {
  const { root, settings } = options;
  const catalogue = extendCatalogue(loadCatalogue(), settings);
  const sources = openSources(root, { exclude: settings.exclude });
  const frontEnd: FrontEnd = openTypeScript(sources, catalogue, settings);
  let drafts = new Map<string, Judged>();

  return {
    setText: (file, text) => sources.setText(file, text),
    changed: (files) => sources.changed(files),
    check({ paths, signal, onProgress } = {}) {
      const total = sources.files(signal).length;
      const judged = new Set(
        frontEnd
          .candidates({ signal, onFile: (done) => onProgress?.({ done, total }) })
          .concat(frontEnd.deleting())
          .filter((file) => !describePlace(file).test || isNamed(file, paths)),
      );
      const program = solve(frontEnd, catalogue, judged, signal);
      if (process.env.OFFCUT_DEBUG) (globalThis as { PROGRAM?: unknown }).PROGRAM = program;
      const result = judge(program, frontEnd, judged, options, paths);
      drafts = result.drafts;
      return { ...result.checked, files: total, problems: sources.problems() };
    },
    fixes(finding): readonly Fix[] {
      const known = drafts.get(finding.fingerprint + finding.file);
      return known
        ? fixesFor(frontEnd, finding, known.draft, (file, text) =>
            tryOut(frontEnd, options, [...drafts.values()], known.program, { file, text }),
          )
        : [];
    },
  };
}

/** A finding with what it was made of. */
interface Judged {
  readonly draft: Draft;
  readonly program: Program;
  readonly finding: Finding;
}

/**
 * What would be found if the file said something else, where that can make a difference: in it, and in whoever calls it. The sources
 * stay as they are, and so does everything that is known of other files.
 */
function tryOut(
  frontEnd: FrontEnd,
  options: AnalysisOptions,
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
  const files = new Set([...known.reports.values()].map((report) => report.module.file));
  const program = createProgram(known.catalogue, {
    ...known.loader,
    load: (file) => (file === change.file ? module : known.loader.load(file)),
  });
  for (const file of files) register(program, changed, file);
  const concerned = callingFiles(known, change.file);
  solveFiles(program, concerned, undefined, undefined);
  for (const name of known.wrappers) program.wrappers.add(name);
  solveFiles(program, concerned, program.wrappers, undefined);
  const { checked } = judge(program, changed, concerned, options, undefined);
  return { before: judged.map((one) => one.finding).filter((finding) => concerned.has(finding.file)), after: checked.findings };
}

/** The file, and those whose files go through its functions. */
function callingFiles(program: Program, file: string): Set<string> {
  const found = new Set([file]);
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const { module, frame } of program.reports.values())
      if ([...frame.files.values()].some((record) => record.from.some((origin) => found.has(origin.callee.file)))) found.add(module.file);
  }
  return found;
}

function isNamed(file: string, paths: readonly string[] | undefined): boolean {
  return paths?.some((path) => file === path) ?? false;
}

export function isWithinPaths(file: string, paths: readonly string[] | undefined): boolean {
  return (
    paths === undefined ||
    paths.some((path) => path === "" || path === "." || file === path || file.startsWith(path.endsWith("/") ? path : `${path}/`))
  );
}

/** Solves the functions of the judged files that may touch files, and those that call their wrappers, until nobody new turns up. */
function solve(frontEnd: FrontEnd, catalogue: Program["catalogue"], judged: Set<string>, signal: AbortSignal | undefined): Program {
  const make = (wrappers: Iterable<string>): Program => {
    const program = createProgram(catalogue, {
      load: (file) => (judged.has(file) || frontEnd.isRelevant(file) ? frontEnd.lower(file) : undefined),
      resolve: frontEnd.resolve,
      uses: frontEnd.uses,
    });
    for (const file of judged) register(program, frontEnd, file);
    for (const name of wrappers) program.wrappers.add(name);
    return program;
  };
  let program = make([]);
  solveFiles(program, judged, undefined, signal);
  const seen = new Set<string>();
  // A method that turned up may be what a call meant that was solved before: then all is solved once more, at the end.
  let stale = false;
  for (let round = 0; round < ROUNDS && judged.size <= MOST_FILES; round += 1) {
    const found = wrappersIn(program, frontEnd, seen);
    const callers = [...found.files].filter((file) => !judged.has(file) && !describePlace(file).test);
    const names = [...found.names].filter((name) => !program.wrappers.has(name));
    if (callers.length === 0 && names.length === 0) {
      if (!stale) break;
      stale = false;
      program = make(program.wrappers);
      seen.clear();
      solveFiles(program, judged, undefined, signal);
      solveFiles(program, judged, program.wrappers, signal);
      continue;
    }
    for (const file of callers) judged.add(file);
    for (const name of names) program.wrappers.add(name);
    for (const file of callers) {
      register(program, frontEnd, file);
      stale ||= frontEnd.lower(file).classes.some((one) => one.methods.some((method) => program.asked.has(method.name)));
    }
    solveFiles(program, callers, undefined, signal);
    solveFiles(program, judged, program.wrappers, signal);
  }
  return program;
}

/** Whether the workspace has the switch that automatic cleanup should ask. */
function knowsTheSwitch(root: string, frontEnd: FrontEnd): boolean {
  const inFile = [".env", ".env.example", ".env.local", ".env.sample"].some((name) => {
    try {
      return readFileSync(join(root, name), "utf8").includes(SWITCH);
    } catch {
      return false;
    }
  });
  return inFile || frontEnd.mentions(SWITCH);
}

const SWITCH = "AUTO_CLEANUP_ENABLED";

function register(program: Program, frontEnd: FrontEnd, file: string): void {
  for (const one of frontEnd.lower(file).classes) {
    program.classes.push({ file, index: one.index });
    for (const method of one.methods) {
      const known = program.methods.get(method.name) ?? [];
      known.push({ file, index: method.function });
      program.methods.set(method.name, known);
    }
  }
}

function solveFiles(
  program: Program,
  files: Iterable<string>,
  names: ReadonlySet<string> | undefined,
  signal: AbortSignal | undefined,
): void {
  for (const file of files) {
    signal?.throwIfAborted();
    const module = program.loader.load(file);
    if (module) for (const index of rootsOf(program, module, names)) summaryOf(program, { file, index });
  }
}

function judge(
  program: Program,
  frontEnd: FrontEnd,
  judged: ReadonlySet<string>,
  options: AnalysisOptions,
  paths: readonly string[] | undefined,
): { checked: Omit<CheckResult, "files" | "problems">; drafts: Map<string, Judged> } {
  const reports = [...program.reports.values()].filter((report) => judged.has(report.module.file));
  const callers = callersOf(program.reports.values());
  const gated = knowsTheSwitch(options.root, frontEnd);
  const swept = sweptBy(program);
  const reporter = createReporter(frontEnd, options);
  const drafts = new Map<string, Judged>();
  const all: { draft: Draft; report: Report }[] = [];
  const leaksByReport = ownLeaks(reports.map((report) => leaksOf(program, report, callers)));
  for (const [index, report] of reports.entries()) {
    const leaks = leaksByReport[index] ?? [];
    for (const rule of RULE_LIST) for (const draft of rule({ program, report, callers, leaks, gated, swept })) all.push({ draft, report });
  }
  const findings: Finding[] = [];
  for (const { draft, finding: found } of reporter.findings(all.map((one) => one.draft))) {
    const finding = {
      ...found,
      fixable: draft.fix !== undefined && frontEnd.print(found, draft.fix, frontEnd.lower(draft.fix.file)) !== undefined,
    };
    drafts.set(finding.fingerprint + finding.file, { draft, program, finding });
    if (isWithinPaths(finding.file, paths)) findings.push(finding);
  }
  const sites: readonly CallSite[] = sitesOf(reports, callers, findings).filter((site) => isWithinPaths(site.file, paths));
  return { checked: { findings, sites, parsed: judged.size }, drafts };
}
