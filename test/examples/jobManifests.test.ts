import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFfmpeg } from "../../examples/ffmpeg.ts";
import { json, offcut } from "../cli/offcut.ts";
import { filesBelow, type PlanJson, runExample, summarize } from "./example.ts";

/** Three expressions, four files each, and the list of parts. */
const PILOT = 13;
const HEIST = 8;
const REUNION = 4;
const FINALS = ["output/long_form/pilot.mp4", "output/short_form/pilot.mp4"];

describe("job-manifests", function () {
  this.timeout(60_000);
  let root: string;
  let printed: string;

  before(() => {
    root = join(mkdtempSync(join(tmpdir(), "offcut-jobs-")), "ws");
    printed = runExample("job-manifests", [root], { AUTO_CLEANUP_ENABLED: undefined, DEBUG: undefined });
  });
  after(() => rmSync(join(root, ".."), { recursive: true, force: true }));

  const temporary = (job: string): readonly string[] => filesBelow(root, "output/jobs").filter((path) => path.includes(`/${job}/`));
  const plan = async (): Promise<PlanJson> => {
    const planned = await offcut(["plan", "--json"], { root });
    assert.equal(planned.code, 0, planned.stderr);
    return json<PlanJson>(planned);
  };
  const reasons = (plan: PlanJson, job: string): readonly string[] => [
    ...new Set(plan.items.filter((item) => item.path.includes(`/${job}/`)).map((item) => `${item.verdict} ${item.reason}`)),
  ];

  it("S2.1, S2.4, P2: the job that succeeded has lost its temporary files and kept finals that play", () => {
    assert.match(printed, /pilot: Cleanup: Deleted 13 files, freed 0\.00 MB \(\d+\.\d KB held for undo until/);
    assert.deepEqual(temporary("pilot"), []);
    for (const final of FINALS) assertPlays(join(root, final));
  });

  it("P1, P4, P10: only what the job type needs was made, finals lie flat", () => {
    const directories = new Set(temporary("heist").map((path) => path.split("/").slice(3, -1).join("/")));
    assert.deepEqual(directories, new Set(["expressions", "slides", "subtitles", "videos"]));
    assert.deepEqual([...filesBelow(root, "output/long_form"), ...filesBelow(root, "output/short_form")], FINALS);
  });

  it("S2.6, P11: a mark beside each directory says how the job stands", () => {
    const marks = filesBelow(root, "output/jobs").filter((path) => path.split("/").length === 3);
    assert.deepEqual(marks, ["output/jobs/heist_processing", "output/jobs/pilot_completed", "output/jobs/reunion_failed"]);
  });

  it("P5: every job has its manifest, outside of what it describes", () => {
    const states = ["pilot", "reunion", "heist"].map((job) => {
      const manifest = JSON.parse(readFileSync(join(root, `.offcut/jobs/${job}.json`), "utf8")) as {
        readonly job: Record<string, unknown>;
      };
      return [manifest.job["state"], manifest.job["error"]];
    });
    assert.deepEqual(states, [
      ["succeeded", undefined],
      ["failed", 'no voice for "bite your tongue"'],
      ["running", undefined],
    ]);
  });

  it("P3, R37: the failed job keeps everything, with the reason", async () => {
    assert.equal(temporary("reunion").length, REUNION);
    assert.deepEqual(reasons(await plan(), "reunion"), ["keep failed-held"]);
  });

  it("R39, R37: the killed job is alive until its lease is over, then abandoned, and keeps everything all the time", async () => {
    assert.match(printed, /heist: killed by SIGKILL/);
    const seen: string[] = [];
    const until = Date.now() + 20_000;
    while (Date.now() < until && seen.at(-1) !== "keep failed-held") seen.push(...reasons(await plan(), "heist"));
    assert.equal(seen.at(-1), "keep failed-held", seen.join(", "));
    assert.ok(seen.slice(0, -1).every((reason) => reason === "keep owner-running"));
    const item = (await plan()).items.find((one) => one.owner === "heist");
    assert.match(item?.evidence.join("; ") ?? "", /abandoned/);
    assert.equal(temporary("heist").length, HEIST);
  });

  it("S2.8, P7, S0.13: undo brings them back, plan says why they may go, clean takes them and nothing else", async () => {
    const undone = await offcut(["undo"], { root });
    assert.equal(undone.code, 0, undone.stderr);
    assert.equal(temporary("pilot").length, PILOT);
    const before = await plan();
    assert.deepEqual(summarize(before), {
      "reclaim owner-succeeded": PILOT,
      "keep failed-held": REUNION + HEIST,
      "keep final-output": FINALS.length,
    });
    const item = before.items.find((one) => one.verdict === "reclaim");
    assert.match(item?.evidence.join("; ") ?? "", /job pilot succeeded .*pilot\.mp4 verified/);

    const cleaned = await offcut(["clean", "--yes"], { root, env: { AUTO_CLEANUP_ENABLED: "false" } });
    assert.equal(cleaned.code, 0, cleaned.stderr);
    assert.deepEqual([temporary("pilot").length, temporary("reunion").length, temporary("heist").length], [0, REUNION, HEIST]);
    for (const final of FINALS) assertPlays(join(root, final));
  });

  it("P3, P7: released by hand, the failed job loses what it left, and only that one", async () => {
    const released = await offcut(["jobs", "release", "reunion"], { root });
    assert.equal(released.code, 0, released.stderr);
    assert.deepEqual(reasons(await plan(), "reunion"), ["reclaim owner-failed"]);
    assert.equal((await offcut(["clean", "--yes"], { root })).code, 0);
    assert.deepEqual([temporary("reunion").length, temporary("heist").length], [0, HEIST]);
  });

  it("S0.10, P6: with automatic cleanup off the next run of the job leaves its files", () => {
    const again = runExample("job-manifests", [root, "--job", "pilot"], { AUTO_CLEANUP_ENABLED: "false" });
    assert.match(again, /automatic cleanup is off/);
    assert.equal(temporary("pilot").length, PILOT);
  });
});

/** Decodes every frame; any complaint of ffmpeg is a failure. */
function assertPlays(file: string): void {
  const { status, stderr } = spawnSync(findFfmpeg(), ["-nostdin", "-v", "error", "-xerror", "-i", file, "-f", "null", "-"]);
  assert.deepEqual({ status, stderr: stderr.toString() }, { status: 0, stderr: "" }, file);
}
