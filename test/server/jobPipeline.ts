/** A pipeline with job manifests, for tests: jobs in every state, with real files. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { loadConfig } from "../../core/config/load.ts";
import { myLease } from "../../core/jobs/lease.ts";
import { MANIFEST_SCHEMA, type Manifest, type ManifestEntry } from "../../core/jobs/manifest.ts";
import { updateManifest } from "../../core/jobs/manifests.ts";
import type { Layout } from "../layout.ts";
import { videoBytes } from "../workspace.ts";

export const JOB_SETTINGS = {
  stores: {
    slides: { path: "output/jobs/{job}/slides/", role: "temp" },
    videos: { path: "output/jobs/{job}/videos/", role: "temp" },
    long_form: { path: "output/long_form/{file}.mp4", role: "final" },
  },
};

interface JobOptions {
  /** `abandoned`: it says that it is running, and its process is gone. */
  readonly state: Manifest["job"]["state"] | "abandoned";
  /** How many of each kind: 2 unless told. */
  readonly files?: number;
  readonly bytes?: number;
}

/** The lease of a running job is that of this process. */
export async function addJob(layout: Layout, id: string, { state, files = 2, bytes = 1000 }: JobOptions): Promise<void> {
  const at = new Date(Date.now() - 60_000).toISOString();
  const entry = (path: string, kind: string, role: ManifestEntry["role"] = "temp"): ManifestEntry => ({ path, kind, role, added: at });
  for (let n = 1; n <= files; n++) {
    layout.write(`output/jobs/${id}/slides/slide-${n}.png`, bytes);
    layout.write(`output/jobs/${id}/videos/cut-${n}.mp4`, bytes);
  }
  const film = `output/long_form/${id}.mp4`;
  if (state === "succeeded") layout.write(film, videoBytes(), 60_000);
  const lease = myLease(50);
  await updateManifest(loadConfig(layout.root).jobs.directory, id, () => ({
    schema: MANIFEST_SCHEMA,
    sequence: 0,
    job: {
      id,
      type: "long_form",
      state: state === "abandoned" ? "running" : state,
      started: at,
      ...((state === "succeeded" || state === "failed") && { ended: at }),
    },
    lease: state === "abandoned" ? { ...lease, pid: deadPid(), started: "1" } : lease,
    makesFinal: true,
    files: state === "succeeded" ? [{ ...entry(film, "long_form", "final"), bytes: fs.statSync(layout.path(film)).size }] : [],
    directories: ["slides", "videos"].map((kind) => entry(`output/jobs/${id}/${kind}`, kind)),
  }));
}

function deadPid(): number {
  return Number(execFileSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }));
}
