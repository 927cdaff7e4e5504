/** Every benchmark in one go: `npm run bench`. Takes some minutes; a quiet machine gives better figures. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const runs = [
  ["scan.ts", "100000"],
  ["scan.ts", "1000000"],
  ["clean.ts", "10000"],
  ["clips.ts", "100000"],
  ["pressure.ts", ""],
  ["uploads.ts", ""],
  ["check.ts", "--quick"],
] as const;

for (const [file, size] of runs) {
  console.log(`\n## ${file} ${size}\n`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...(size === "" ? [] : [size])], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
