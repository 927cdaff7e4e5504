import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readCatalog } from "../../core/catalog/catalog.ts";
import { loadConfig } from "../../core/config/load.ts";
import { makePlan } from "../../core/makePlan.ts";
import { configure, HOUR, itemAt, planLater, reasonOf, settle, taken } from "../plan/planned.ts";
import { addProject, makeWorkspace, videoBytes, type Workspace } from "../workspace.ts";

const CLIP = "assets/cache/nasa/sun.mp4";
const AUDIO = ".cache/audio/p1/scene-1.mp3";

describe("readCatalog", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  beforeEach(() => {
    workspace = makeWorkspace();
    addProject(workspace, "p1", { clips: ["nasa/sun"] });
    addProject(workspace, "p2", { status: "rendering" });
    settle(workspace);
  });
  afterEach(() => workspace.dispose());

  const generation = async (): Promise<string> => (await readCatalog(loadConfig(workspace.root))).generation;
  /** The unfinished project uses the first project's scene under this path. */
  const borrow = (stored: string): void =>
    workspace.sql(`DELETE FROM audio_files WHERE project_id = 'p2'; INSERT INTO audio_files VALUES ('borrowed', 'p2', NULL, ${stored}, 2)`);

  describe("R11: a row and a file meet", () => {
    const spellings: readonly (readonly [name: string, sql: () => string])[] = [
      ["relative", () => `'${AUDIO}'`],
      ["with detours", () => `'./.cache//audio/p2/../p1/scene-1.mp3'`],
      ["absolute", () => `'${workspace.path(AUDIO)}'`],
      ["with backslashes", () => `'.cache\\audio\\p1\\scene-1.mp3'`],
      ["with both kinds of slashes", () => `'.cache\\audio/p1/scene-1.mp3'`],
      ["as a BLOB", () => `CAST('${AUDIO}' AS BLOB)`],
      ["through a link, relative", () => `'door/p1/scene-1.mp3'`],
      ["through a link, absolute", () => `'${workspace.path("door/p1/scene-1.mp3")}'`],
    ];
    for (const [name, sql] of spellings) {
      it(`R11, R26: ${name}`, async () => {
        symlinkSync(".cache/audio", workspace.path("door"));
        borrow(sql());
        assert.equal(reasonOf(await planLater(workspace), AUDIO), "keep: referenced");
      });
    }

    it("R11, R26: whichever way the workspace itself was reached", async () => {
      const door = realpathSync(mkdtempSync(join(tmpdir(), "offcut-door-")));
      try {
        symlinkSync(join(workspace.root, ".."), join(door, "link"));
        const root = join(door, "link", workspace.root.split("/").at(-1) ?? "");
        for (const stored of [workspace.path(AUDIO), join(root, AUDIO), AUDIO]) {
          borrow(`'${stored}'`);
          const plan = await makePlan(loadConfig(root), { environment: {}, now: () => Date.now() + 2 * HOUR });
          assert.equal(reasonOf(plan, AUDIO), "keep: referenced", stored);
          assert.equal(reasonOf(plan, ".cache/audio/p1/scene-2.mp3"), "reclaim: owner-succeeded");
          assert.ok(plan.protectedPaths.includes(join(root, ".cache/output/p1/final.mp4")), "R28: the sink asks by the path it knows");
          assert.ok(plan.protectedPaths.includes(workspace.path(".cache/output/p1/final.mp4")));
        }
      } finally {
        rmSync(door, { recursive: true });
      }
    });

    it("R11: two files whose names differ only in how Unicode spells them are both kept", async () => {
      const [nfc, nfd] = [".cache/assembly/p1/\u00fc.mp4", ".cache/assembly/p1/u\u0308.mp4"];
      workspace.write(nfc);
      assert.equal(reasonOf(await planLater(workspace), nfc), "reclaim: owner-succeeded");
      workspace.write(nfd);
      const plan = await planLater(workspace);
      assert.deepEqual([reasonOf(plan, nfc), reasonOf(plan, nfd)], ["keep: ambiguous-path", "keep: ambiguous-path"]);
    });

    it("R11, R28: a row in one spelling protects the file in the other", async () => {
      workspace.write(".cache/assembly/p1/u\u0308.mp4");
      borrow("'.cache/assembly/p1/\u00fc.mp4'");
      assert.equal(reasonOf(await planLater(workspace), ".cache/assembly/p1/u\u0308.mp4"), "keep: referenced");
      workspace.sql("DELETE FROM audio_files WHERE project_id = 'p2'");
      workspace.sql("UPDATE rendered_videos SET thumbnail_path = '.cache/assembly/p1/\u00fc.mp4'");
      assert.equal(reasonOf(await planLater(workspace), ".cache/assembly/p1/u\u0308.mp4"), "keep: final-output");
    });
  });

  describe("R8, R19: a row that cannot be resolved", () => {
    const rows = [
      "'~/x.mp3'",
      "'${CACHE}/x.mp3'",
      "'%TEMP%\\x.mp3'",
      "'https://example.org/x.mp3'",
      "CAST(x'2e6361636865ff' AS TEXT)",
      "x'2e6361636865ff'",
      "CAST(x'610062' AS TEXT)",
      "'C:\\x.mp3'",
      "''",
    ];
    for (const row of rows) {
      it(`R8, R19: ${row} of an unfinished project keeps its store, and nothing else`, async () => {
        borrow(row);
        const plan = await planLater(workspace);
        assert.equal(reasonOf(plan, AUDIO), "keep: catalog-unavailable");
        assert.match(itemAt(plan, AUDIO).evidence[0] ?? "", /audio_files has a row of p2 that cannot be resolved: the path .+/);
        assert.equal(reasonOf(plan, ".cache/assembly/p1/concat.txt"), "reclaim: owner-succeeded");
        assert.ok(plan.problems.some((problem) => problem.severity === "warning" && problem.message.includes("audio_files of p2")));
      });
    }

    it("R8: of a finished project it is only reported", async () => {
      workspace.sql("UPDATE audio_files SET file_path = '~/x.mp3' WHERE scene_id = 'p1-s1'");
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, AUDIO), "reclaim: owner-succeeded");
      assert.match(
        plan.problems.map((problem) => problem.message).join(),
        /audio_files of p1: the path "~\/x\.mp3" starts with ~, which is never expanded; the row is not used/,
      );
    });

    it("R19: of a project that nobody lists, or of none, it keeps the store", async () => {
      workspace.sql("PRAGMA foreign_keys = OFF; INSERT INTO audio_files VALUES ('x', 'p9', NULL, '~/x.mp3', 2)");
      assert.equal(reasonOf(await planLater(workspace), AUDIO), "keep: catalog-unavailable");
    });

    it("a path that is NULL means that nothing was made yet", async () => {
      workspace.sql("UPDATE visual_suggestions SET default_segment_path = NULL WHERE scene_id LIKE 'p2%'");
      const plan = await planLater(workspace);
      assert.deepEqual(plan.problems, []);
      assert.ok(taken(plan).includes(AUDIO));
    });

    it("R8, R34: a final whose path cannot be resolved proves nothing", async () => {
      workspace.sql("UPDATE rendered_videos SET file_path = '~/final.mp4'");
      const plan = await planLater(workspace);
      assert.deepEqual(taken(plan), []);
      assert.match(itemAt(plan, AUDIO).evidence[0] ?? "", /final\.mp4 of project p1 is not verified: its path starts with ~/);
    });
  });

  describe("ids", () => {
    it("R6: an id that may not be part of a path is refused and keeps the store while its project is unfinished", async () => {
      for (const id of ["../../etc/passwd", "..", ".hidden", "a/b", "", "é", "x".repeat(129)]) {
        workspace.sql(`UPDATE visual_suggestions SET video_id = '${id}' WHERE scene_id = 'p2-s1'`);
        const plan = await planLater(workspace);
        assert.equal(reasonOf(plan, CLIP), "keep: catalog-unavailable", id);
        assert.match(itemAt(plan, CLIP).evidence[0] ?? "", /which may not be part of a path/);
      }
    });

    it("R26: ids name the scene of one project, not the same scene of all", async () => {
      configure(workspace, {
        database: { path: "data/app.db", references: { audio: "SELECT project_id AS owner, scene_number AS n FROM scenes" } },
      });
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, AUDIO), "reclaim: owner-succeeded");
      assert.equal(reasonOf(plan, ".cache/audio/p2/scene-1.mp3"), "keep: owner-running");
    });

    it("R19: a query that gives neither paths nor ids keeps its store and says what to name", async () => {
      for (const [sql, expected] of [
        [
          "SELECT scenes.project_id AS owner, video_id FROM visual_suggestions JOIN scenes ON scenes.id = scene_id",
          /database\.references\.provider gives no column "path", nor "provider", "video" for the placeholders of the store; name it with AS/,
        ],
        [
          "SELECT scenes.project_id AS owner, provider, video_id FROM visual_suggestions JOIN scenes ON scenes.id = scene_id",
          /gives no column "path", nor "video"/,
        ],
      ] as const) {
        configure(workspace, { database: { path: "data/app.db", references: { provider: sql } } });
        const plan = await planLater(workspace, { orphans: true });
        assert.equal(reasonOf(plan, CLIP), "keep: catalog-unavailable");
        assert.match(plan.problems.map((problem) => problem.message).join("\n"), expected);
      }
    });
  });

  describe("several databases", () => {
    const second = (sql: string): void => {
      const database = new DatabaseSync(workspace.path("data/second.db"));
      database.exec(`CREATE TABLE projects (id, status); CREATE TABLE outputs (owner, path); ${sql}`);
      database.close();
      const own = {
        path: "data/second.db",
        references: {
          audio: "SELECT '' AS owner, '' AS path WHERE 0",
          segments: "SELECT '' AS owner, '' AS path WHERE 0",
          provider: "SELECT '' AS owner, '' AS path WHERE 0",
        },
        outputs: "SELECT owner, path FROM outputs",
        autoCleanup: "SELECT NULL",
      };
      configure(workspace, { database: [{ path: "data/app.db" }, own] });
    };

    it("R19: one project in two databases has the state that protects more", async () => {
      second("INSERT INTO projects VALUES ('p1', 'rendering')");
      assert.equal(reasonOf(await planLater(workspace), AUDIO), "keep: owner-running");
      for (const [status, expected] of [
        ["'failed'", "keep: failed-held"],
        ["NULL", "keep: owner-unknown"],
        ["'complete'", "reclaim: owner-succeeded"],
      ]) {
        rmSync(workspace.path("data/second.db"));
        second(`INSERT INTO projects VALUES ('p1', ${status})`);
        assert.equal(reasonOf(await planLater(workspace), AUDIO), expected, status);
      }
    });

    it("R28: outputs of all databases are protected", async () => {
      second(`INSERT INTO outputs VALUES ('p1', '.cache/assembly/p1/scene-1.mp4')`);
      workspace.write(".cache/assembly/p1/scene-1.mp4", videoBytes());
      const plan = await planLater(workspace);
      assert.equal(reasonOf(plan, ".cache/assembly/p1/scene-1.mp4"), "keep: final-output");
      assert.equal(reasonOf(plan, AUDIO), "reclaim: owner-succeeded");
    });

    it("R75: one that cannot be read keeps everything", async () => {
      second("");
      mkdirSync(workspace.path("data/away"));
      rmSync(workspace.path("data/second.db"));
      assert.deepEqual(taken(await planLater(workspace)), []);
    });
  });

  it("R16: the generation changes with what was read, and with nothing else", async () => {
    const seen = new Set([await generation()]);
    const quiet = ["UPDATE projects SET name = 'other'", "CREATE TABLE unrelated (x)", "VACUUM", "UPDATE scenes SET text = 'x'"];
    for (const sql of quiet) {
      workspace.sql(sql);
      seen.add(await generation());
      assert.equal(seen.size, 1, sql);
    }
    const loud = [
      "UPDATE projects SET status = 'failed' WHERE id = 'p2'",
      "INSERT INTO audio_files VALUES ('n', 'p2', NULL, 'x.mp3', 1)",
      "UPDATE visual_suggestions SET video_id = 'moon' WHERE scene_id = 'p2-s1'",
      "UPDATE rendered_videos SET thumbnail_path = NULL",
      "UPDATE user_preferences SET auto_cleanup_enabled = 1",
      "ALTER TABLE projects RENAME COLUMN status TO state",
    ];
    for (const [i, sql] of loud.entries()) {
      workspace.sql(sql);
      seen.add(await generation());
      assert.equal(seen.size, i + 2, sql);
    }
  });

  it("S0.7: a final that did not change is looked into once", async () => {
    const mediaCache = new Map();
    const read = () => readCatalog(loadConfig(workspace.root), { mediaCache });
    await read();
    assert.equal(mediaCache.size, 2);
    const kept = [...mediaCache.values()];
    await read();
    assert.deepEqual([...mediaCache.values()], kept);
    workspace.write(".cache/output/p1/final.mp4", videoBytes().subarray(0, 5000));
    const { outputs } = await read();
    assert.equal(outputs.find((output) => output.path.endsWith("final.mp4"))?.check.status, "incomplete");
  });
});
