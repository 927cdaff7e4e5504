/** What the functions that count say of each other, kept up to date from one check to the next. */
import type { FileRecord } from "./frame.ts";
import { listedIn, shapeOfPath } from "./paths.ts";
import { keyOf, type Program } from "./program.ts";
import type { Report } from "./solve.ts";
import { atomsOf, type Value } from "./value.ts";

/** Who calls what: for each file of a called function, what it is to its callers. */
export type Callers = ReadonlyMap<string, readonly { readonly report: Report; readonly record: FileRecord }[]>;

export interface Overview {
  /** In an order that does not depend on what was run when. */
  reports: readonly Report[];
  readonly callers: Map<string, { readonly report: Report; readonly record: FileRecord }[]>;
  /** How many functions call one, and read a path of a shape. */
  readonly called: Map<string, number>;
  readonly read: Map<string, number>;
  /** Those that say something of handlers, schedules or directories, and those that empty a directory. */
  readonly telling: Set<Report>;
  readonly emptying: Map<Report, readonly Value[]>;
}

export function newOverview(): Overview {
  return { reports: [], callers: new Map(), called: new Map(), read: new Map(), telling: new Set(), emptying: new Map() };
}

/** Looks at the reports that came, and forgets those that went. */
export function follow(program: Program): Overview {
  const { overview, visited, reports } = program;
  const there = new Set<Report>();
  for (const key of visited) {
    const report = reports.get(key);
    if (report) there.add(report);
  }
  const stay = overview.reports.filter((report) => there.has(report) || forget(overview, report));
  const known = new Set(stay);
  const came = [...there].filter((report) => !known.has(report)).sort(inOrder);
  for (const report of came) look(overview, report);
  if (came.length > 0 || stay.length < overview.reports.length) overview.reports = merged(stay, came);
  return overview;
}

function inOrder(a: Report, b: Report): number {
  return a.ref.file < b.ref.file ? -1 : a.ref.file > b.ref.file ? 1 : a.ref.index - b.ref.index;
}

function merged(a: readonly Report[], b: readonly Report[]): readonly Report[] {
  const result: Report[] = [];
  let at = 0;
  for (const report of a) {
    for (let next = b[at]; next && inOrder(next, report) < 0; next = b[at]) {
      result.push(next);
      at += 1;
    }
    result.push(report);
  }
  result.push(...b.slice(at));
  return result;
}

function look(overview: Overview, report: Report): void {
  const { frame } = report;
  const { callers, called, read, telling, emptying } = overview;
  const emptied: Value[] = [];
  const grown = new Set<{ readonly report: Report; readonly record: FileRecord }[]>();
  for (const record of frame.files.values()) {
    const directory = record.trace.deleted.length > 0 ? listedIn(record.value) : undefined;
    if (directory) emptied.push(directory);
    for (const origin of record.from) {
      const key = calleeKey(origin);
      let list = callers.get(key);
      if (!list) callers.set(key, (list = []));
      list.push({ report, record });
      grown.add(list);
    }
  }
  for (const list of grown) if (list[0]?.report !== report) list.sort((a, b) => inOrder(a.report, b.report));
  for (const key of frame.called) called.set(key, (called.get(key) ?? 0) + 1);
  for (const shape of readShapes(report)) read.set(shape, (read.get(shape) ?? 0) + 1);
  const { scheduled, relieved, storages, destinations, served } = frame;
  if (scheduled.size + relieved.size + storages.size + destinations.size + served.size > 0) telling.add(report);
  if (emptied.length > 0) emptying.set(report, emptied);
}

/** False, as the report is not there any more. */
function forget(overview: Overview, report: Report): false {
  const { callers, called, read, telling, emptying } = overview;
  const keys = new Set([...report.frame.files.values()].flatMap(({ from }) => from.map(calleeKey)));
  for (const key of keys) {
    const rest = (callers.get(key) ?? []).filter((one) => one.report !== report);
    if (rest.length > 0) callers.set(key, rest);
    else callers.delete(key);
  }
  for (const key of report.frame.called) less(called, key);
  for (const shape of readShapes(report)) less(read, shape);
  telling.delete(report);
  emptying.delete(report);
  return false;
}

function less(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 1) - 1;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

function calleeKey({ callee, key }: FileRecord["from"][number]): string {
  return `${keyOf(callee)}|${key}`;
}

/** Makes known what some functions say of others. */
export function gather(program: Program): void {
  const { scheduled, relieved, served, destinations, storages, overview } = program;
  for (const set of [scheduled, relieved, served, destinations, storages]) set.clear();
  for (const { frame } of [...overview.telling].sort(inOrder)) {
    for (const key of frame.scheduled) scheduled.add(key);
    for (const key of frame.relieved) relieved.add(key);
    if (frame.storages.size > 0) storages.set(frame.module.file, new Set([...(storages.get(frame.module.file) ?? []), ...frame.storages]));
    for (const [key, directory] of frame.destinations) destinations.set(key, directory);
    for (const [key, directory] of frame.served) served.set(key, directory);
  }
}

/** Directories whose files go by the clock, or when the program starts. */
export function sweptBy({ overview, scheduled }: Program): readonly Value[] {
  const swept = new Map<string, Value>();
  for (const report of [...overview.emptying.keys()].sort(inOrder)) {
    if (report.fn.index !== 0 && !scheduled.has(keyOf(report.ref))) continue;
    for (const directory of overview.emptying.get(report) ?? []) swept.set(directory.key, directory);
  }
  return [...swept.values()];
}

const shapesRead = new WeakMap<Report, ReadonlySet<string>>();

/** Shapes of paths that a function reads which neither makes nor sends them. */
function readShapes(report: Report): ReadonlySet<string> {
  const known = shapesRead.get(report);
  if (known) return known;
  const shapes = new Set<string>();
  for (const { value, trace } of report.frame.files.values())
    if (
      value.kind === "joined" &&
      startsKnown(value) &&
      trace.used.some((step) => step.inner === undefined) &&
      trace.made.length + trace.output.length + trace.uploaded.length + trace.deleted.length + trace.read.length === 0
    )
      shapes.add(shapeOfPath(value));
  shapesRead.set(report, shapes);
  return shapes;
}

/** Whether the path tells where it leads: `data/{}.json` does, `{}/{}` may lead anywhere. */
function startsKnown(value: Value): boolean {
  const [first] = atomsOf(value);
  return first?.kind === "text" && /\w{3}/.test(first.text);
}
