/** One job from start to end: its files are on record before they are made, and what becomes of them the record decides. */
// In a project of your own: import { JobManager } from "offcut";
import { type JobContext, JobManager } from "../../runtime/index.ts";
import { makeLong, makePart, makeShort } from "./episode.ts";

export interface Episode {
  readonly id: string;
  readonly expressions: readonly string[];
  /** For demonstrations: there is no voice for the expression of this number. */
  readonly failAt?: number;
  /** For demonstrations: the machine kills the process while it is at the expression of this number. */
  readonly killAt?: number;
}

/** Rejects when a step fails; the job has failed then, and its files stay for debugging. */
export async function runJob(root: string, episode: Episode, log: (message: string) => void): Promise<void> {
  const logger = { info: log, warn: log, error: log };
  await using jobs = new JobManager({ root, logger });
  const job = await jobs.startJob(episode.id, "full");
  try {
    await makeVideos(job, episode, log);
  } catch (error) {
    await job.fail(error);
    throw error;
  }
  // Only now may the temporary files go. A failure to clean up is logged and fails nothing: the videos are made.
  await job.complete();
}

async function makeVideos(job: JobContext, episode: Episode, log: (message: string) => void): Promise<void> {
  const places = {
    slides: job.directory("slides"),
    expressions: job.directory("expressions"),
    subtitles: job.directory("subtitles"),
    videos: job.directory("videos"),
  };
  const parts: string[] = [];
  for (const [index, expression] of episode.expressions.entries()) {
    const number = index + 1;
    if (number === episode.failAt) throw new Error(`no voice for "${expression}"`);
    parts.push(await makePart(places, number, expression));
    if (number === episode.killAt) process.kill(process.pid, "SIGKILL");
    log(`made "${expression}"`);
  }
  await makeLong(places, parts, job.finalPath("long_form", `${episode.id}.mp4`));
  await makeShort(places, parts[0]!, job.finalPath("short_form", `${episode.id}.mp4`));
}
