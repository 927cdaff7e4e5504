/** A small clip service: a camera reports events, each becomes a clip that somebody fetches soon, or never. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
// In a project of your own: import { ClipStore } from "offcut";
import { ClipStore } from "../../runtime/index.ts";
import { runFfmpeg } from "../ffmpeg.ts";

export interface Service extends AsyncDisposable {
  /** Makes the clip of an event. It appears under its name only when it is whole. Rejects when ffmpeg fails. */
  record(eventId: string): Promise<void>;
  /** Somebody has fetched the clip, so it goes at once. Returns whether there was one. */
  fetched(eventId: string): Promise<boolean>;
}

/**
 * At the start the directory is made and stale clips go; every 15 minutes it is looked after. The limits are those of `offcut.json`, so
 * that the editor and the command line say the same.
 */
export async function startService(root: string, log: (message: string) => void): Promise<Service> {
  const directory = join(root, "data/clips");
  const logger = { info: log, warn: log, error: log };
  const clips = await ClipStore.open({ root, directory, maxAgeHours: 1, maxBytes: "1MB", targetBytes: "900KB", everyMinutes: 15, logger });
  return {
    async record(eventId) {
      const part = join(directory, `${eventId}.part`);
      const picture = "testsrc2=size=320x180:rate=25:duration=2,noise=alls=20:allf=t";
      const encode = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-b:v",
        "400k",
        "-maxrate",
        "400k",
        "-bufsize",
        "200k",
        "-pix_fmt",
        "yuv420p",
      ];
      try {
        await runFfmpeg(["-f", "lavfi", "-i", picture, ...encode, "-threads", "1", "-movflags", "+faststart", "-f", "mp4", part]);
        await rename(part, join(directory, `${eventId}.mp4`));
      } finally {
        await rm(part, { force: true });
      }
    },
    fetched: (eventId) => clips.cleanupClip(eventId),
    [Symbol.asyncDispose]: () => clips.close(),
  };
}
