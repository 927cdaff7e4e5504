import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { addProject, makeWorkspace, openWriter, type Workspace } from "../workspace.ts";
import { planLater, planNow, reasonOf, taken } from "./planned.ts";

const AUDIO = ".cache/audio/p1/scene-1.mp3";

describe("R13: a plan writes nothing at all", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  beforeEach(async () => {
    workspace = makeWorkspace();
    addProject(workspace, "p1");
    addProject(workspace, "p2", { status: "rendering" });
    execFileSync("git", ["-C", workspace.root, "init", "-q"]);
    await planLater(workspace); // The helper makes the finals older.
  });
  afterEach(() => workspace.dispose());

  const assertUntouched = async (plans: () => Promise<unknown>): Promise<void> => {
    const before = workspace.snapshot({ everything: true });
    await plans();
    assert.deepEqual(workspace.snapshot({ everything: true }), before);
  };
  const everyWay = async (): Promise<void> => {
    await planLater(workspace, { orphans: true });
    await planNow(workspace, { mode: "automatic" });
    await planNow(workspace, { trusted: false });
    await planNow(workspace, { selection: { projects: ["p1"] } });
  };

  it("R13: beside a database that nobody has open", async () => assertUntouched(everyWay));

  it("R13, R74: beside a live writer, whose last word counts", async () => {
    const writer = openWriter(workspace);
    try {
      writer.exec(`UPDATE projects SET status = 'rendering' WHERE id = 'p1'`);
      await assertUntouched(everyWay);
      assert.equal(reasonOf(await planLater(workspace), AUDIO), "keep: owner-running");
      writer.exec(`BEGIN; UPDATE projects SET status = 'complete' WHERE id = 'p1'`);
      assert.equal(reasonOf(await planLater(workspace), AUDIO), "keep: owner-running", "not committed yet");
      writer.exec("COMMIT");
      assert.equal(reasonOf(await planLater(workspace), AUDIO), "reclaim: owner-succeeded");
      await assertUntouched(everyWay);
    } finally {
      writer.close();
    }
  });

  it("R13, R74: beside a log that a crash left, whose last word counts", async () => {
    const writer = openWriter(workspace);
    writer.exec(`UPDATE projects SET status = 'rendering' WHERE id = 'p1'`);
    await writer.crash();
    await assertUntouched(everyWay);
    assert.deepEqual(taken(await planLater(workspace)), []);
  });

  it("R13: where everything is broken", async () => {
    workspace.write("data/app.db", Buffer.from("no database"));
    workspace.write(".git/index", Buffer.from("no index"));
    await assertUntouched(everyWay);
  });
});
