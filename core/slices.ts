/** Long loops that leave the thread to others now and then: a server answers, an editor draws, a signal is heard. */
import { setImmediate as turn } from "node:timers/promises";

/** How long a loop may have the thread for itself, milliseconds. */
const SLICE_MS = 10;

/** Like `Array.prototype.map`. Throws the signal's reason when it is aborted. */
export async function mapInSlices<Item, Mapped>(
  items: readonly Item[],
  map: (item: Item, i: number) => Mapped,
  signal?: AbortSignal,
): Promise<Mapped[]> {
  signal?.throwIfAborted();
  const mapped: Mapped[] = [];
  let end = performance.now() + SLICE_MS;
  for (const [i, item] of items.entries()) {
    mapped.push(map(item, i));
    if (performance.now() < end) continue;
    await turn();
    signal?.throwIfAborted();
    end = performance.now() + SLICE_MS;
  }
  return mapped;
}
