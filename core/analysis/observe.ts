/** What the rules want to know of a run, noted as it happens. */
import type { Moment, Removal } from "./effects.ts";
import type { Block, Exit } from "./flow.ts";
import type { Frame, Observation, State } from "./frame.ts";
import { isBelow } from "./paths.ts";
import { waysOf } from "./records.ts";
import type { Ways } from "./summary.ts";
import type { Values } from "./value.ts";

export function observe(frame: Frame, state: State, what: Observation["what"], files: Values, moment: Moment, removal?: Removal): void {
  if (frame.scratch) return;
  if (frame.inDeadCode && what !== "delete") return;
  const keys = files.map((file) => file.key);
  const observation: Observation = {
    what,
    step: moment.step,
    files: keys,
    ways: files.map((file) => waysOf(state, file)),
    block: moment.blockIndex,
    values: files,
    direct: moment.step.inner === undefined,
    ...(removal?.recursive && { below: waysBelow(frame, state, files) }),
    ...(removal && {
      recursive: removal.recursive,
      escapes: removal.caught !== true && (moment.block.handler === undefined || isHandedOn(frame, moment.block.handler)),
      guarded: removal.caught === true,
      awaited: removal.awaited ?? true,
      caught: moment.block.caught === true,
    }),
  };
  const list = frame.inDeadCode ? frame.dead : frame.observed;
  const at = list.findIndex((other) => other.what === what && other.step === moment.step && other.block === moment.blockIndex);
  if (at >= 0) list[at] = observation;
  else list.push(observation);
}

/** Whether whoever catches an exception throws it on, or hands it to a callback: `catch (error) { done(error); }`. */
function isHandedOn(frame: Frame, handler: number): boolean {
  const { blocks } = frame.fn;
  const seen = new Set<number>();
  for (let at: number | undefined = handler; at !== undefined && !seen.has(at);) {
    seen.add(at);
    const block: Block | undefined = blocks[at];
    if (!block?.caught) return false;
    for (const event of block.events)
      if (
        event.event === "call" &&
        event.args.length > 0 &&
        event.callee.op === "name" &&
        /^(?:done|next|cb|callback|reject|fail)$/i.test(frame.module.written[event.callee.name] ?? "")
      )
        return true;
    const exit: Exit = block.exit;
    if (exit.exit === "throw") return block.handler === undefined;
    at = exit.exit === "goto" ? exit.to : undefined;
  }
  return false;
}

function waysBelow(frame: Frame, state: State, directories: Values): ReadonlyMap<string, Ways> {
  const below = new Map<string, Ways>();
  for (const { value } of frame.files.values())
    if (directories.some((directory) => isBelow(value, directory))) below.set(value.key, waysOf(state, value));
  return below;
}
