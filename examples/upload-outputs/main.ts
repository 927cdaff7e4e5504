/**
 * Makes a workspace to try Offcut on: `node examples/upload-outputs/main.ts [directory]`. Uploads to the bucket `offcut-demo` of the
 * store that AWS_ENDPOINT_URL_S3 names; without it, to a directory beside the workspace.
 */
import { join, resolve } from "node:path";
import { readConfig, writeMissing, writeVersion } from "../settings.ts";
import { type Job, renderJob, uploadJob } from "./pipeline.ts";
import { breakAfter, openBucket, openDirectory, type Remote } from "./remote.ts";

const BUCKET = "offcut-demo";

interface Demo extends Job {
  readonly deleteLocal: boolean;
  /** The upload breaks after so many objects. */
  readonly breakAfter?: number;
}

const DEMOS: readonly Demo[] = [
  { id: "aurora", scenes: ["Green light over the fjord", "and nobody speaks"], deleteLocal: true },
  // Code without the call that deletes: everything was uploaded, and everything is still here.
  { id: "breeze", scenes: ["The first wind of spring", "turns every page"], deleteLocal: false },
  { id: "cinder", scenes: ["What the fire left", "is warm until morning"], deleteLocal: true, breakAfter: 3 },
];

try {
  await makeDemo();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}

async function makeDemo(): Promise<void> {
  const root = resolve(process.argv[2] ?? "demo-uploads");
  const endpoint = process.env["AWS_ENDPOINT_URL_S3"];
  const remote = endpoint === undefined ? openDirectory(`${root}-remote`) : await openBucket(BUCKET);
  // A directory is no store that Offcut could ask, so there are no addresses to give.
  const plain = '{ "preset": "upload-outputs" }\n';
  const addressed = readConfig(new URL("offcut.json", import.meta.url), root);
  writeVersion(join(root, "offcut.json"), endpoint === undefined ? [plain, addressed] : [addressed, plain]);
  writeMissing(root, { ".gitignore": ".offcut/\noutputs/\n" });
  for (const demo of DEMOS) await render(root, demo, remote);
  console.log(`Workspace: ${root}`);
  console.log(`Uploads:   ${endpoint === undefined ? `${root}-remote` : `s3://${BUCKET} at ${endpoint}`}`);
}

async function render(root: string, demo: Demo, remote: Remote): Promise<void> {
  const log = (message: string): void => console.log(`${demo.id}: ${message}`);
  const files = await renderJob(root, demo);
  log(`made ${files.length} files`);
  try {
    const target = demo.breakAfter === undefined ? remote : breakAfter(remote, demo.breakAfter);
    await uploadJob(root, files, target, { deleteLocal: demo.deleteLocal, log });
    log(demo.deleteLocal ? "uploaded, local copies deleted" : "uploaded, local copies forgotten");
  } catch (error) {
    // This one is meant to fail; any other failure ends the program.
    if (demo.breakAfter === undefined) throw error;
    log(messageOf(error));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
