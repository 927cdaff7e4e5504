/** Files that are handed on, by their path, a part of it, or the address that they are served at. */
import { loseSight, type Moment } from "./effects.ts";
import { type FileRecord, type Frame, type State, thingOf } from "./frame.ts";
import { isTemporary } from "./leaks.ts";
import { basenameOf, isHandedIn, rootOf } from "./paths.ts";
import { change, fileAt, looksLikePath, note, reachable } from "./records.ts";
import { ESCAPED, RETURNED, SERVED } from "./summary.ts";
import { atomsOf, isCut, type Value, type Values } from "./value.ts";

export function escape(frame: Frame, state: State, values: Values, moment: Moment): void {
  if (frame.scratch) return;
  const all = reachable(frame, values);
  if (isCut(values)) loseSight(frame, state, all, ESCAPED);
  const others = new Set<string>();
  for (const value of all) {
    if (value.kind === "joined" || value.kind === "text") {
      const record = looksLikePath(value) ? fileAt(frame, state, value) : frame.files.get(value.key);
      if (record) escapeFile(frame, state, record, moment);
      escapeNamed(state, frame, value);
      continue;
    }
    others.add(value.key);
    // `save(path.replace(ROOT, ""))`, `save(basename(path))`: the file is known under a part of its path.
    const whole = wholeOf(value);
    const known = whole === value ? undefined : frame.files.get(whole.key);
    if (known && known.trace.uploaded.length === 0) escapeFile(frame, state, known, moment);
    if (frame.escapes.size < MOST_ESCAPES && isHandedIn(value)) frame.escapes.set(value.key, value);
  }
  if (others.size === 0) return;
  for (const record of frame.files.values()) if (derivesFrom(record.value, others)) escapeFile(frame, state, record, moment);
}

/**
 * What is put into something that outlives the function is handed on. A parameter, and what the function around has, is the caller's to
 * follow, who is told what was put into it.
 */
export function handOn(frame: Frame, state: State, holders: Values, values: Values, moment: Moment): void {
  if (frame.scratch) return;
  const foreign = holders.filter((holder) => thingOf(frame, holder) === undefined);
  const toCaller = foreign.filter(isOfCaller);
  if (toCaller.length < foreign.length) escape(frame, state, values, moment);
  if (toCaller.length === 0) return;
  for (const value of reachable(frame, values)) {
    const record = frame.files.get(value.key) ?? (looksLikePath(value) ? fileAt(frame, state, value) : undefined);
    if (record) change(state, record, (way) => way | RETURNED);
  }
}

function isOfCaller(holder: Value): boolean {
  const root = rootOf(holder);
  return root?.kind === "symbol" && (root.root === "parameter" || root.root === "captured");
}

/** `/renders/${name}` is what `${RENDERS}/${name}` is served as. Undefined: the file has no name of its own. */
function nameOf(file: Value): Value | undefined {
  const known = names.get(file);
  if (known) return known.name;
  const name = basenameOf(file);
  const found = atomsOf(name).some((part) => part.kind !== "text") ? name : undefined;
  names.set(file, { name: found });
  return found;
}

const names = new WeakMap<Value, { readonly name: Value | undefined }>();

/**
 * Files that are handed on under the address that they are served at: that is what an output is for that nothing else is done with.
 * Of others it is not known, and so no fix may delete them.
 */
export function escapeNamed(state: State, frame: Frame, address: Value, returned = false): void {
  if (address.kind !== "joined") return;
  const last = basenameOf(address).key;
  for (const record of frame.files.values()) {
    const { value, trace } = record;
    const name = nameOf(value)?.key;
    if (name === undefined || value.key === address.key || (name !== address.key && name !== last)) continue;
    // The bare name goes back to who knows the directory; an address has its server.
    const bit = returned && name === address.key ? RETURNED : ESCAPED;
    if (trace.output.length > 0 && trace.uploaded.length === 0 && trace.read.length === 0) change(state, record, (way) => way | bit);
    else if (!isTemporary(value)) record.named = true;
  }
}

const MOST_ESCAPES = 80;

/** What a part of a path was cut from. */
export function wholeOf(value: Value): Value {
  let at = value;
  while (at.kind === "derived" && (at.how === "basename" || (at.how === "call" && CUTS.test(at.name)))) at = at.of;
  return at;
}

const CUTS = /^(?:replace|replaceAll|slice|substring|substr|split|pop|relative|trim|toString|normalize|resolve)$/;

function escapeFile(frame: Frame, state: State, record: FileRecord, moment: Moment): void {
  change(state, record, (way) => (way & ~SERVED) | ESCAPED);
  note(frame, record, "escaped", moment.step);
}

/** Whether the file's path is one of the values, one of their fields, or one of their elements. */
function derivesFrom(file: Value, values: ReadonlySet<string>): boolean {
  let at: Value = file;
  for (let depth = 0; depth < 8; depth += 1) {
    if (values.has(at.key)) return true;
    if (at.kind !== "derived" || at.how === "dirname") return false;
    at = at.of;
  }
  return false;
}
