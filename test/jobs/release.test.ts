import assert from "node:assert/strict";
import fs from "node:fs";
import { forgetReleases, readReleases, releaseOwner, releasesFile, unreleaseOwner } from "../../core/jobs/release.ts";
import type { Owner } from "../../core/model.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { makeRoot } from "./samples.ts";

const NOW = Date.parse("2025-01-31T12:00:00.000Z");
const HOURS_24 = 24 * 3_600_000;

function failed(id: string, change: Partial<Owner> = {}): Owner {
  return { id, state: "failed", status: "failed", source: "job manifest", startedMs: NOW - 5000, ...change };
}

describe("release", () => {
  it("R37: what failed is held until it is released, by its id, status and start, for a day", () => {
    using place = makeRoot();
    const isReleased = (owner: Owner, nowMs = NOW): boolean => readReleases(place.root, nowMs).isReleased(owner);
    assert.equal(isReleased(failed("j1")), false);
    assert.deepEqual(fs.readdirSync(place.root), [], "looking writes nothing (R13)");
    releaseOwner(place.root, failed("j1"), NOW);
    releaseOwner(place.root, failed("p1", { source: "projects.status", status: "error" }), NOW);
    assert.equal(isReleased(failed("j1")), true);
    assert.equal(isReleased(failed("p1", { status: "error" })), true);
    assert.equal(isReleased(failed("j1", { status: "abandoned" })), false);
    assert.equal(isReleased(failed("j1", { startedMs: NOW })), false, "it started again");
    assert.equal(isReleased(failed("j2")), false);
    assert.equal(isReleased(failed("j1"), NOW + HOURS_24), true);
    assert.equal(isReleased(failed("j1"), NOW + HOURS_24 + 1), false);
    assert.equal(isReleased(failed("j1"), NOW - 1), false, "R48: from the future");
  });

  it("R37: a release is for one end of one run: another end, or the same start resumed, is another matter", () => {
    using place = makeRoot();
    const isReleased = (owner: Owner & { readonly run?: number }): boolean => readReleases(place.root, NOW).isReleased(owner);
    const { startedMs: _, ...project } = failed("p1", { endedMs: NOW - 1000 });
    releaseOwner(place.root, project, NOW);
    assert.equal(isReleased(project), true);
    assert.equal(isReleased({ ...project, endedMs: NOW - 500 }), false);
    const job = { ...failed("j1", { status: "abandoned", endedMs: NOW - 1000 }), run: 3 };
    releaseOwner(place.root, job, NOW);
    assert.equal(isReleased(job), true);
    assert.equal(isReleased({ ...job, run: 4 }), false);
  });

  it("R37: a release can be taken back, and is forgotten when the files are gone", () => {
    using place = makeRoot();
    for (const id of ["j1", "j2", "j3"]) releaseOwner(place.root, failed(id), NOW);
    assert.equal(unreleaseOwner(place.root, "j1"), true);
    assert.equal(unreleaseOwner(place.root, "j1"), false);
    assert.equal(forgetReleases(place.root, ["j2", "other"]), 1);
    const { isReleased } = readReleases(place.root, NOW);
    assert.deepEqual(
      ["j1", "j2", "j3"].map((id) => isReleased(failed(id))),
      [false, false, true],
    );
    releaseOwner(place.root, failed("j4"), NOW + HOURS_24 + 1);
    assert.ok(!fs.readFileSync(releasesFile(place.root), "utf8").includes("j3"), "old ones go when a new one comes");
  });

  it("R37: only what failed can be released", () => {
    using place = makeRoot();
    for (const state of ["running", "succeeded", "unknown"] as const)
      assert.throws(() => releaseOwner(place.root, failed("j1", { state, status: state }), NOW), Refusal);
    assert.ok(!fs.existsSync(releasesFile(place.root)));
  });

  it("R32 R71: a file that is damaged or newer releases nothing and is not written", () => {
    using place = makeRoot();
    releaseOwner(place.root, failed("j1"), NOW);
    const good = JSON.parse(fs.readFileSync(releasesFile(place.root), "utf8")) as { releases: object[] };
    const bad = [
      "{",
      "[]",
      JSON.stringify({ schema: 1 }),
      ...[{ owner: 1 }, { status: null }, { startedMs: "1" }, { endedMs: "1" }, { run: "1" }, { at: "soon" }].map((change) =>
        JSON.stringify({ schema: 1, releases: [{ ...good.releases[0], ...change }] }),
      ),
      JSON.stringify({ ...good, schema: 99 }),
    ];
    for (const text of bad) {
      fs.writeFileSync(releasesFile(place.root), text);
      const { isReleased, problem } = readReleases(place.root, NOW);
      assert.equal(isReleased(failed("j1")), false, text);
      assert.match(problem?.message ?? "", /releases\.json.*(damaged|newer)/, text);
      assert.throws(() => releaseOwner(place.root, failed("j2"), NOW), Refusal, text);
      assert.equal(forgetReleases(place.root, ["j1"]), 0);
      assert.equal(fs.readFileSync(releasesFile(place.root), "utf8"), text);
    }
  });
});
