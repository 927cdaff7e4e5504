import { writeFile } from "node:fs/promises";
import path from "node:path";
import { workerData } from "node:worker_threads";
import { JobManager } from "offcut";

const { root, id } = workerData;
const jobs = new JobManager({ root, policy: { retentionHours: 0 } });
const job = await jobs.startJob(id, "subtitles");
try {
  for (let i = 1; i <= 3; i++) {
    const file = path.join(job.directory("subtitles"), `${i}.srt`);
    await writeFile(file, `part ${i} of ${id}`);
    await job.addFile(file);
  }
  const { deletedFiles, errors } = await job.complete();
  console.log(`${id}: ${job.state}, ${deletedFiles} files gone, ${errors.length} errors`);
} catch (error) {
  await job.fail(error);
  console.log(`${id}: ${error.message}`);
}
