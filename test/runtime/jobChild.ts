/**
 * A process that runs one job: `node jobChild.ts <root> <id> <lease ms> [type]`. Says "running" when it is at work, and works until it
 * is ended. Of the type `long_form` it makes a final at once.
 */
import fs from "node:fs";
import { JobManager } from "../../runtime/index.ts";
import { videoBytes } from "../workspace.ts";

const [root = "", id = "", lease = "1000", type = "subtitles"] = process.argv.slice(2);
const say = (message: string): void => console.error(message);
const jobs = new JobManager({ root, leaseMs: Number(lease), environment: {}, logger: { info: say, warn: say, error: say } });
const job = await jobs.startJob(id, type);
const file = `${job.directory("subtitles")}/by-${process.pid}.srt`;
fs.writeFileSync(file, "text");
if (type === "long_form") fs.writeFileSync(job.finalPath(type, `${id}.mp4`), videoBytes());
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
