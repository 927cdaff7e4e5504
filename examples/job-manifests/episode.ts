/** What is made of one episode: for every expression a slide, a clip, subtitles and a part; of the parts a long and a short video. */
import { rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { runFfmpeg } from "../ffmpeg.ts";

/** Where the temporary files of a job go: directories that are there, absolute. */
export interface Places {
  readonly slides: string;
  readonly expressions: string;
  readonly subtitles: string;
  readonly videos: string;
}

const ENCODE = [
  "-c:v",
  "libx264",
  "-preset",
  "ultrafast",
  "-pix_fmt",
  "yuv420p",
  "-threads",
  "1",
  "-c:a",
  "aac",
  "-ar",
  "44100",
  "-ac",
  "1",
];
const SIZE = "160x90";
const SECONDS = 1;

/** Makes what one expression needs and returns its part of the video: first the slide, then the clip, one voice over both. */
export async function makePart(places: Places, number: number, expression: string): Promise<string> {
  const name = `expression-${number}`;
  const slide = join(places.slides, `${name}.png`);
  const clip = join(places.expressions, `${name}.mkv`);
  const part = join(places.videos, `${name}.mp4`);
  const voice = `sine=frequency=${200 + expression.length * 10}:duration=${SECONDS}`;
  const both = "[0:v]fps=15,setsar=1[s];[1:v]setsar=1[c];[s][c]concat=n=2:v=1:a=0[v];[1:a]aloop=loop=1:size=44100[a]";

  await runFfmpeg([
    "-f",
    "lavfi",
    "-i",
    `color=c=0x${(number * 0x1f3b57).toString(16).padStart(6, "0")}:size=${SIZE}`,
    "-frames:v",
    "1",
    slide,
  ]);
  await runFfmpeg(["-f", "lavfi", "-i", `testsrc2=size=${SIZE}:rate=15:duration=${SECONDS}`, "-f", "lavfi", "-i", voice, ...ENCODE, clip]);
  await writeFile(join(places.subtitles, `${name}.srt`), `1\n00:00:00,000 --> 00:00:0${SECONDS},000\n${expression}\n`);
  await runFfmpeg([
    "-loop",
    "1",
    "-t",
    String(SECONDS),
    "-i",
    slide,
    "-i",
    clip,
    "-filter_complex",
    both,
    "-map",
    "[v]",
    "-map",
    "[a]",
    ...ENCODE,
    part,
  ]);
  return part;
}

/** Joins the parts. The video appears under its name only when it is whole. */
export async function makeLong(places: Places, parts: readonly string[], video: string): Promise<void> {
  const list = join(places.videos, "parts.txt");
  await writeFile(list, parts.map((part) => `file '${basename(part)}'\n`).join(""));
  const whole = join(places.videos, "whole.mp4");
  await runFfmpeg(["-f", "concat", "-safe", "0", "-i", list, "-c", "copy", "-movflags", "+faststart", whole]);
  await rename(whole, video);
}

/** Cuts one part upright, for telephones. */
export async function makeShort(places: Places, part: string, video: string): Promise<void> {
  const upright = join(places.videos, "upright.mp4");
  await runFfmpeg(["-i", part, "-vf", "crop=50:90", ...ENCODE, "-movflags", "+faststart", upright]);
  await rename(upright, video);
}
