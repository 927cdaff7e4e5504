/**
 * `node clipMaker.ts ROOT CLIPS SECONDS` (forked by `soak.ts`): a pipeline that writes small clips of events all the time, now and
 * then in bursts. Some are pinned for a while, some are read for a while, and some files beside them are none that Offcut manages.
 * Answers at the end with how many it made.
 */
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { addPin, removePin } from "../core/reclaim/records.ts";

/** Bytes: from the least to twice the mean. */
const LEAST_CLIP = 1024;
const MEAN_CLIP = 8 * 1024;
const TICK_MS = 100;
/** Every so often, for so long, at so many times the mean rate, seconds. */
const BURST = { every: 45, lasts: 6, times: 4 };
/** How many live at a time, and how long, seconds. A pin or a reader outlives the age of a clip. */
const PINNED = { most: 20, seconds: 100 };
const READ = { most: 10, seconds: 80 };
const UNMANAGED = { most: 5, seconds: 40, bytes: 64 * 1024 };
/** A file of somebody else that alone is as large as a store of clips may be: it blocks the target. Seconds, and part of a minute's clips. */
const FILM = { every: 240, lasts: 20, share: 1 };

export interface Made {
  readonly clips: number;
  readonly bytes: number;
  readonly pinned: number;
  readonly read: number;
  readonly unmanaged: number;
  readonly films: number;
}

interface Living {
  readonly until: number;
  end(): void;
}

if (process.send) await make(process.argv[2] ?? "", Number(process.argv[3]), Number(process.argv[4]));

async function make(root: string, clips: number, seconds: number): Promise<void> {
  const directory = join(root, "clips");
  mkdirSync(directory, { recursive: true });
  const noise = Buffer.alloc(2 * MEAN_CLIP, "clip");
  const start = performance.now();
  const living = { pinned: [] as Living[], read: [] as Living[], unmanaged: [] as Living[] };
  const made = { clips: 0, bytes: 0, pinned: 0, read: 0, unmanaged: 0, films: 0 };
  const write = (name: string): string => {
    const bytes = LEAST_CLIP + Math.floor(Math.random() * 2 * (MEAN_CLIP - LEAST_CLIP));
    writeFileSync(join(directory, name), noise.subarray(0, bytes));
    made.clips++;
    made.bytes += bytes;
    return name;
  };
  const add = (
    kind: keyof typeof living,
    now: number,
    { most, seconds: lasts }: { most: number; seconds: number },
    begin: () => () => void,
  ) => {
    if (living[kind].length >= most || Math.random() > (most / lasts) * (TICK_MS / 1000) * 2) return;
    living[kind].push({ until: now + lasts * 1000, end: begin() });
    made[kind]++;
  };
  const calm = (BURST.every - BURST.lasts * BURST.times) / (BURST.every - BURST.lasts);
  let due = 0;
  let film: (() => undefined) | undefined;
  for (let last = start; made.clips < clips;) {
    const now = performance.now();
    const second = (now - start) / 1000;
    due += ((now - last) / 1000) * (clips / seconds) * (second % BURST.every < BURST.lasts ? BURST.times : calm);
    last = now;
    for (; due >= 1 && made.clips < clips; due--) write(`${made.clips}.mp4`);
    for (const kind of ["pinned", "read", "unmanaged"] as const)
      while (living[kind][0] && living[kind][0].until <= now) living[kind].shift()?.end();
    add("pinned", now, PINNED, () => {
      // Pinned before it is there, so that no round comes between.
      const value = `clips/pinned-${made.clips}.mp4`;
      addPin(root, { kind: "file", value, added: new Date().toISOString() });
      write(value.slice("clips/".length));
      return () => removePin(root, "file", value);
    });
    add("read", now, READ, () => {
      const handle = openSync(join(directory, write(`read-${made.clips}.mp4`)), "r");
      return () => closeSync(handle);
    });
    add("unmanaged", now, UNMANAGED, () => {
      const file = join(directory, `recording-${made.unmanaged}.part`);
      writeFileSync(file, noise.subarray(0, UNMANAGED.bytes));
      return () => rmSync(file);
    });
    if ((second + FILM.every / 2) % FILM.every < FILM.lasts) {
      if (!film) made.films++;
      film ??= makeFilm(directory, (clips / seconds) * 60 * MEAN_CLIP * FILM.share);
    } else film = film?.();
    await delay(TICK_MS);
  }
  for (const kind of ["pinned", "read", "unmanaged"] as const) for (const one of living[kind]) one.end();
  film?.();
  process.send?.(made satisfies Made);
  process.disconnect();
}

/** Its size is what counts, so it needs no blocks. */
function makeFilm(directory: string, bytes: number): () => undefined {
  const file = join(directory, "film.mkv");
  writeFileSync(file, "");
  truncateSync(file, bytes);
  return () => {
    rmSync(file);
    return undefined;
  };
}
