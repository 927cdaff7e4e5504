import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync } from "node:fs";
import { addPin } from "../../core/reclaim/records.ts";
import { addProject, imageBytes, makeWorkspace, type Workspace } from "../workspace.ts";
import { configure, HOUR, itemAt, planLater, planNow, reasonOf, taken } from "./planned.ts";

const audio = (id: string, n = 1): string => `.cache/audio/${id}/scene-${n}.mp3`;

describe("makePlan", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  beforeEach(() => {
    workspace = makeWorkspace();
  });
  afterEach(() => workspace.dispose());

  describe("a finished video", () => {
    it("S0.1, S0.2, S0.3, S0.4, S0.5, S0.6, S0.16: of ten scenes everything goes but the final and its thumbnail", async () => {
      addProject(workspace, "p1", { scenes: 10 });
      const all = workspace.files().filter((path) => path !== "offcut.json");
      const plan = await planLater(workspace);
      const finals = [".cache/output/p1/final-thumb.jpg", ".cache/output/p1/final.mp4"];
      assert.deepEqual(
        taken(plan),
        all.filter((path) => !finals.includes(path)),
      );
      assert.equal(taken(plan).length, 41);
      for (const path of finals) assert.equal(reasonOf(plan, path), "keep: final-output");
      const assembly = plan.items.filter((item) => item.store === "assembly");
      assert.equal(assembly.length, 11);
      const bytes = plan.items.filter((item) => item.verdict === "reclaim").reduce((sum, item) => sum + item.bytes, 0);
      assert.deepEqual(plan.totals.reclaim, { files: 41, bytes });
      assert.equal(bytes, 40 * 1000 + itemAt(plan, ".cache/assembly/p1/concat.txt").bytes);
    });

    it("S0.7: says why each file can go: the state, the proof, and that nobody needs it", async () => {
      addProject(workspace, "p1");
      const { evidence } = itemAt(await planLater(workspace), audio("p1"));
      assert.match(
        evidence.join(" · "),
        /^project p1 succeeded \(projects\.status = complete\) · final\.mp4 verified, \d+\.\d KB · no unfinished project refers to it$/,
      );
    });

    it("S0.3: segments that no row names belong to the project of their directory", async () => {
      addProject(workspace, "p1");
      addProject(workspace, "p2", { status: "rendering" });
      for (const id of ["p1", "p2"]) workspace.write(`.cache/videos/${id}/scene-77-forgotten.mp4`);
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, ".cache/videos/p1/scene-77-forgotten.mp4"), "reclaim: owner-succeeded");
      assert.equal(reasonOf(plan, ".cache/videos/p2/scene-77-forgotten.mp4"), "keep: owner-running");
    });

    it("S0.14, R21: all finished projects at once, or only the chosen ones", async () => {
      for (const id of ["p1", "p2", "p3"]) addProject(workspace, id, id === "p3" ? { status: "draft" } : {});
      const owners = async (projects?: string[]) =>
        [
          ...new Set(
            (await planLater(workspace, { selection: projects ? { projects } : {} })).items
              .filter((item) => item.verdict === "reclaim")
              .map((item) => item.owner),
          ),
        ].sort();
      assert.deepEqual(await owners(), ["p1", "p2"]);
      assert.deepEqual(await owners(["p2", "p3"]), ["p2"]);
      assert.deepEqual(await owners([]), []);
      assert.deepEqual(await owners(["nobody"]), []);
    });

    it("R21: an empty list of projects, stores or paths selects nothing; so does what does not exist", async () => {
      addProject(workspace, "p1");
      for (const selection of [
        { projects: [] },
        { stores: [] },
        { paths: [] },
        { stores: ["audi"] },
        { paths: [audio("p1")] },
        { projects: [""] },
        { projects: ["p"] },
      ]) {
        assert.deepEqual((await planLater(workspace, { selection })).items, [], JSON.stringify(selection));
      }
      assert.deepEqual(taken(await planLater(workspace, { selection: { paths: [workspace.path(audio("p1"))] } })), [audio("p1")]);
      assert.deepEqual(taken(await planLater(workspace, { selection: { projects: ["p1"], stores: ["audio"] } })), [
        audio("p1"),
        audio("p1", 2),
      ]);
    });

    it("S0.10, S0.16: says whether automatic cleanup is on; the user's preference wins over the environment", async () => {
      addProject(workspace, "p1");
      assert.deepEqual((await planNow(workspace)).autoCleanup, { enabled: true, source: "default", kind: "default" });
      assert.equal((await planNow(workspace, { environment: { AUTO_CLEANUP_ENABLED: "false" } })).autoCleanup.enabled, false);
      workspace.sql("UPDATE user_preferences SET auto_cleanup_enabled = 1");
      assert.deepEqual((await planNow(workspace, { environment: { AUTO_CLEANUP_ENABLED: "false" } })).autoCleanup, {
        enabled: true,
        source: "user_preferences in data/app.db",
        kind: "database",
        value: "1",
      });
      workspace.sql("UPDATE user_preferences SET auto_cleanup_enabled = 'maybe'");
      const plan = await planNow(workspace);
      assert.equal(plan.autoCleanup.enabled, false);
      assert.match(plan.problems.map((problem) => problem.message).join(), /neither on nor off/);
    });
  });

  describe("the provider cache", () => {
    const clip = "assets/cache/nasa/sun.mp4";
    const constellation = async (projects: Record<string, string>, options = {}): Promise<string> => {
      for (const [id, status] of Object.entries(projects)) addProject(workspace, id, { status, clips: ["nasa/sun"], scenes: 1 });
      return reasonOf(await planLater(workspace, options), clip);
    };

    it("S0.4, R27: goes when every project that uses it succeeded", async () =>
      assert.equal(await constellation({ p1: "complete", p2: "complete" }), "reclaim: unreferenced"));
    it("S0.4, R26, R27: stays while one of its projects is unfinished", async () =>
      assert.equal(await constellation({ p1: "complete", p2: "rendering", p3: "complete" }), "keep: referenced"));
    it("S0.4: a status that nobody listed is unfinished", async () =>
      assert.equal(await constellation({ p1: "complete", p2: "paused-by-user" }), "keep: referenced"));
    it("S0.4, R37: stays while one of its projects failed", async () =>
      assert.equal(await constellation({ p1: "complete", p2: "failed" }), "keep: failed-held"));
    it("S0.4, R33: automatic cleaning leaves it unless the store says so", async () =>
      assert.equal(await constellation({ p1: "complete" }, { mode: "automatic" }), "keep: opt-in"));
    it("R33: with its opt-in automatic cleaning takes it", async () => {
      configure(workspace, { stores: { provider: { automatic: true } } });
      assert.equal(await constellation({ p1: "complete" }, { mode: "automatic" }), "reclaim: unreferenced");
    });
    it("R27: stays until it was idle for the grace time", async () => {
      const later = Date.now() + HOUR - 60_000;
      assert.equal(await constellation({ p1: "complete" }, { now: () => later }), "keep: too-young");
    });
    it("S0.4, R34: stays while the final of one of its projects is not verified", async () => {
      addProject(workspace, "p1", { clips: ["nasa/sun"], final: "truncated" });
      assert.equal(await constellation({ p2: "complete" }), "keep: final-unverified");
    });
    it("S0.4: a clip that no project refers to is an orphan", async () => {
      workspace.write("assets/cache/nasa/moon.mp4");
      await constellation({ p1: "complete" });
      assert.equal(reasonOf(await planLater(workspace), "assets/cache/nasa/moon.mp4"), "keep: orphan");
    });
    it("S0.4: cleaning one project takes a clip that it shares with another finished one, whichever is chosen", async () => {
      await constellation({ p1: "complete", p2: "complete", p3: "complete" });
      for (const id of ["p1", "p2", "p3"])
        assert.ok(taken(await planLater(workspace, { selection: { projects: [id] } })).includes(clip), id);
    });
    it("R19: a row of a project that is not listed keeps it", async () => {
      await constellation({ p1: "complete", p2: "rendering" });
      workspace.sql("PRAGMA foreign_keys = OFF; DELETE FROM projects WHERE id = 'p2'");
      assert.equal(reasonOf(await planLater(workspace), clip), "keep: owner-unknown");
    });
    it("R19: a row that names half of its path keeps the whole store while its project is unfinished", async () => {
      await constellation({ p1: "complete", p2: "rendering" });
      workspace.sql("UPDATE visual_suggestions SET video_id = NULL WHERE scene_id LIKE 'p2%'");
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, clip), "keep: catalog-unavailable");
      assert.equal(reasonOf(plan, audio("p1")), "reclaim: owner-succeeded");
    });
  });

  describe("what protects", () => {
    it("R26: an unfinished project keeps everything, however old, also in another project's directory", async () => {
      addProject(workspace, "p1");
      addProject(workspace, "p2", { status: "rendering" });
      workspace.sql(`INSERT INTO audio_files SELECT 'borrowed', 'p2', NULL, '${audio("p1")}', 2`);
      const plan = await planNow(workspace, { now: () => Date.now() + 1e12 });
      assert.equal(reasonOf(plan, audio("p1")), "keep: referenced");
      assert.match(
        itemAt(plan, audio("p1")).evidence[0] ?? "",
        /^project p2 refers to it \(audio_files\) and is not finished \(projects\.status = rendering\)$/,
      );
      assert.equal(reasonOf(plan, audio("p1", 2)), "reclaim: owner-succeeded");
      assert.ok(plan.items.filter((item) => item.owner === "p2").every((item) => item.verdict === "keep"));
    });

    it("R28: whatever the database names as an output stays, by path, by link and by hard link, under any template", async () => {
      addProject(workspace, "p1");
      workspace.sql(`UPDATE rendered_videos SET thumbnail_path = '.cache/assembly/p1/scene-1.mp4'`);
      linkSync(workspace.path(".cache/output/p1/final.mp4"), workspace.path(".cache/assembly/p1/twin.mp4"));
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, ".cache/assembly/p1/twin.mp4"), "keep: final-output");
      assert.equal(reasonOf(plan, ".cache/assembly/p1/scene-1.mp4"), "keep: final-output");
      assert.equal(reasonOf(plan, ".cache/assembly/p1/scene-2.mp4"), "keep: final-unverified", "its thumbnail is no picture now");
      assert.equal(plan.protectedPaths.includes(workspace.path(".cache/output/p1/final.mp4")), true);
    });

    it("R29: a pin on a file, a directory, a store or a project beats every rule", async () => {
      addProject(workspace, "p1");
      addProject(workspace, "p2");
      const pin = (kind: "file" | "store" | "project", value: string): void =>
        void addPin(workspace.root, { kind, value, added: "2026-01-01T00:00:00Z", note: "ours" });
      pin("file", audio("p1"));
      pin("file", ".cache/assembly/p1");
      pin("store", "segments");
      pin("project", "p2");
      const plan = await planLater(workspace, { orphans: true });
      assert.deepEqual(taken(plan), [audio("p1", 2), "assets/cache/nasa/p1-1.mp4", "assets/cache/nasa/p1-2.mp4"]);
      assert.deepEqual(itemAt(plan, audio("p1")).evidence, [`pinned: file ${audio("p1")} (ours)`]);
    });

    it("R30: orphans are shown, and taken by hand only", async () => {
      addProject(workspace, "p1");
      workspace.write(audio("gone"));
      for (const [options, expected] of [
        [{}, "keep: orphan"],
        [{ orphans: true }, "reclaim: orphan-chosen"],
        [{ orphans: true, mode: "automatic" }, "keep: orphan"],
      ] as const) {
        assert.equal(reasonOf(await planLater(workspace, options), audio("gone")), expected, JSON.stringify(options));
      }
    });

    it("R31: a file whose project is not registered yet is too young to be an orphan", async () => {
      addProject(workspace, "p1");
      workspace.write(audio("new"), 10, 5 * HOUR);
      assert.equal(
        reasonOf(await planNow(workspace, { orphans: true }), audio("new")),
        "keep: too-young",
        "its ctime is now, whatever its mtime says",
      );
    });

    it("R19, R31: a file in the directory of a project that nobody lists stays, even when a finished one refers to it", async () => {
      addProject(workspace, "p1");
      workspace.write(audio("new"));
      workspace.sql(`UPDATE audio_files SET file_path = '${audio("new")}' WHERE scene_id = 'p1-s1'`);
      assert.equal(reasonOf(await planLater(workspace, { orphans: true }), audio("new")), "keep: owner-unknown");
    });

    it("R37: a failed project is kept; with preserveOnFailure false it goes after its retention", async () => {
      addProject(workspace, "p1", { status: "failed" });
      addProject(workspace, "p2");
      assert.equal(reasonOf(await planLater(workspace), audio("p1")), "keep: failed-held");
      configure(workspace, { policy: { preserveOnFailure: false, retention: "3h" } });
      assert.equal(reasonOf(await planLater(workspace), audio("p1")), "keep: retention");
      assert.equal(reasonOf(await planLater(workspace, { now: () => Date.now() + 4 * HOUR }), audio("p1")), "reclaim: owner-failed");
    });

    it("R19: no status, a status of both kinds and a status nobody listed never lead to a reclaim", async () => {
      addProject(workspace, "p1");
      addProject(workspace, "p2");
      configure(workspace, {
        database: { path: "data/app.db", states: { succeeded: ["complete", "both"], failed: ["both"] } },
        policy: { preserveOnFailure: false },
      });
      for (const [status, expected] of [
        ["both", "keep: owner-unknown"],
        ["", "keep: owner-unknown"],
        ["completed ", "keep: owner-running"],
        ["COMPLETE", "reclaim: owner-succeeded"],
        [" complete\n", "reclaim: owner-succeeded"],
        ["incomplete", "keep: owner-running"],
      ]) {
        workspace.sql(`UPDATE projects SET status = '${status}' WHERE id = 'p1'`);
        assert.equal(reasonOf(await planLater(workspace), audio("p1")), expected, JSON.stringify(status));
      }
    });

    it("R5: links and other things at a matching path are kept", async () => {
      addProject(workspace, "p1");
      symlinkSync(workspace.path(audio("p1")), workspace.path(audio("p1", 8)));
      execFileSync("mkfifo", [workspace.path(audio("p1", 9))]);
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, audio("p1", 8)), "keep: link");
      assert.equal(reasonOf(plan, audio("p1", 9)), "keep: not-a-file");
    });

    it("R10: hard links are said to free nothing for certain", async () => {
      addProject(workspace, "p1");
      mkdirSync(workspace.path("elsewhere"));
      linkSync(workspace.path(audio("p1")), workspace.path("elsewhere/copy.mp3"));
      const item = itemAt(await planLater(workspace), audio("p1"));
      assert.deepEqual([item.links, item.evidence.at(-1)], [2, "2 hard links: removing this one frees nothing for certain"]);
    });

    it("R78, S0.10: debug mode and automatic mode do not change what may be taken by hand", async () => {
      addProject(workspace, "p1");
      const plan = await planLater(workspace, { environment: { DEBUG: "1" } });
      assert.deepEqual([plan.autoCleanup.kind, plan.autoCleanup.enabled], ["debug", false]);
      assert.equal(reasonOf(plan, audio("p1")), "reclaim: owner-succeeded");
    });
  });

  describe("the proof", () => {
    const doubts: readonly (readonly [state: "missing" | "empty" | "truncated" | "link", RegExp])[] = [
      ["missing", /final\.mp4 of project p1 is not verified: it is not there/],
      ["empty", /not verified: empty/],
      ["truncated", /not verified: /],
      ["link", /not verified: a symbolic link/],
    ];
    for (const [final, expected] of doubts) {
      it(`R34: a final that is ${final} proves nothing`, async () => {
        addProject(workspace, "p1", { final });
        const plan = await planLater(workspace);
        assert.deepEqual(taken(plan), []);
        assert.match(itemAt(plan, audio("p1")).evidence[0] ?? "", expected);
      });
    }

    it("R34: the file that the database names counts, not one that looks like it", async () => {
      addProject(workspace, "p1");
      workspace.sql("UPDATE rendered_videos SET file_path = '.cache/output/p1/final-v2.mp4'");
      assert.deepEqual(taken(await planLater(workspace)), []);
    });

    it("R34: a thumbnail does not prove a video whose path is NULL or whose row is gone", async () => {
      addProject(workspace, "p1");
      workspace.sql(
        "CREATE TABLE r AS SELECT * FROM rendered_videos; DROP TABLE rendered_videos; ALTER TABLE r RENAME TO rendered_videos; UPDATE rendered_videos SET file_path = NULL",
      );
      const plan = await planLater(workspace);
      assert.deepEqual(taken(plan), []);
      assert.match(itemAt(plan, audio("p1")).evidence[0] ?? "", /no final of project p1 is recorded/);
      workspace.sql("DELETE FROM rendered_videos");
      assert.deepEqual(taken(await planLater(workspace)), []);
    });

    it("R34: every video of a project has to be complete", async () => {
      addProject(workspace, "p1");
      workspace.sql("INSERT INTO rendered_videos VALUES ('second', 'p1', '.cache/output/p1/second.mp4', NULL, 1)");
      assert.deepEqual(taken(await planLater(workspace)), []);
    });

    it("R34: a picture proves a project whose finals are pictures", async () => {
      addProject(workspace, "p1", { final: "missing" });
      workspace.write("out/p1.jpg", imageBytes());
      workspace.sql("UPDATE rendered_videos SET file_path = 'out/p1.jpg', thumbnail_path = NULL");
      configure(workspace, { stores: { final: false, thumbnail: false, works: { path: "out/{project}.jpg", role: "final" } } });
      assert.equal(reasonOf(await planLater(workspace), audio("p1")), "reclaim: owner-succeeded");
    });
  });
});
