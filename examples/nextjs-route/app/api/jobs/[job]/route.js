import { writeFile } from "node:fs/promises";
import path from "node:path";
import { CleanupPolicy, deleteLocalFileAfterUpload, JobManager } from "offcut";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

const root = process.env.PIPELINE_ROOT ?? ".";

/** Writes the subtitles of one job. What it leaves on the disk is cleaned when it is done, and kept for debugging when it failed. */
export async function POST(request, { params }) {
  const { job: id } = await params;
  const { lines } = await request.json();
  // Without a policy that of offcut.json counts.
  const policy = process.env.CLEANUP_POLICY ? await CleanupPolicy.load(process.env.CLEANUP_POLICY) : undefined;
  const jobs = new JobManager({ root, ...(policy && { policy }) });
  const job = await jobs.startJob(id, "subtitles");
  try {
    if (lines.length === 0) throw new Error("there is nothing to say");
    const file = path.join(job.directory("subtitles"), "all.srt");
    await job.addFile(file);
    await writeFile(file, lines.join("\n"));

    const copy = path.join(job.directory(), "upload.srt");
    await writeFile(copy, lines.join("\n"));
    // … the upload goes here; when the awaited call returned, the local copy can go.
    const gone = await deleteLocalFileAfterUpload(copy);

    const { deletedFiles, errors } = await job.complete();
    return Response.json({ id, state: job.state, gone, deletedFiles, errors });
  } catch (error) {
    await job.fail(error);
    return Response.json({ id, state: job.state, error: error.message }, { status: 500 });
  }
}
