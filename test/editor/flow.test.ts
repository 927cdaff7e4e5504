import assert from "node:assert/strict";
import fs from "node:fs";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { startVSCode, type VSCode } from "./harness.ts";
import { poll } from "./poll.ts";
import {
  listCommands,
  modalDialog,
  notification,
  openPane,
  openView,
  pick,
  runCommand,
  squiggles,
  statusBarItem,
  treeItem,
} from "./pages.ts";

/** A finished project, an unfinished one that uses one of its clips, a failed one. */
function makePipeline(): Workspace {
  const workspace = makeWorkspace();
  const sceneBytes = 200_000;
  addProject(workspace, "p1", { scenes: 4, clips: ["nasa/a", "nasa/b"], sceneBytes });
  addProject(workspace, "p2", { status: "rendering", clips: ["nasa/a"], sceneBytes });
  addProject(workspace, "p3", { status: "failed", clips: ["nasa/c"], sceneBytes });
  workspace.write(".env", Buffer.from("PORT=3000\nAUTO_CLEANUP_ENABLED=true # as in production\n"));
  return workspace;
}

describe("the editor, from preview to undo", function () {
  this.timeout(120_000);
  let workspace: Workspace;

  beforeEach(() => {
    workspace = makePipeline();
  });
  afterEach(() => workspace.dispose());

  it("E.3, E.4, E.6: shows, previews, cleans, undoes, frees and toggles", async () => {
    const before = workspace.snapshot();
    await using code = await startVSCode({ workspace: workspace.root, name: "flow" });
    const { page } = code;

    await openView(page, "Offcut");
    await seeTrees(code);

    await runCommand(page, "Offcut: Preview Cleanup");
    await page.locator(".tab.active", { hasText: "Cleanup Preview" }).waitFor();
    await page.locator(".view-line", { hasText: "OWNER" }).first().waitFor();
    await code.screenshot("2 preview");
    assert.deepEqual(workspace.snapshot(), before);

    await cleanUp(code, "3 modal");
    const done = await notification(page, /^Cleanup: Deleted 13 files, freed 0\.00 MB \(2\.29 MB held for undo until .*\)$/);
    assert.deepEqual(done.buttons, ["Undo", "Free Space Now"]);
    await code.screenshot("4 cleaned");
    const left = workspace.files();
    assert.deepEqual(
      left.filter((file) => file.includes("/p1/")),
      [".cache/output/p1/final-thumb.jpg", ".cache/output/p1/final.mp4"],
    );
    for (const file of left) assert.deepEqual(workspace.snapshot().get(file), before.get(file), file);

    await done.click("Undo");
    await notification(page, /^Undone: 13 files/);
    await code.screenshot("5 undone");
    assert.deepEqual(workspace.snapshot(), before);

    await cleanUp(code, "6 modal again");
    await (await notification(page, /^Cleanup: Deleted 13 files, freed 0\.00 MB/)).click("Free Space Now");
    await notification(page, /^Cleanup: Deleted 13 files, freed 2\.\d\d MB$/);
    await code.screenshot("7 freed");
    assert.deepEqual(fs.readdirSync(workspace.path(".offcut/holds")), []);

    await runCommand(page, "Offcut: Toggle AUTO_CLEANUP_ENABLED");
    await statusBarItem(page, /auto-cleanup off/);
    await code.screenshot("8 toggled");
    assert.equal(fs.readFileSync(workspace.path(".env"), "utf8"), "PORT=3000\nAUTO_CLEANUP_ENABLED=false # as in production\n");
  });

  it("R82: in Restricted Mode everything is kept and says why, and nothing can be cleaned", async () => {
    const before = workspace.snapshot({ everything: true });
    await using code = await startVSCode({ workspace: workspace.root, name: "flow restricted", trust: false });
    const { page } = code;
    await openView(page, "Offcut");
    const kept = await openPane(page, "Kept");
    const project = treeItem(page, "p1", kept);
    await project.expand();
    assert.match(await treeItem(page, "audio", kept).description(), /cannot be decided/);
    assert.match(await treeItem(page, "audio", kept).tooltip(), /not trusted/);
    await page.getByText("Manage Workspace Trust").first().waitFor();
    await code.screenshot("restricted");
    const commands = await listCommands(page, "Offcut: ");
    assert.ok(commands.includes("Offcut: Preview Cleanup"), commands.join(", "));
    for (const label of ["Offcut: Clean Up…", "Offcut: Free Space Now", "Offcut: Undo Last Cleanup"])
      assert.ok(!commands.includes(label), label);
    assert.deepEqual(workspace.snapshot({ everything: true }), before);
  });
});

describe("the editor, before Offcut is set up", () => {
  it("E.3: offers a configuration, and names the line of what is wrong in it", async () => {
    const workspace = makePipeline();
    fs.rmSync(workspace.path("offcut.json"));
    try {
      await using code = await startVSCode({ workspace: workspace.root, name: "flow set up" });
      const { page } = code;
      await openView(page, "Offcut");
      await page.getByRole("button", { name: "Create offcut.json" }).click();
      await pick(page, "video-generator");
      await page.locator(".tab.active", { hasText: "offcut.json" }).waitFor();
      const reclaimable = await openPane(page, "Reclaimable");
      await treeItem(page, "p1", reclaimable).waitFor();
      await code.screenshot("1 created");
      assert.match(fs.readFileSync(workspace.path("offcut.json"), "utf8"), /"preset": "video-generator"/);

      fs.writeFileSync(workspace.path("offcut.json"), '{\n  "preset": "video-generator",\n  "stores": { "audio": { "rle": "temp" } }\n}\n');
      const problem = treeItem(page, /not a setting/, reclaimable);
      await problem.waitFor();
      assert.equal(await problem.description(), "offcut.json:3");
      await squiggles(page, "error").first().waitFor();
      await code.screenshot("2 problem");
      await problem.select();
      await page.locator(".part.statusbar", { hasText: "Ln 3" }).waitFor();
    } finally {
      workspace.dispose();
    }
  });
});

async function seeTrees(code: VSCode): Promise<void> {
  const { page } = code;
  const reclaimable = await openPane(page, "Reclaimable");
  const project = treeItem(page, "p1", reclaimable);
  await project.waitFor();
  assert.equal(await project.description(), "13 files · 2.3 MB");
  await project.expand();
  const audio = treeItem(page, "audio", reclaimable);
  await audio.expand();
  await treeItem(page, "scene-1.mp3", reclaimable).waitFor();
  assert.match(await audio.tooltip(), /project p1 succeeded[^]*final\.mp4 verified/);

  const kept = await openPane(page, "Kept");
  await treeItem(page, "p2", kept).waitFor();
  assert.match(await treeItem(page, "p2", kept).description(), /^project not finished/);
  assert.match(await treeItem(page, "p3", kept).description(), /^project failed, held for debugging/);
  const status = await statusBarItem(page, /2\.3 MB · auto-cleanup on/);
  // The tooltip of the tree fades while this one comes.
  await poll("the switch's source", async () => /\.env:2/.test(await status.tooltip()));
  await code.screenshot("1 trees");
}

async function cleanUp(code: VSCode, picture: string): Promise<void> {
  const { page } = code;
  await runCommand(page, "Offcut: Clean Up…");
  const dialog = await modalDialog(page, "Clean up");
  assert.equal(dialog.message, "Clean up 13 files (2.3 MB)?");
  assert.match(dialog.detail, /\.cache\/audio: 4 files, 781\.3 KB[^]*held for undo until/);
  await code.screenshot(picture);
  await dialog.click("Clean Up 13 Files");
}
