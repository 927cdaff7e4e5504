import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import { ensureHome } from "../../core/reclaim/home.ts";
import { writeRecords } from "../../core/reclaim/records.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { configure, HOUR, itemAt, planLater, planNow, reasonOf } from "./planned.ts";

const audio = (id: string, n = 1): string => `.cache/audio/${id}/scene-${n}.mp3`;

describe("makePlan, by time, digest and brake", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  beforeEach(() => {
    workspace = makeWorkspace();
  });
  afterEach(() => workspace.dispose());

  describe("time", () => {
    it("R46: the youngest of database time, mtime and ctime counts", async () => {
      configure(workspace, {
        policy: { retention: "5h" },
        database: { path: "data/app.db", owners: "SELECT id, status, completed_at AS ended FROM projects" },
      });
      addProject(workspace, "p1");
      workspace.write(audio("p1"), 10, 48 * HOUR);
      const at = (hours: number) => planNow(workspace, { now: () => Date.now() + hours * HOUR });
      assert.equal(reasonOf(await at(4), audio("p1")), "keep: retention");
      assert.equal(reasonOf(await at(6), audio("p1")), "reclaim: owner-succeeded");
      for (const ended of [
        `datetime('now', '+3 hours')`,
        `strftime('%Y-%m-%dT%H:%M:%S', 'now', '+3 hours')`,
        `strftime('%s', 'now', '+3 hours')`,
        `CAST(strftime('%s', 'now', '+3 hours') AS INTEGER) * 1000`,
      ]) {
        workspace.sql(`UPDATE projects SET completed_at = ${ended}`);
        assert.equal(reasonOf(await at(6), audio("p1")), "keep: retention", ended);
        assert.equal(reasonOf(await at(9), audio("p1")), "reclaim: owner-succeeded", ended);
      }
    });

    it("R46: the time at which a row was made counts too", async () => {
      configure(workspace, {
        policy: { retention: "1h" },
        database: {
          path: "data/app.db",
          references: { audio: "SELECT project_id AS owner, file_path AS path, datetime('now', '+2 hours') AS at FROM audio_files" },
        },
      });
      addProject(workspace, "p1");
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, audio("p1")), "keep: retention");
      assert.equal(reasonOf(plan, ".cache/assembly/p1/concat.txt"), "reclaim: owner-succeeded");
    });

    it("R48: a time stamp in the future pauses age rules", async () => {
      configure(workspace, { policy: { retention: "1h" } });
      addProject(workspace, "p1");
      utimesSync(workspace.path(audio("p1")), new Date(), new Date(Date.now() + 72 * HOUR));
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, audio("p1")), "keep: clock");
      assert.match(itemAt(plan, audio("p1")).evidence[0] ?? "", /in the future/);
      assert.equal(reasonOf(plan, audio("p1", 2)), "reclaim: owner-succeeded");
    });

    it("R48: a clock that jumped since the last cleanup pauses age rules, with a warning", async () => {
      addProject(workspace, "p1");
      ensureHome(workspace.root);
      const now = Date.now();
      writeRecords(workspace.root, [workspace.root], now - 2 * HOUR);
      const jumped = await planNow(workspace, { now: () => now });
      assert.equal(reasonOf(jumped, "assets/cache/nasa/p1-1.mp4"), "keep: clock");
      assert.match(jumped.problems.map((problem) => problem.message).join(), /the clock was set .* forward since the last cleanup/);
      writeRecords(workspace.root, [workspace.root], now + 2 * HOUR);
      assert.match(
        (await planNow(workspace, { now: () => now })).problems.map((problem) => problem.message).join(),
        /the clock is .* behind the last cleanup/,
      );
      const back = await planNow(workspace, { now: () => now - 2 * HOUR });
      assert.deepEqual(back.problems, [], "a clock that is where it was before is right again");
    });

    it("R48: a new time is not believed because a cleanup has seen it, but after an hour of steadiness", async () => {
      addProject(workspace, "p1");
      ensureHome(workspace.root);
      const now = Date.now();
      writeRecords(workspace.root, [workspace.root], now);
      const later = now + 30 * 24 * HOUR;
      writeRecords(workspace.root, [workspace.root], later);
      const plan = await planNow(workspace, { now: () => later + 60_000 });
      assert.equal(reasonOf(plan, "assets/cache/nasa/p1-1.mp4"), "keep: clock");
      assert.deepEqual((await planNow(workspace, { now: () => now + 60_000 })).problems, []);
    });

    /** Notes a jump of a year, then a boot that began `sinceBootMs` ago. What the first clock of the new boot shows, 10 minutes on. */
    const restartAfterJump = async (sinceBootMs: number) => {
      const now = Date.now();
      const year = 365 * 24 * HOUR;
      writeRecords(workspace.root, [workspace.root], now);
      writeRecords(workspace.root, [workspace.root], now + year);
      const file = workspace.path(".offcut/records.json");
      writeFileSync(file, readFileSync(file, "utf8").replaceAll(/"boot": "[^"]*"/g, '"boot": "before the restart"'));
      os.uptime = () => sinceBootMs / 1000;
      const look = () => planNow(workspace, { now: () => now + year + 10 * 60_000 });
      const first = await look();
      // A round notes it, and the next one still knows.
      writeRecords(workspace.root, [workspace.root], now + year + 10 * 60_000);
      return { first, second: await look() };
    };
    const { uptime } = os;
    afterEach(() => {
      os.uptime = uptime;
    });

    it("R48: a restart does not end the doubt about the clock, an hour of steadiness after it does", async () => {
      addProject(workspace, "p1");
      ensureHome(workspace.root);
      for (const plan of Object.values(await restartAfterJump(10 * 60_000))) {
        assert.equal(reasonOf(plan, "assets/cache/nasa/p1-1.mp4"), "keep: clock");
        assert.match(plan.problems.map((problem) => problem.message).join(), /the clock was set .* forward since the last cleanup/);
      }
      rmSync(workspace.path(".offcut/records.json"));
      os.uptime = uptime;
      for (const plan of Object.values(await restartAfterJump(HOUR + 60_000))) assert.deepEqual(plan.problems, []);
    });

    it("R48: within one boot a new time is believed after an hour of uptime", async () => {
      ensureHome(workspace.root);
      const now = Date.now();
      const later = now + 30 * 24 * HOUR;
      writeRecords(workspace.root, [workspace.root], now);
      writeRecords(workspace.root, [workspace.root], later);
      const began = uptime();
      for (const [minutes, doubts] of [
        [59, 1],
        [61, 0],
      ] as const) {
        os.uptime = () => began + minutes * 60;
        assert.equal((await planNow(workspace, { now: () => later + minutes * 60_000 })).problems.length, doubts, `${minutes} minutes`);
      }
    });
  });

  describe("the digest", () => {
    const content = (plan: { digest: string }): string => plan.digest.split("-")[0] ?? "";

    it("R16: stays the same while nothing changes, and the plan expires after ten minutes", async () => {
      addProject(workspace, "p1");
      const start = Date.now() + 2 * HOUR;
      const [a, b] = [await planNow(workspace, { now: () => start }), await planNow(workspace, { now: () => start + 5000 })];
      assert.equal(content(a), content(b));
      assert.notEqual(a.digest, b.digest);
      assert.equal(Date.parse(a.expires) - start, 10 * 60_000);
    });

    it("R16: changes with the configuration, the database and any file that would be taken", async () => {
      addProject(workspace, "p1");
      addProject(workspace, "p2", { status: "rendering" });
      const changes: readonly (() => unknown)[] = [
        () => configure(workspace, { policy: { undo: "2h" } }),
        () => workspace.sql("INSERT INTO projects (id, name, status) VALUES ('p3', 'new', 'draft')"),
        () => workspace.sql("UPDATE projects SET status = 'failed' WHERE id = 'p2'"),
        () => workspace.write(audio("p1"), 1001),
        () => utimesSync(workspace.path(audio("p1")), 1, 1),
        () => rmSync(workspace.path(audio("p1"))),
        () => workspace.write(audio("p1", 9)),
        () => writeFileSync(workspace.path(".cache/output/p1/final.mp4"), "broken"),
      ];
      const seen = new Set([content(await planLater(workspace))]);
      for (const [i, change] of changes.entries()) {
        change();
        seen.add(content(await planLater(workspace)));
        assert.equal(seen.size, i + 2, change.toString());
      }
    });
  });

  describe("the brake", () => {
    it("R20: names the share of a store, but only where there are many files", async () => {
      configure(workspace, { policy: { brake: { floor: 4 } } });
      addProject(workspace, "p1", { scenes: 2 });
      addProject(workspace, "p2", { scenes: 2, status: "rendering" });
      assert.deepEqual((await planLater(workspace)).brake, [], "exactly half");
      workspace.write(audio("p1", 3));
      assert.deepEqual((await planLater(workspace)).brake, ['3 of 5 files of the store "audio" are more than 50 % (policy.brake.share)']);
      configure(workspace, {});
      assert.deepEqual((await planLater(workspace)).brake, [], "five files are below the floor of 50");
    });

    it("R20: names the number of files and the bytes, and measures the share against the whole store", async () => {
      addProject(workspace, "p1", { scenes: 3 });
      addProject(workspace, "p2", { status: "rendering" });
      configure(workspace, { policy: { brake: { files: 12, bytes: "12KB" } } });
      const { brake, totals } = await planLater(workspace);
      assert.equal(totals.reclaim.files, 13);
      assert.deepEqual(brake, ["13 files are more than 12 (policy.brake.files)"]);
      configure(workspace, { policy: { brake: { files: 13, bytes: "11.5KB" } } });
      assert.match((await planLater(workspace)).brake.join(), /^11\.8 KB are more than 11\.5 KB \(policy\.brake\.bytes\)$/);
      configure(workspace, { policy: { brake: { floor: 0, share: 0.5 } } });
      assert.equal((await planLater(workspace, { selection: { projects: ["p2"] } })).brake.length, 0);
      assert.match((await planLater(workspace, { selection: { stores: ["audio"] } })).brake.join(), /3 of 5 files/);
      assert.deepEqual(
        (await planLater(workspace, { selection: { projects: ["p1"], stores: ["audio"] } })).brake,
        [],
        "a project that was named is no surprise",
      );
    });

    it("R20: a plan that leaves nothing asks", async () => {
      addProject(workspace, "p1");
      workspace.sql("UPDATE rendered_videos SET file_path = 'library/p1.mp4', thumbnail_path = NULL");
      mkdirSync(workspace.path("library"));
      execFileSync("mv", [workspace.path(".cache/output/p1/final.mp4"), workspace.path("library/p1.mp4")]);
      rmSync(workspace.path(".cache/output"), { recursive: true });
      const { brake, totals } = await planLater(workspace);
      assert.equal(totals.keep.files, 0);
      assert.deepEqual(brake, [`nothing would be left: all ${totals.reclaim.files} files of all stores would go`]);
    });
  });
});
