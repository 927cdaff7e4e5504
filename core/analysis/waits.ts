/** Which calls a name waits for, and what becomes of their uploads when it is waited for. */
import type { Event, Operand } from "./flow.ts";
import type { Frame, State } from "./frame.ts";
import { waysOf } from "./records.ts";
import { operandNames, outcomesOf, sitesOf } from "./refine.ts";
import { mapWays, PENDING, REFUSED, UNTIDY, UPLOADED, type Ways } from "./summary.ts";

/** `promises.push(upload(p))`: whoever waits for the list waits for the upload. */
export function holdSites(frame: Frame, _state: State, args: readonly Operand[], callee: Operand): void {
  if (callee.op !== "member" || !/^(?:push|unshift|add|set)$/.test(callee.name)) return;
  const sites = args.flatMap((arg) => [...sitesOf(frame, arg)]);
  for (const name of operandNames(callee.of)) {
    waitFor(frame, name, new Set(sites));
    comeFrom(frame, name, new Set(args.flatMap((arg) => [...outcomesOf(frame, arg)])));
  }
}

/** Calls that one name can wait for: a text that a thousand calls have gone into waits for none in particular. */
const MOST_SITES = 48;

export function waitFor(frame: Frame, name: string, sites: ReadonlySet<number>): void {
  if (sites.size === 0) return;
  const own = frame.sites.get(name) ?? new Set();
  const size = own.size;
  for (const site of sites) if (own.size < MOST_SITES) own.add(site);
  frame.sites.set(name, own);
  if (own.size !== size) frame.changes += 1;
}

export function comeFrom(frame: Frame, name: string, sites: ReadonlySet<number>): void {
  if (sites.size === 0) return;
  const own = frame.outcomes.get(name) ?? new Set();
  const size = own.size;
  for (const site of sites) if (own.size < MOST_SITES) own.add(site);
  frame.outcomes.set(name, own);
  if (own.size !== size) frame.changes += 1;
}

/** A call's own outcome, that of what it is a method of, and of promises that it was given: `withTimeout(upload(p))`. */
export function outcomesOfCall(frame: Frame, event: Event & { event: "call" }): ReadonlySet<number> {
  const sites = new Set([event.id]);
  const passes = event.callee.op === "global" || (event.callee.op === "member" && event.callee.of.op === "global");
  for (const site of outcomesOf(frame, event.callee)) sites.add(site);
  for (const arg of event.args)
    if (passes || (arg.op === "name" && frame.promised.has(arg.name))) for (const site of outcomesOf(frame, arg)) sites.add(site);
  return sites;
}

/** A deletion throws: what is left behind then is no slip of the code. */
export function untidy(state: State): State {
  const ways = new Map<string, Ways>();
  for (const [key, own] of state.ways)
    ways.set(
      key,
      mapWays(own, (way) => way | UNTIDY),
    );
  return { env: state.env, ways };
}

/** What is waited for throws: the uploads that were under way have failed. */
export function refused(frame: Frame, state: State, sites: ReadonlySet<number>): State {
  if (sites.size === 0) return state;
  const ways = new Map(state.ways);
  for (const record of frame.files.values()) {
    if (![...record.sites].some((site) => sites.has(site))) continue;
    const own = waysOf(state, record.value);
    if (own.some((way) => way & PENDING))
      ways.set(
        record.value.key,
        mapWays(own, (way) => (way & PENDING ? (way & ~(UPLOADED | PENDING)) | REFUSED : way)),
      );
  }
  return { env: state.env, ways };
}

export function settle(frame: Frame, state: State, sites: ReadonlySet<number>): boolean {
  if (sites.size === 0) return false;
  let settled = false;
  for (const record of frame.files.values()) {
    if (![...record.sites].some((site) => sites.has(site))) continue;
    const ways = waysOf(state, record.value);
    if (!ways.some((way) => way & PENDING)) continue;
    settled = true;
    state.ways.set(
      record.value.key,
      mapWays(ways, (way) => way & ~PENDING),
    );
  }
  return settled;
}
