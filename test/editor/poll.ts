/**
 * Asks until the answer is neither undefined nor false, and returns it. Throws after `limit` milliseconds;
 * an error that `probe` throws ends the waiting at once.
 */
export async function poll<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limit = 30_000,
): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`Waited ${limit} ms in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Tries until `attempt` no longer throws, for actions that VS Code may drop while it is busy. Throws the last error after `limit` ms. */
export async function retry<T>(attempt: () => Promise<T>, limit = 30_000): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
