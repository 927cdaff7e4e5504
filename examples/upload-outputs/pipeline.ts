/**
 * A small video backend: every job makes scenes, joins them and uploads what it made. Whether the local copies go afterwards is what
 * this example is about.
 */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
// In a project of your own: import { deleteLocalFileAfterUpload } from "offcut";
import { deleteLocalFileAfterUpload } from "../../runtime/index.ts";
import { runFfmpeg } from "../ffmpeg.ts";
import type { Remote } from "./remote.ts";

export interface Job {
  readonly id: string;
  /** What is said in each scene. */
  readonly scenes: readonly string[];
}

export interface UploadOptions {
  /** Whether each local copy goes once the remote one is verified. */
  readonly deleteLocal: boolean;
  readonly log: (message: string) => void;
}

const VIDEO = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1", "-movflags", "+faststart"];
const SIZE = "160x90";

/** Makes the files of a job and returns their paths, relative to the root. */
export async function renderJob(root: string, job: Job): Promise<readonly string[]> {
  const directory = `outputs/jobs/${job.id}`;
  const made: string[] = [];
  const make = async (name: string, write: (file: string) => Promise<void>): Promise<string> => {
    const file = join(root, directory, name);
    await mkdir(dirname(file), { recursive: true });
    await write(file);
    made.push(`${directory}/${name}`);
    return file;
  };

  const reference = await make("reference_image.jpg", (file) =>
    runFfmpeg(["-f", "lavfi", "-i", `testsrc2=size=${SIZE}`, "-frames:v", "1", file]),
  );
  const trimmed: string[] = [];
  for (const [index, text] of job.scenes.entries()) {
    const scene = `scenes/${String(index + 1).padStart(3, "0")}`;
    const seconds = Math.max(1, text.split(" ").length * 0.3);
    const video = await make(`${scene}/video.mp4`, (file) =>
      runFfmpeg(["-loop", "1", "-i", reference, "-vf", "noise=alls=10:allf=t", "-t", String(seconds + 1), "-r", "15", ...VIDEO, file]),
    );
    const lipsync = await make(`${scene}/lipsync.mp4`, (file) => {
      const voice = `sine=frequency=${200 + text.length}:duration=${seconds + 1}`;
      return runFfmpeg(["-i", video, "-f", "lavfi", "-i", voice, "-c:v", "copy", "-c:a", "aac", "-shortest", file]);
    });
    trimmed.push(await make(`${scene}/trimmed.mp4`, (file) => runFfmpeg(["-i", lipsync, "-t", String(seconds), "-c", "copy", file])));
  }
  const composed = await make("composed.mp4", (file) => {
    const inputs = trimmed.flatMap((part) => ["-i", part]);
    const streams = trimmed.map((_, index) => `[${index}:v][${index}:a]`).join("");
    const join = ["-filter_complex", `${streams}concat=n=${trimmed.length}:v=1:a=1[v][a]`, "-map", "[v]", "-map", "[a]"];
    return runFfmpeg([...inputs, ...join, ...VIDEO, "-c:a", "aac", file]);
  });
  await make("video.mp4", (file) =>
    runFfmpeg(["-i", composed, "-c", "copy", "-metadata", `title=${job.id}`, "-movflags", "+faststart", file]),
  );
  await make("metadata.json", (file) => writeFile(file, `${JSON.stringify({ job: job.id, scenes: job.scenes }, null, 2)}\n`));
  return made;
}

/**
 * Uploads files under their own paths as keys. For each the order is: upload, look at what the remote store has, write down where it
 * is, and only then delete the local copy. A failure ends it; what was not uploaded stays for the next try.
 */
export async function uploadJob(root: string, files: readonly string[], remote: Remote, options: UploadOptions): Promise<void> {
  const logger = { info: () => {}, warn: options.log, error: options.log };
  for (const path of files) {
    const file = join(root, path);
    await remote.put(path, await readFile(file));
    const verified = await remote.head(path);
    await appendFile(join(root, "uploads.jsonl"), `${JSON.stringify({ path, url: verified.url })}\n`, { flush: true });
    if (options.deleteLocal) await deleteLocalFileAfterUpload(file, { verified, root, logger });
  }
}
