import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runFfmpeg } from "../ffmpeg.ts";

/** Where a pipeline step works: the workspace, the picture size, and the way to stop it. */
export interface Studio {
  readonly root: string;
  /** Width × height of the clips, e.g. `320x180`. */
  readonly size: string;
  readonly signal?: AbortSignal | undefined;
}

const CLIP_SECONDS = 5;
const ENCODE = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "800k", "-g", "25", "-pix_fmt", "yuv420p", "-threads", "1"];
const FASTSTART = ["-movflags", "+faststart", "-f", "mp4"];

/** How long it takes to say a text, in seconds. */
export function speakingSeconds(text: string): number {
  return Math.max(1, text.split(/\s+/).length * 0.4);
}

/** A tone that comes and goes stands in for a voice. */
export async function narrate(studio: Studio, text: string, audio: string): Promise<void> {
  const file = await prepare(studio, audio);
  const tone = `sine=frequency=${180 + (text.length % 12) * 20}:duration=${speakingSeconds(text)}:sample_rate=44100,tremolo=f=4:d=0.8`;
  await runFfmpeg(["-f", "lavfi", "-i", tone, "-c:a", "libmp3lame", "-b:a", "128k", file], studio.signal);
}

/**
 * Fetches a clip of a stock footage provider; a moving test picture stands in for the download. The clips are shared by all
 * projects, so one that is there already is not fetched again, and a new one appears under its name only when it is whole.
 */
export async function downloadClip(studio: Studio, clip: string): Promise<void> {
  const file = await prepare(studio, clip);
  if (existsSync(file)) return;
  const picture = `testsrc2=size=${studio.size}:rate=25:duration=${CLIP_SECONDS},noise=alls=12:allf=t`;
  const sound = `anoisesrc=d=${CLIP_SECONDS}:c=pink:a=0.1`;
  await writeWhole(file, (part) =>
    runFfmpeg(
      ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, ...ENCODE, "-c:a", "aac", "-b:a", "96k", ...FASTSTART, part],
      studio.signal,
    ),
  );
}

export async function cutSegment(studio: Studio, clip: string, seconds: number, segment: string): Promise<void> {
  const file = await prepare(studio, segment);
  await runFfmpeg(["-t", String(seconds), "-i", join(studio.root, clip), "-c", "copy", ...FASTSTART, file], studio.signal);
}

/** Puts the narration under the picture of a segment. */
export async function mux(studio: Studio, segment: string, audio: string, scene: string): Promise<void> {
  const file = await prepare(studio, scene);
  const inputs = ["-i", join(studio.root, segment), "-i", join(studio.root, audio), "-map", "0:v", "-map", "1:a"];
  await runFfmpeg([...inputs, "-c:v", "copy", "-c:a", "aac", "-b:a", "96k", "-shortest", ...FASTSTART, file], studio.signal);
}

/** Joins the scenes of `directory` in the given order. The final appears under its name only when it is whole. */
export async function concatenate(studio: Studio, directory: string, scenes: readonly string[], final: string): Promise<void> {
  const list = await prepare(studio, `${directory}/concat.txt`);
  await writeFile(list, scenes.map((name) => `file '${name}'\n`).join(""));
  await writeWhole(await prepare(studio, final), (part) =>
    runFfmpeg(["-f", "concat", "-safe", "0", "-i", list, "-c", "copy", ...FASTSTART, part], studio.signal),
  );
}

export async function takeThumbnail(studio: Studio, video: string, thumbnail: string): Promise<void> {
  const file = await prepare(studio, thumbnail);
  await runFfmpeg(["-ss", "0.5", "-i", join(studio.root, video), "-frames:v", "1", "-q:v", "4", file], studio.signal);
}

/** Makes the directory of a file and returns the file's absolute path. */
async function prepare(studio: Studio, path: string): Promise<string> {
  const file = join(studio.root, path);
  await mkdir(dirname(file), { recursive: true });
  return file;
}

/** Nobody ever sees half a file: it is written under another name in the same directory, then renamed. */
async function writeWhole(file: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${file}.${randomUUID().slice(0, 8)}.part`;
  try {
    await write(part);
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}
