/** Files that a function leaves behind: made or received here, used up here, and there on a successful way out. */
import type { Entry } from "./catalogue/entry.ts";
import type { Frame, FileRecord } from "./frame.ts";
import { isWithin, keyOf, type Program } from "./program.ts";
import { isOnDisk, NEST, RECEIVES } from "./storage.ts";
import type { Report } from "./solve.ts";
import type { WayOut } from "./leave.ts";
import {
  ABSENT,
  DELETED,
  ESCAPED,
  FAILED,
  FOUND,
  innermost,
  KEPT,
  LATER,
  MADE,
  OUTPUT,
  PENDING,
  READ,
  REFUSED,
  RETURNED,
  SERVED,
  UNSUCCESSFUL,
  UNTIDY,
  UPLOADED,
} from "./summary.ts";
import { atomsOf, derived, type Derived, HOME, type Joined, TMP, type Value } from "./value.ts";
import type { Callers } from "./overview.ts";
import { isBelow, isHandedIn, isUnique, rootOf, shapeOfPath } from "./paths.ts";

export interface Leak {
  readonly report: Report;
  readonly record: FileRecord;
  readonly kind: "upload" | "assembly";
  /** Ways out on which the file stays, and those on which it is gone. */
  readonly left: readonly WayOut[];
  readonly cleaned: readonly WayOut[];
  /** The helper deletes after a failure only. */
  readonly lopsided: boolean;
  /** A request brought the file. */
  readonly received: boolean;
  /** Somebody has its name, or gets it sent: when it may go is not known here. */
  readonly named: boolean;
}

/**
 * One function for each file. Of a file that is made, whoever makes it and uses it up is told, not everybody above; of one that a
 * request brought, whoever has the request, not the helpers that it is handed to. Returns the leaks of those that are `asked` about;
 * those of functions of other files than the `judged` ones count for nobody.
 */
export function ownLeaks(
  program: Program,
  judged: ReadonlySet<string>,
  asked: readonly Report[],
  callers: Callers,
): readonly (readonly Leak[])[] {
  const known = new Map<FileRecord, Leak | undefined>();
  const leakAt = (report: Report | undefined, record: FileRecord | undefined): Leak | undefined => {
    if (!report || !record || !judged.has(report.module.file)) return undefined;
    if (!known.has(record)) known.set(record, leakOf(program, report, record, callers));
    return known.get(record);
  };
  const reportOf = (key: string): Report | undefined => (program.visited.has(key) ? program.reports.get(key) : undefined);
  // Who made a file without using it up gives way to who did use it up.
  const givesWay = (inner: Leak, outer: Leak): boolean =>
    (outer.received && inner.received && !isRegistered(outer.record) && !isWithin(program, inner.report.ref, outer.report.ref)) ||
    (isUnused(inner.record) && !isUnused(outer.record));
  const isOwn = (leak: Leak): boolean => {
    for (const origin of leak.record.from) {
      const report = reportOf(keyOf(origin.callee));
      const inner = leakAt(report, report?.frame.files.get(origin.key));
      if (inner && inner !== leak && !givesWay(inner, leak)) return false;
    }
    return !isToldAbove(leak, leak.report, leak.record, new Set());
  };
  /** Whether somebody who calls the function is told, perhaps through a callback that only hands the file on. */
  const isToldAbove = (leak: Leak, inner: Report, file: FileRecord, seen: Set<FileRecord>): boolean => {
    if (seen.has(file)) return false;
    seen.add(file);
    const above = callers.get(`${keyOf(inner.ref)}|${file.value.key}`) ?? [];
    return above.some(({ report, record }) => {
      const outer = leakAt(report, record);
      if (outer && outer !== leak) return givesWay(leak, outer);
      return report.fn.kind === "closure" && isHandedIn(record.value) && isToldAbove(leak, report, record, seen);
    });
  };
  return asked.map((report) =>
    [...report.frame.files.values()].flatMap((record) => {
      const leak = leakAt(report, record);
      return leak && isOwn(leak) ? [leak] : [];
    }),
  );
}

/** Whether uploads of requests are put where a server hands them out. */
function receivedAreServed(program: Program): boolean {
  const served = [...program.served.values()];
  return [...program.destinations.values()].some(
    (destination) =>
      !isTemporary(destination) && served.some((directory) => directory.key === destination.key || isBelow(destination, directory)),
  );
}

/** Whether the file is meant to stay: the state of an application, or what other functions read. */
function isKept(value: Value, read: ReadonlyMap<string, unknown>): boolean {
  return atomsOf(value)[0]?.key === HOME.key || read.has(shapeOfPath(value));
}

/** Whether there is only one such file, which is written over and over, and not in a directory for temporary files. */
export function isSingle(value: Value): boolean {
  return !isTemporary(value) && atomsOf(value).every((part) => part.kind === "text" || (part.kind === "symbol" && part.root === "stable"));
}

function isUnused({ trace }: FileRecord): boolean {
  return trace.uploaded.length === 0 && trace.read.length === 0;
}

function leakOf(program: Program, report: Report, record: FileRecord, callers: Callers): Leak | undefined {
  const { frame } = report;
  const { trace } = record;
  if (trace.uploaded.length === 0 && trace.read.length === 0 && trace.output.length === 0) return undefined;
  const field = isReceived(program, frame, record.value);
  const lopsided = isLopsidedHere(report, record);
  if (field && (program.relieved.has(keyOf(report.ref)) || receivedAreServed(program))) return undefined;
  if (!lopsided) {
    if (record.lopsided) return undefined;
    if (isHandedIn(record.value) && !field) return undefined;
    if (!field && !isMade(record)) return undefined;
    // Whoever ran the program named the file.
    if (record.value.kind !== "joined" && rootOf(record.value)?.key.includes("argv")) return undefined;
    if (trace.uploaded.length > 0 && !isTemporary(record.value) && isKept(record.value, program.overview.read)) return undefined;
    // A server hands it out. Nobody asks for a list that names the inputs of a command.
    const isList = record.names.length > 0 && trace.read.length > 0 && trace.uploaded.length === 0;
    if (!isList && !isTemporary(record.value) && [...program.served.values()].some((directory) => isBelow(record.value, directory)))
      return undefined;
  }
  if (record.announced && trace.uploaded.length + trace.read.length === 0) return undefined;
  const ways = look(report, record);
  if (!ways || ways.left.length === 0) return undefined;
  if (!lopsided && !leaksFurther(program, report, record, callers, new Set())) return undefined;
  const kind = trace.uploaded.length > 0 ? "upload" : "assembly";
  // What somebody sent is put where it is kept, and a still or a preview of it is made.
  const [made] = trace.made;
  if (kind === "assembly" && made && innermost(made).brought && !isTemporary(record.value)) return undefined;
  // What is sent to who asked for it may go when it has been sent, which is not known to be here.
  const named = record.named || usedUpBy(record) === SERVED;
  return { report, record, kind, left: ways.left, cleaned: ways.cleaned, lopsided, received: field, named };
}

/** Undefined: the file is none that ought to go. */
export function look(report: Report, record: FileRecord): { left: WayOut[]; cleaned: WayOut[] } | undefined {
  const left: WayOut[] = [];
  const cleaned: WayOut[] = [];
  const wanted = usedUpBy(record);
  if (wanted === OUTPUT && !isTemporary(record.value)) return undefined;
  // What the function makes is there only on ways on which it was made.
  const there = isMade(record) ? MADE : 0;
  for (const exit of report.exits) {
    if (exit.how !== "return") continue;
    const all = (exit.state.ways.get(record.value.key) ?? []).filter(
      (way) => way & wanted && !(way & (FAILED | REFUSED | ABSENT | UNSUCCESSFUL)),
    );
    // It was there before and is used again: a cache.
    if (all.some((way) => way & FOUND && !(way & MADE))) return undefined;
    const ways = all.filter((way) => (way & there) === there);
    if (ways.some((way) => isHandedOn(way, wanted) && !(way & (DELETED | LATER)))) return undefined;
    if (ways.some((way) => !(way & (DELETED | LATER | KEPT)))) left.push(exit);
    else if (ways.some((way) => way & (DELETED | LATER))) cleaned.push(exit);
  }
  if (left.length === 0 && wanted === UPLOADED && isAllDoneHere(report, record))
    left.push(...cleaned.filter((exit) => isSwallowed(exit, record, wanted | there)));
  // One way out that is reached cleaned and uncleaned: some branch before it cleans.
  for (const exit of left) {
    const ways = exit.state.ways.get(record.value.key) ?? [];
    if (ways.some((way) => way & wanted && way & (DELETED | LATER) && !(way & (FAILED | REFUSED | ABSENT)))) cleaned.push(exit);
  }
  return { left, cleaned };
}

/** What has to have happened to a file for it to be of no more use. */
function usedUpBy({ value, trace }: FileRecord): number {
  if (trace.uploaded.length > 0) return UPLOADED;
  if (trace.read.length > 0) return READ;
  return trace.served.length > 0 && isUnique(value) ? SERVED : OUTPUT;
}

function isHandedOn(way: number, wanted: number): boolean {
  return (way & RETURNED) !== 0 || (way & (wanted === SERVED ? ESCAPED | SERVED : ESCAPED)) === ESCAPED;
}

/** Whether the function itself uses the file up and deletes it: what other functions caught is not for it to tell. */
function isAllDoneHere(report: Report, { trace }: FileRecord): boolean {
  return [...trace.deleted, ...trace.uploaded, ...trace.read].every(
    (step) => step.inner === undefined && step.function.index === report.fn.index && step.file === report.module.file,
  );
}

/** What comes between the upload and the deletion failed, somebody caught that, and the function went on to the same end. */
function isSwallowed(exit: WayOut, record: FileRecord, wanted: number): boolean {
  return (
    !exit.caught &&
    exit.values.length > 0 &&
    (exit.state.ways.get(record.value.key) ?? []).some(
      (way) =>
        (way & wanted) === wanted &&
        way & FAILED &&
        !(way & (REFUSED | PENDING | ABSENT | UNSUCCESSFUL | UNTIDY | DELETED | LATER | KEPT | ESCAPED | RETURNED)),
    )
  );
}

/** Whether nobody who calls the function deletes the file either. */
function leaksFurther(program: Program, report: Report, record: FileRecord, callers: Callers, seen: Set<string>): boolean {
  const key = `${keyOf(report.ref)}|${record.value.key}`;
  if (seen.has(key)) return false;
  seen.add(key);
  const above = callers.get(key) ?? [];
  // An option that no caller sets is no file of anybody.
  if (above.length === 0) return !(isOption(record.value) && program.overview.called.has(keyOf(report.ref)));
  // What one of the handlers that somebody registers deletes is another request's file.
  if (isReceived(program, report.frame, record.value) && above.every((caller) => isRegistered(caller.record))) return true;
  return above.some((caller) => {
    const ways = look(caller.report, caller.record);
    return ways !== undefined && ways.left.length > 0 && leaksFurther(program, caller.report, caller.record, callers, seen);
  });
}

/** Whoever registers handlers of routes has no request: it is made up there. */
function isRegistered({ value }: FileRecord): boolean {
  return rootOf(value)?.key.includes(":given:") === true;
}

/** A path that begins with a field of what was handed in: `options.work + "/list.txt"`. */
function isOption(value: Value): boolean {
  const [first] = atomsOf(value);
  return value.kind === "joined" && first?.kind === "derived" && isHandedIn(first);
}

function isMade(record: FileRecord): boolean {
  return (
    record.trace.made.length > 0 ||
    record.trace.output.length > 0 ||
    (rootOf(record.value)?.kind === "symbol" && (rootOf(record.value) as { temporary?: true }).temporary === true)
  );
}

function isLopsidedHere(report: Report, record: FileRecord): boolean {
  if (record.trace.uploaded.length === 0 || !record.trace.deleted.some((step) => step.inner === undefined)) return false;
  if (!record.trace.uploaded.some((step) => step.inner === undefined)) return false;
  let left = false;
  let failing = false;
  for (const exit of report.exits)
    for (const way of exit.state.ways.get(record.value.key) ?? []) {
      if (exit.how === "return" && way & UPLOADED && !(way & (FAILED | REFUSED | UNSUCCESSFUL | ABSENT))) {
        if (way & (DELETED | LATER | ESCAPED | RETURNED | KEPT)) return false;
        left = true;
      } else if (way & DELETED) failing = true;
    }
  return left && failing;
}

const TEMPORARY = /(?:^|[/_.-])(?:te?mp|temporary|scratch|work(?:ing)?[-_]?dir|intermediates?)(?:[/_.-]|$)/i;

/** Whether the path says that the file is not meant to stay. */
export function isTemporary(value: Value): boolean {
  return atomsOf(value).some(
    (part) =>
      part.key === TMP.key || (part.kind === "symbol" && part.temporary === true) || (part.kind === "text" && TEMPORARY.test(part.text)),
  );
}

/** Whether the value is the path of a file that a request brought and that was put on this machine. */
export function isReceived(program: Program, frame: Frame, value: Value): boolean {
  const onDisk = isOnDisk(program.storages, frame.module.file);
  return isField(frame, value, (entry) => onDisk || entry.module !== RECEIVES);
}

/** Whether the value is what a request says of a file that it brought: the catalogue's fields. */
export function isField(frame: Frame, value: Value, counts: (entry: Entry) => boolean = () => true): boolean {
  const field = value.kind === "joined" ? pathBeside(value) : value;
  if (field.kind !== "derived" || field.how !== "member") return false;
  const { catalogue, loader } = frame.program;
  const entries = catalogue.byField(field.name);
  if (entries.length === 0) return false;
  const chain = chainOf(frame, field);
  return entries.some((entry) => {
    if (!counts(entry)) return false;
    const rest = matchEnd(chain, entry.symbol.split(/\.|(?=\[\])/));
    if (rest === undefined) return false;
    const written = rest.join(".").replaceAll(".[]", "[]");
    const evident = (entry.weak ?? []).some((one) => new RegExp(one, "i").test(written)) || isDeclared(frame, field, entry);
    const modules = entry.module === RECEIVES ? [RECEIVES, NEST] : [entry.module];
    return evident && modules.some((one) => loader.uses(frame.module.file, one) || loader.isBeside(frame.module.file, one));
  });
}

/** `file: Express.Multer.File`, `@UploadedFiles() files`: the parameter that the field belongs to says what it is. */
function isDeclared(frame: Frame, field: Derived, { types = [], symbol }: Entry): boolean {
  const root = rootOf(field);
  const declared = root?.kind === "symbol" && root.root === "parameter" ? frame.fn.parameters[root.index ?? -1]?.declared : undefined;
  return declared !== undefined && symbol === field.name && types.some((type) => mentionsType(declared, type));
}

function mentionsType(declared: string, type: string): boolean {
  const at = declared.indexOf(type);
  return at >= 0 && !/[\w.]/.test(declared[at - 1] ?? "") && !/[\w.]/.test(declared[at + type.length] ?? "");
}

/** `./tmp/${file.filename}` is `file.path`. */
function pathBeside(value: Joined): Value {
  const last = value.parts.at(-1);
  const directory = value.parts.at(-2);
  const isName = last?.kind === "derived" && last.how === "member" && last.name === "filename";
  return isName && directory?.kind === "text" && directory.text.endsWith("/") ? derived("member", last.of, "path") : value;
}

function matchEnd(chain: readonly string[], pattern: readonly string[]): readonly string[] | undefined {
  let at = chain.length - 1;
  for (let index = pattern.length - 1; index >= 0; index -= 1) {
    const wanted = pattern[index];
    if (wanted === "[]") {
      const stop = pattern[index - 1];
      while (at > 0 && chain[at] !== stop) at -= 1;
      continue;
    }
    if (chain[at] !== wanted) return undefined;
    at -= 1;
  }
  return chain.slice(0, at + 1);
}

function chainOf(frame: Frame, value: Derived): string[] {
  const chain: string[] = [];
  let at: Value = value;
  for (let depth = 0; depth < 12; depth += 1) {
    if (at.kind !== "derived") break;
    chain.unshift(at.how === "member" && !/^\d+$/.test(at.name) ? at.name : "[]");
    at = at.of;
  }
  if (at.kind === "symbol") {
    if (at.root === "parameter") chain.unshift(frame.fn.parameters[at.index ?? -1]?.written ?? "");
    else chain.unshift(at.name === undefined ? at.key.replace(/^.*:called:/, "") : (frame.module.written[at.name] ?? at.name));
  }
  return chain;
}
