/** Which files other programs have open, where the system can tell (R43): on Linux, of the processes this user may look at. */
import fs from "node:fs";

/** `dev:ino` of every open file below one of the directories. Empty where the system does not say. */
export function openFiles(roots: readonly string[]): ReadonlySet<string> {
  const open = new Set<string>();
  if (process.platform !== "linux") return open;
  const below = roots.map((root) => `${root}/`);
  for (const pid of listOrNothing("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    for (const descriptor of listOrNothing(`/proc/${pid}/fd`)) {
      const link = `/proc/${pid}/fd/${descriptor}`;
      try {
        const target = fs.readlinkSync(link);
        if (!below.some((prefix) => target.startsWith(prefix))) continue;
        const stat = fs.statSync(link, { bigint: true });
        if (stat.isFile()) open.add(`${stat.dev}:${stat.ino}`);
      } catch {
        // Closed meanwhile.
      }
    }
  }
  return open;
}

function listOrNothing(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return []; // The process ended, or belongs to somebody else.
  }
}
