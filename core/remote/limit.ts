/** At most so many tasks of a kind at a time. */
export type Limit = <Result>(task: () => Promise<Result>) => Promise<Result>;

/** Those that wait are started in the order in which they came. */
export function makeLimit(most: number): Limit {
  const waiting: (() => void)[] = [];
  let free = most;
  return async (task) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
