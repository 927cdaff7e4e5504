/** A process that runs one job: `node jobChild.ts <root> <id> <lease ms>`. Says "running" when it is at work, and works until it is ended. */
import fs from "node:fs";
import { JobManager } from "../../runtime/index.ts";

const [root = "", id = "", lease = "1000"] = process.argv.slice(2);
const say = (message: string): void => console.error(message);
const jobs = new JobManager({ root, leaseMs: Number(lease), environment: {}, logger: { info: say, warn: say, error: say } });
const job = await jobs.startJob(id, "subtitles");
const file = `${job.directory("subtitles")}/by-${process.pid}.srt`;
fs.writeFileSync(file, "text");
await job.addFile(file);
if (job.problem === undefined) console.log("running");
else console.log(job.problem);

process.stdin.once("data", (line) => {
  const done = String(line).trim() === "complete" ? job.complete() : job.fail();
  void done.then((result) => {
    console.log(JSON.stringify(result));
    process.exit();
  });
});
