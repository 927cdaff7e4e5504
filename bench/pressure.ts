/**
 * Does a limit of bytes look at the directory again for each file that has to go? `node bench/pressure.ts`. A store has twice as many
 * files as it should have; one round of `enforce` deletes the older half, traced: every directory that is read, and every file that is
 * looked at, is a system call, and is counted. Needs strace.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SIZES = [1000, 10_000];
const CLIP_BYTES = 4096;
const home = mkdtempSync(join(tmpdir(), "offcut-bench-"));

interface Counted {
  readonly files: number;
  readonly calls: ReadonlyMap<string, number>;
  /** Openings of the store's directory to read it. */
  readonly listings: number;
}

try {
  report(SIZES.map(count));
} finally {
  rmSync(home, { recursive: true, force: true });
}

/** One round that deletes so many files. */
function count(files: number): Counted {
  const root = join(home, String(files));
  const clips = join(root, "data/clips");
  mkdirSync(clips, { recursive: true });
  const store = {
    path: "data/clips/{event}.mp4",
    role: "clip",
    maxBytes: `${files * CLIP_BYTES * 1.5}B`,
    targetBytes: `${files * CLIP_BYTES}B`,
  };
  writeFileSync(join(root, "offcut.json"), JSON.stringify({ stores: { clips: store }, policy: { brake: { files: files * 2 } } }));
  const content = Buffer.alloc(CLIP_BYTES, 7);
  for (let i = 0; i < 2 * files; i++) {
    const file = join(clips, `event-${i}.mp4`);
    writeFileSync(file, content);
    const then = new Date(Date.now() - (2 * files - i) * 1000);
    utimesSync(file, then, then);
  }
  const log = join(home, `${files}.log`);
  const program = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
  const command = [process.execPath, program, "watch", "--once", "--root", root];
  const { status, stderr } = spawnSync(
    "strace",
    ["-f", "-qq", "-y", "-e", "trace=getdents64,lstat,stat,newfstatat,statx", "-o", log, ...command],
    {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      env: { ...process.env, AUTO_CLEANUP_ENABLED: "true", NODE_COMPILE_CACHE: join(home, "cache") },
    },
  );
  if (status !== 0) throw new Error(`the round failed: ${stderr}`);
  const left = readdirSync(clips).length;
  if (left !== files) throw new Error(`${left} files are left of ${2 * files}`);
  const calls = new Map<string, number>();
  const add = (name: string): void => void calls.set(name, (calls.get(name) ?? 0) + 1);
  let listings = 0;
  for (const line of readFileSync(log, "utf8").split("\n")) {
    const [, name = ""] = /^\d+ +(\w+)\(/.exec(line) ?? [];
    if (name === "getdents64") {
      const inStore = line.includes(`${clips}>`);
      add(inStore ? "store" : line.includes("</proc") ? "processes" : "other");
      // The last call of each listing says that there is no more.
      if (inStore && line.endsWith("= 0")) listings++;
    } else if (name !== "" && line.includes(".mp4")) add("stat");
  }
  return { files, calls, listings };
}

function report(counted: readonly Counted[]): void {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, load ${loadavg()[0]?.toFixed(1) ?? "?"}, Node ${process.versions.node}, under strace\n`,
  );
  console.log(`| one round of \`maxBytes\` | ${counted.map(({ files }) => `${files} of ${2 * files} go`).join(" | ")} |`);
  console.log(`|---|${counted.map(() => "--:|").join("")}`);
  const row = (what: string, of: (one: Counted) => string | number): void =>
    console.log(`| ${what} | ${counted.map((one) => String(of(one))).join(" | ")} |`);
  row("the store's directory read from its beginning to its end", ({ listings }) => listings);
  row("`getdents64` in it", ({ calls }) => calls.get("store") ?? 0);
  row("`getdents64` in `/proc`, to see which clips are open: once per batch of 1,024", ({ calls }) => calls.get("processes") ?? 0);
  row("`getdents64` elsewhere", ({ calls }) => calls.get("other") ?? 0);
  row("looks at a clip, per clip that is there", ({ calls, files }) => ((calls.get("stat") ?? 0) / (2 * files)).toFixed(2));
}
