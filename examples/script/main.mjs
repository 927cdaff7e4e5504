/**
 * A plain script: one job with two temporary files and a final, a clip store, and a cleanup by hand.
 * `node main.mjs <directory>`; README.md says where it finds the library.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { CleanupService, ClipStore, JobManager } from "offcut";

const root = path.resolve(process.argv[2] ?? "demo-script");
const signal = AbortSignal.timeout(60_000);

const jobs = new JobManager({ root, signal, policy: { retentionHours: 0 } });
const job = await jobs.startJob("episode-1", "expressions");
try {
  for (const [kind, name] of [
    ["expressions", "1.json"],
    ["subtitles", "all.srt"],
  ]) {
    const file = path.join(job.directory(kind), name);
    await writeFile(file, `${kind} of the episode`);
    await job.addFile(file);
  }
  const { deletedFiles, heldSpace } = await job.complete();
  console.log(`job: ${job.state}, ${deletedFiles} files gone, ${heldSpace} bytes held for undo`);
} catch (error) {
  await job.fail(error);
  process.exitCode = 1;
}

const clips = await ClipStore.open({ directory: path.join(root, "data/clips"), root, signal });
await writeFile(path.join(clips.directory, "goal-7.mp4"), "a clip");
console.log(`clip: ${await clips.cleanupClip("goal-7")}, then ${await clips.cleanupClip("goal-7")}`);
await clips.close();

const service = new CleanupService({ root });
const { files } = await service.manualCleanup("output/jobs/**");
console.log(`left by hand: ${files.length}`);
