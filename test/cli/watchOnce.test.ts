import assert from "node:assert/strict";
import fs from "node:fs";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { type Outcome, offcut } from "./offcut.ts";

/** What cron would mail. */
const said = ({ stdout, stderr }: Outcome): string => stdout + stderr;

describe("offcut watch --once, every 15 minutes", function () {
  this.timeout(60_000);
  let ws: Workspace;

  beforeEach(() => {
    ws = makeWorkspace({ schema: false });
  });
  afterEach(() => ws.dispose());

  const configure = (settings: object): void => void ws.write("offcut.json", Buffer.from(JSON.stringify(settings)));
  const once = (...args: string[]): Promise<Outcome> => offcut(["watch", "--once", ...args], ws);
  const CLIPS = { path: "clips/{event}.mp4", role: "clip", maxAge: "1h" };

  /** As if everything had been said that much earlier. */
  function ageWhatWasTold(ms: number): void {
    const file = ws.path(".offcut/told.json");
    const state = JSON.parse(fs.readFileSync(file, "utf8")) as { told: Record<string, string> };
    const told = Object.fromEntries(Object.entries(state.told).map(([key, at]) => [key, new Date(Date.parse(at) - ms).toISOString()]));
    assert.ok(Object.keys(told).length > 0);
    fs.writeFileSync(file, JSON.stringify({ ...state, told }));
  }

  it("R20: says a brake once a day for as long as it holds, and again when it comes back", async () => {
    ws.dispose();
    ws = makeWorkspace();
    const brake = (files: number): void => configure({ preset: "video-generator", policy: { grace: "0s", brake: { files } } });
    brake(2);
    addProject(ws, "busy", { status: "rendering" });
    addProject(ws, "p1");
    assert.ok(!fs.existsSync(ws.path(".offcut")));
    const first = await once();
    assert.equal(first.code, 4);
    const [, count] = /STOPPED BY THE BRAKE[^]*- (\d+) files are more than 2 \(policy\.brake\.files\)/.exec(said(first)) ?? [];
    addProject(ws, "p2");
    const second = await once();
    assert.deepEqual([second.code, said(second)], [4, ""], "another count of files is the same brake");
    ageWhatWasTold(24 * 3_600_000);
    const later = said(await once());
    assert.match(later, /STOPPED BY THE BRAKE/);
    assert.ok(!later.includes(` ${count} files are more`), later);
    assert.match(said(await once("--verbose")), /STOPPED BY THE BRAKE/);
    brake(1000);
    assert.match(said(await once()), /Cleanup: Deleted/);
    brake(2);
    addProject(ws, "p3");
    assert.match(said(await once()), /STOPPED BY THE BRAKE/);
    fs.writeFileSync(ws.path(".offcut/told.json"), "{");
    assert.match(said(await once()), /STOPPED BY THE BRAKE/, "a damaged memory remembers nothing");
  });

  it("R56: says that a store is too full once a day, whatever its figures and files are", async () => {
    configure({ stores: { clips: { ...CLIPS, maxBytes: "1KB" } } });
    ws.write("clips/notes.txt", 5000);
    assert.match(said(await once()), /storage pressure: the store "clips" has 4\.9 KB[^]*clips\/notes\.txt/);
    ws.write("clips/more.txt", 2_000_000);
    const second = await once();
    assert.deepEqual([second.code, said(second)], [0, ""]);
    ageWhatWasTold(24 * 3_600_000);
    assert.match(said(await once()), /has 1\.9 MB[^]*clips\/more\.txt/);
  });

  it("R32: says once that a manifest is damaged, and names its path once", async () => {
    configure({ preset: "job-manifests" });
    ws.write(".offcut/jobs/torn.json", Buffer.from("{"));
    ws.write("output/jobs/torn/slides/1.png", 10);
    const first = await once();
    assert.equal(first.code, 3);
    const file = ws.path(".offcut/jobs/torn.json");
    assert.equal(said(first).split(file).length - 1, 1, said(first));
    assert.match(said(first), /everything is kept: .*torn\.json is damaged .*offcut jobs forget torn/);
    const second = await once();
    assert.deepEqual([second.code, said(second)], [3, ""]);
    const jobs = await offcut(["jobs"], ws);
    assert.equal(jobs.stderr.split(file).length - 1, 1, jobs.stderr);
  });

  it("S0.10: says once that automatic cleanup is off, also where nothing was ever cleaned", async () => {
    configure({ stores: { clips: CLIPS }, policy: { enabled: false } });
    assert.match(said(await once()), /automatic cleanup is off \(policy\.enabled\)/);
    assert.equal(said(await once()), "");
  });
});
