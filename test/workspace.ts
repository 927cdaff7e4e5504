/**
 * Workspaces for tests: a directory with the layout of the video generator, a real SQLite database, a real final video.
 * The intermediates are dummy bytes, so that a test has its files in milliseconds; `examples/video-generator` makes real ones.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { findFfmpeg } from "../examples/ffmpeg.ts";

export interface FileState {
  readonly bytes: number;
  /** With the bits that say what kind of file it is. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** Of the content; of the target for a link; empty for a directory. */
  readonly sha256: string;
}

export interface Workspace {
  /** Absolute, without links. */
  readonly root: string;
  /** The absolute path of a relative one. */
  path(rel: string): string;
  /** Writes so many bytes (1000), or these, and makes the directories; `ageMs` sets the mtime back. Returns the absolute path. */
  write(rel: string, bytes?: number | Uint8Array, ageMs?: number): string;
  /** Executes SQL on `data/app.db` through a connection that is closed afterwards. Foreign keys hold, so deletions cascade. */
  sql(text: string): void;
  /** All files and links below the root, relative, sorted, without `.offcut/` and `data/`. */
  files(): string[];
  /** The state of the same files; with `everything` also of `.offcut/`, `data/` and the directories (names ending in `/`). */
  snapshot(options?: { readonly everything?: boolean }): Map<string, FileState>;
  dispose(): void;
}

export interface ProjectOptions {
  /** `complete` unless told. */
  readonly status?: string;
  /** 2 unless told. */
  readonly scenes?: number;
  /** State of the final video: `complete` for a complete project, else there is none, nor a row for it. `missing` is a row without file. */
  readonly final?: "complete" | "truncated" | "empty" | "missing" | "link";
  /** Whether a final has a thumbnail: yes unless told. */
  readonly thumbnail?: boolean;
  /** Provider clips, `provider/video`, one scene after the other and again from the first. Unless told, each scene has its own. */
  readonly clips?: readonly string[];
  /** Size of every intermediate file; 1000 unless told. */
  readonly sceneBytes?: number;
}

/** A connection that another process holds open, so that what it writes stays in the WAL. */
export interface Writer {
  exec(sql: string): void;
  /** Closes it properly: when it was the last connection, SQLite moves the WAL into the database and deletes it. */
  close(): void;
  /** Kills the process: the WAL stays. */
  crash(): Promise<void>;
}

const DATABASE = "data/app.db";
const made = new Map<string, Buffer>();

/** A new temporary workspace with `offcut.json`. Without `schema` it has no database. */
export function makeWorkspace(options: { readonly schema?: boolean } = {}): Workspace {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "offcut-test-")));
  const path = (rel: string): string => join(root, rel);
  const write: Workspace["write"] = (rel, bytes = 1000, ageMs) => {
    const file = path(rel);
    mkdirSync(dirname(file), { recursive: true });
    // The name as content: no two files of a workspace are the same.
    writeFileSync(file, typeof bytes === "number" ? Buffer.alloc(bytes, rel) : bytes);
    if (ageMs !== undefined) utimesSync(file, new Date(), new Date(Date.now() - ageMs));
    return file;
  };

  write("offcut.json", Buffer.from(`${JSON.stringify({ preset: "video-generator", database: { path: DATABASE } }, null, 2)}\n`));
  if (options.schema !== false) write(DATABASE, once("database", makeDatabase));

  const list = (everything: boolean): string[] => walk(root, "", everything).sort();
  return {
    root,
    path,
    write,
    sql: (text) => withDatabase(path(DATABASE), (database) => database.exec(text)),
    files: () => list(false),
    snapshot: ({ everything = false } = {}) => new Map(list(everything).map((rel) => [rel, stateOf(path(rel))])),
    dispose: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Writes the files of a project and, when the workspace has a database, its rows. */
export function addProject(workspace: Workspace, id: string, options: ProjectOptions = {}): void {
  const { status = "complete", scenes = 2, thumbnail = true, sceneBytes = 1000 } = options;
  const final = options.final ?? (status === "complete" ? "complete" : undefined);
  const numbers = Array.from({ length: scenes }, (_, index) => index + 1);
  const drafts = numbers.map((number) => {
    const clip = options.clips?.[(number - 1) % options.clips.length] ?? `nasa/${id}-${number}`;
    return { number, clip, ...scenePaths(id, number, clip) };
  });

  for (const { number, clip, audio, segment } of drafts) {
    workspace.write(audio, sceneBytes);
    workspace.write(segment, sceneBytes);
    workspace.write(`.cache/assembly/${id}/scene-${number}.mp4`, sceneBytes);
    if (!existsSync(workspace.path(`assets/cache/${clip}.mp4`))) workspace.write(`assets/cache/${clip}.mp4`, sceneBytes);
  }
  workspace.write(`.cache/assembly/${id}/concat.txt`, Buffer.from(numbers.map((n) => `file 'scene-${n}.mp4'\n`).join("")));
  const finalPath = `.cache/output/${id}/final.mp4`;
  const thumbnailPath = final !== undefined && thumbnail ? `.cache/output/${id}/final-thumb.jpg` : null;
  if (final !== undefined) writeFinal(workspace, finalPath, final);
  if (thumbnailPath !== null) workspace.write(thumbnailPath, imageBytes());

  if (!existsSync(workspace.path(DATABASE))) return;
  withDatabase(workspace.path(DATABASE), (database) => {
    database.exec("BEGIN IMMEDIATE");
    const completed = status === "complete" ? new Date().toISOString().slice(0, 19).replace("T", " ") : null;
    database
      .prepare("INSERT INTO projects (id, name, status, completed_at) VALUES (?, ?, ?, ?)")
      .run(id, `Project ${id}`, status, completed);
    const sceneRow = database.prepare("INSERT INTO scenes VALUES (?, ?, ?, ?)");
    const audioRow = database.prepare("INSERT INTO audio_files VALUES (?, ?, ?, ?, 2)");
    const visualRow = database.prepare("INSERT INTO visual_suggestions VALUES (?, ?, ?, ?, ?)");
    for (const { number, clip, audio, segment } of drafts) {
      const scene = `${id}-s${number}`;
      const [provider = "", video = ""] = clip.split("/");
      sceneRow.run(scene, id, number, `Scene ${number}`);
      audioRow.run(`${scene}-audio`, id, scene, audio);
      visualRow.run(`${scene}-visual`, scene, provider, video, segment);
    }
    if (final !== undefined) {
      const bytes = videoBytes().length;
      database.prepare("INSERT INTO rendered_videos VALUES (?, ?, ?, ?, ?)").run(`${id}-final`, id, finalPath, thumbnailPath, bytes);
    }
    database.exec("COMMIT");
  });
}

/** Opens the database of a workspace in another process. The calls return when that process has done the work. */
export function openWriter(workspace: Workspace): Writer {
  const mailbox = mkdtempSync(join(tmpdir(), "offcut-writer-"));
  const program = fileURLToPath(new URL("./databaseWriter.ts", import.meta.url));
  const child = spawn(process.execPath, [program, workspace.path(DATABASE), mailbox], { stdio: ["pipe", "ignore", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // A test that failed before it closed its writer must not keep the test run alive.
  child.unref();
  let request = 0;
  const post = (sql: string): void => {
    writeFileSync(join(mailbox, "request"), sql);
    renameSync(join(mailbox, "request"), join(mailbox, `${request}.sql`));
    const done = join(mailbox, `${request++}.done`);
    const deadline = Date.now() + 10_000;
    while (!existsSync(done)) {
      if (Date.now() > deadline) throw new Error(`the database writer did not answer: ${sql}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
    const message = readFileSync(done, "utf8");
    if (message !== "") throw new Error(`${message}: ${sql}`);
  };
  const leave = (): void => rmSync(mailbox, { recursive: true, force: true });
  return {
    exec: post,
    close: () => {
      post("");
      leave();
    },
    crash: async () => {
      child.ref();
      child.kill("SIGKILL");
      await exited;
      leave();
    },
  };
}

/** A complete MP4 with picture and sound, one second long. */
export function videoBytes(): Buffer {
  return once("video", () => {
    const inputs = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=1", "-f", "lavfi", "-i", "sine=duration=1"];
    const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart"];
    return ffmpegOutput("final.mp4", [...inputs, ...codecs]);
  });
}

/** A complete JPEG. */
export function imageBytes(): Buffer {
  return once("image", () => ffmpegOutput("thumb.jpg", ["-f", "lavfi", "-i", "testsrc2=size=160x90", "-frames:v", "1"]));
}

function scenePaths(id: string, number: number, clip: string): { readonly audio: string; readonly segment: string } {
  return {
    audio: `.cache/audio/${id}/scene-${number}.mp3`,
    segment: `.cache/videos/${id}/scene-${number}-${clip.replace("/", "-")}.mp4`,
  };
}

function writeFinal(workspace: Workspace, rel: string, state: NonNullable<ProjectOptions["final"]>): void {
  const video = videoBytes();
  if (state === "complete") workspace.write(rel, video);
  if (state === "truncated") workspace.write(rel, video.subarray(0, Math.floor(video.length * 0.6)));
  if (state === "empty") workspace.write(rel, 0);
  if (state === "link") {
    const target = workspace.write(`library/${rel.split("/").at(-2)}.mp4`, video);
    mkdirSync(dirname(workspace.path(rel)), { recursive: true });
    symlinkSync(target, workspace.path(rel));
  }
}

function makeDatabase(): Buffer {
  return inTemporary((directory) => {
    const file = join(directory, "app.db");
    const schema = readFileSync(new URL("../examples/video-generator/schema.sql", import.meta.url), "utf8");
    withDatabase(file, (database) => {
      database.exec(`PRAGMA journal_mode = WAL; BEGIN; ${schema}; INSERT INTO user_preferences (id) VALUES ('default')`);
      database.exec("PRAGMA user_version = 7; COMMIT");
    });
    return readFileSync(file);
  });
}

function withDatabase(file: string, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file);
  try {
    // A test's database does not have to survive a power cut, and tests want statuses that the pipeline never writes.
    database.exec("PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON");
    work(database);
  } finally {
    database.close();
  }
}

function walk(root: string, rel: string, everything: boolean): string[] {
  return readdirSync(join(root, rel), { withFileTypes: true }).flatMap((entry) => {
    const path = rel + entry.name;
    if (!entry.isDirectory()) return [path];
    if (everything) return [`${path}/`, ...walk(root, `${path}/`, everything)];
    return path === ".offcut" || path === "data" ? [] : walk(root, `${path}/`, everything);
  });
}

function stateOf(path: string): FileState {
  const stat = lstatSync(path, { bigint: true });
  const content = stat.isSymbolicLink() ? readlinkSync(path) : stat.isFile() ? readFileSync(path) : undefined;
  return {
    bytes: stat.isDirectory() ? 0 : Number(stat.size),
    mode: Number(stat.mode),
    mtimeNs: stat.mtimeNs,
    sha256: content === undefined ? "" : createHash("sha256").update(content).digest("hex"),
  };
}

function once(name: string, make: () => Buffer): Buffer {
  const bytes = made.get(name) ?? make();
  made.set(name, bytes);
  return bytes;
}

function ffmpegOutput(name: string, args: readonly string[]): Buffer {
  return inTemporary((directory) => {
    const file = join(directory, name);
    execFileSync(findFfmpeg(), ["-nostdin", "-loglevel", "error", ...args, file]);
    return readFileSync(file);
  });
}

function inTemporary(work: (directory: string) => Buffer): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "offcut-made-"));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
