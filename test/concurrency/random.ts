/** What a campaign does is drawn from a seed; how its processes meet is up to the machine. */
import fc from "fast-check";

export interface Random {
  /** From 0 to `limit` - 1. */
  below(limit: number): number;
  pick<T>(choices: readonly [T, ...T[]]): T;
  chance(of: number): boolean;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z = (z + Math.imul(z ^ (z >>> 7), z | 61)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, pick: (choices) => choices[below(choices.length)] ?? choices[0], chance: (of) => next() < of };
}

/** The seed of this test run (`test/seed.ts`), told when something fails. */
export async function withSeed(work: (seed: number) => Promise<void>): Promise<void> {
  const seed = fc.readConfigureGlobal().seed ?? 1;
  try {
    await work(seed);
  } catch (error) {
    (error as Error).message = `OFFCUT_SEED=${seed}: ${(error as Error).message}`;
    throw error;
  }
}
