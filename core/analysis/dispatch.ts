/** Which methods a call may reach whose receiver is an interface, an abstract class or not known. */
import type { CallContext } from "./call.ts";
import { classOfValue, type Frame, libraryOf, thingOf } from "./frame.ts";
import { askFor } from "./incremental.ts";
import { typeOf } from "./members.ts";
import { classOf, functionOf, keyOf } from "./program.ts";
import type { FunctionRef, FunctionValue, Values } from "./value.ts";

/** Methods that a call on an interface, an abstract class or something unknown may reach. */
export function dispatch(frame: Frame, context: CallContext): FunctionValue[] {
  const { method, receiver } = context;
  if (method === "" || context.event.callee.op !== "member") return [];
  askFor(frame.program, method);
  const types = receiver.flatMap((value) => classOfValue(frame, value) ?? []);
  const candidates = frame.program.methods.get(method) ?? [];
  if (candidates.length === 0) return [];
  if (types.length > 0) {
    const below = candidates.filter((ref) => types.some((type) => descends(frame, ref, type)));
    return below.map((ref) => methodValue(ref, receiver));
  }
  if (
    receiver.some(
      (value) =>
        libraryOf(frame, value) !== undefined ||
        value.kind === "text" ||
        (thingOf(frame, value) !== undefined && thingOf(frame, value)?.class === undefined),
    )
  )
    return [];
  // Nothing is known of the receiver: a name that few classes have, and that says more than `run` or `save`, is taken at its word.
  if (candidates.length > 3 || method.length < 8 || !/[a-z][A-Z_]/.test(method)) return [];
  return candidates
    .filter((ref) => (functionOf(frame.program, ref)?.parameters.length ?? 0) >= context.args.length)
    .map((ref) => methodValue(ref, receiver));
}

function methodValue(ref: FunctionRef, self: Values): FunctionValue {
  return { kind: "function", key: `fn:${keyOf(ref)}@${self[0]?.key ?? ""}`, ref, self };
}

function descends(frame: Frame, ref: FunctionRef, type: { file: string; index: number }, depth = 0): boolean {
  const fn = functionOf(frame.program, ref);
  if (fn?.class === undefined) return false;
  const pending = [{ file: ref.file, index: fn.class }];
  for (let at = pending.shift(); at !== undefined && depth < 30; at = pending.shift(), depth += 1) {
    if (at.file === type.file && at.index === type.index) return true;
    const declared = classOf(frame.program, at);
    for (const base of declared?.bases ?? []) {
      const next = typeOf(frame.program, at.file, base).type;
      if (next) pending.push(next);
    }
  }
  return false;
}
