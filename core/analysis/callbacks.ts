/** Functions that a known call is given, and failures that they take. */
import { type CallContext, runLater } from "./call.ts";
import type { Entry } from "./catalogue/entry.ts";
import { listOf } from "./collections.ts";
import { valuesAt } from "./entries.ts";
import type { Frame, State } from "./frame.ts";
import { keyOf } from "./program.ts";
import { waysOf } from "./records.ts";
import { outcomesOf } from "./refine.ts";
import { summaryOf } from "./solve.ts";
import { mapWays, PENDING, REFUSED, UPLOADED } from "./summary.ts";
import { type FunctionValue, NOTHING, unionAll, type Value, type Values } from "./value.ts";

/** `upload(p).catch(…)`, `Promise.allSettled([upload(p)])`: the failure of an upload is no exception any more. */
export function swallow(frame: Frame, state: State, context: CallContext, entries: readonly Entry[]): void {
  const [entry] = entries;
  if (frame.scratch || entry === undefined) return;
  const { callee, args } = context.event;
  const caught = entry.symbol === "catch" ? context.args[0] : entry.symbol === "then" ? context.args[1] : undefined;
  const settles = entry.role === "gather" && entry.fails === "never";
  const swallowed = settles || (caught ?? NOTHING).some((value) => value.kind === "function" && returns(frame, value));
  if (!swallowed || callee.op !== "member") return;
  const sites = settles ? args.flatMap((arg) => [...outcomesOf(frame, arg)]) : [...outcomesOf(frame, callee.of)];
  if (sites.length === 0) return;
  for (const record of frame.files.values()) {
    if (record.trace.uploaded.length === 0 || !sites.some((site) => record.sites.has(site))) continue;
    const ways = waysOf(state, record.value);
    state.ways.set(
      record.value.key,
      mapWays(ways, (way) => (way & UPLOADED ? [way, (way & ~(UPLOADED | PENDING)) | REFUSED] : way)),
    );
  }
}

/** Whether a function may end without throwing. */
function returns(frame: Frame, target: FunctionValue): boolean {
  summaryOf(frame.program, target.ref);
  return frame.program.reports.get(keyOf(target.ref))?.exits.some((exit) => exit.how === "return") ?? true;
}

export function runCallbacks(frame: Frame, state: State, context: CallContext, entries: readonly Entry[]): Values {
  const results: Values[] = [];
  for (const entry of entries) {
    if (entry.role === "temp" && entry.removal !== "automatic") continue;
    const named = new Set<Value>();
    for (const invocation of entry.calls ?? []) {
      if (entry.role === "temp") break;
      const events =
        invocation.events === undefined
          ? undefined
          : (context.args[0] ?? NOTHING).flatMap((value) => (value.kind === "text" ? [value.text] : []));
      if (events !== undefined && !events.some((event) => invocation.events?.includes(event))) continue;
      for (const value of valuesAt(frame, context, invocation.function)) {
        if (value.kind !== "function" || named.has(value)) continue;
        named.add(value);
        const args = (invocation.with ?? []).map((place) => valuesAt(frame, context, place));
        // Whoever listens for the end of something has waited for it; who goes on with a promise has not.
        if (invocation.events !== undefined) settle(state, invocation.when);
        if (!frame.scratch && /setInterval|schedule|Cron/i.test(entry.symbol)) frame.scheduled.add(keyOf(value.ref));
        const executor = entry.module === "global" && entry.symbol === "Promise";
        const result = runLater(frame, state, context, value, invocation.when, args, executor);
        if (executor || entry.results === "one") results.push(result);
        else if (entry.results === "list") results.push([listOf(frame, context, result)]);
      }
    }
    if (entry.calls !== undefined || entry.role === "invoke" || entry.role === "command") continue;
    // A function as last argument of something that ends later is called when it has ended.
    const done = entry.done === undefined ? (context.args.at(-1) ?? NOTHING) : valuesAt(frame, context, entry.done);
    for (const value of done) if (value.kind === "function") runLater(frame, state, context, value, "onSuccess");
    for (const value of entry.failed === undefined ? NOTHING : valuesAt(frame, context, entry.failed))
      if (value.kind === "function") runLater(frame, state, context, value, "onError");
  }
  return unionAll(results);
}

function settle(state: State, when: string): void {
  if (when !== "onSuccess" && when !== "always") return;
  for (const [key, ways] of state.ways)
    if (ways.some((way) => way & PENDING))
      state.ways.set(
        key,
        mapWays(ways, (way) => way & ~PENDING),
      );
}
