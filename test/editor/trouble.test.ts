import assert from "node:assert/strict";
import fs from "node:fs";
import { type Layout, makeLayout } from "../layout.ts";
import { addJob, JOB_SETTINGS } from "../server/jobPipeline.ts";
import { startVSCode, type VSCode } from "./harness.ts";
import { modalDialog, notification, notifications, openPane, openView, pick, runCommand, statusBarItem, treeItem } from "./pages.ts";
import { poll } from "./poll.ts";

const CLIPS = { path: "data/clips/{event}.mp4", role: "clip", maxBytes: "3MB", targetBytes: "2MB" };
const MB = 1024 * 1024;

/** A pipeline whose settings are YAML, which JSON is as well. */
function useYaml(layout: Layout, more: object = {}): void {
  fs.rmSync(layout.path("offcut.json"), { force: true });
  layout.write("offcut.yaml", JSON.stringify({ ...JOB_SETTINGS, ...more }, null, 2));
}

function tear(layout: Layout, id: string): void {
  for (const suffix of ["json", "json.bak"]) fs.writeFileSync(layout.path(`.offcut/jobs/${id}.${suffix}`), "{ torn");
}

describe("the editor, when nothing can be decided", function () {
  this.timeout(180_000);
  let layout: Layout;

  beforeEach(async () => {
    layout = makeLayout(JOB_SETTINGS);
    await addJob(layout, "episode-1", { state: "succeeded", bytes: 100_000 });
    await addJob(layout, "episode-2", { state: "succeeded", bytes: 100_000 });
  });
  afterEach(() => layout[Symbol.dispose]());

  it("R32: says so in the status bar, tells it once, and sets a damaged manifest aside", async () => {
    useYaml(layout, { policy: { every: "2s", retention: "1d" } });
    layout.write(".vscode/settings.json", JSON.stringify({ "offcut.background.enabled": true }));
    await using code = await startVSCode({ workspace: layout.root, name: "trouble manifest" });
    const { page } = code;
    const healthy = await statusBarItem(page, /auto-cleanup on/);
    await healthy.tooltip(/every 2 s by this window, last /);
    tear(layout, "episode-2");
    const told = await notification(page, /^Offcut: Nothing can be cleaned up: episode-2\.json is damaged/);
    assert.deepEqual(told.buttons, ["Show Problems"]);
    await seeError(
      code,
      "episode-2.json",
      /episode-2\.json is damaged[^]*Reclaimable: 0 files[^]*every 2 s by this window, last [^(]* \(nothing could be cleaned\)/,
    );
    await code.screenshot("1 damaged");
    await told.click("Show Problems");
    const reclaimable = await openPane(page, "Reclaimable");
    const problem = treeItem(page, /^episode-2\.json is damaged/, reclaimable);
    await problem.waitFor();
    assert.equal(await problem.description(), ".offcut/jobs/episode-2.json");
    await code.screenshot("2 problem");
    assert.deepEqual(await notifications(page), [], "it was told once");

    await problem.runAction("Forget Damaged Manifest…");
    await (await modalDialog(page, "episode-2")).cancel();
    assert.ok(fs.existsSync(layout.path(".offcut/jobs/episode-2.json")));
    await runCommand(page, "Offcut: Forget Damaged Manifest…");
    await pick(page, "episode-2");
    const dialog = await modalDialog(page, "Set the damaged manifest of episode-2 aside?");
    assert.match(dialog.detail, /^episode-2\.json is damaged[^]*nobody's then/);
    await code.screenshot("3 forget");
    await dialog.click("Set It Aside");
    await notification(page, /^The manifest of episode-2 is now \.offcut\/jobs\/damaged\/episode-2\.json/);
    await statusBarItem(page, /auto-cleanup on/);
    await problem.waitUntilGone();
    await code.screenshot("4 healthy again");
    assert.ok(fs.existsSync(layout.path("output/jobs/episode-2/slides/slide-1.png")));
  });

  it("E.3: says that the configuration is broken, and where, while the policy is enforced in the background", async () => {
    useYaml(layout, { policy: { every: "2s", retention: "1d" } });
    const good = fs.readFileSync(layout.path("offcut.yaml"), "utf8");
    layout.write(".vscode/settings.json", JSON.stringify({ "offcut.background.enabled": true }));
    layout.write("offcut.yaml", "stores:\n  slides:\n    paht: output/jobs/{job}/slides/\n");
    await using code = await startVSCode({ workspace: layout.root, name: "trouble configuration" });
    const { page } = code;
    const told = await notification(page, /^Offcut: The policy cannot be enforced: offcut\.yaml:\d: .* \(and 2 more\)$/);
    await seeError(code, "offcut.yaml:", /offcut\.yaml:\d: [^]*Until this is mended nothing is planned, cleaned up or enforced/);
    await code.screenshot("broken");
    await told.click("Show Problems");
    const reclaimable = await openPane(page, "Reclaimable");
    await treeItem(page, /not a setting|paht|missing|needs/, reclaimable).waitFor();
    layout.write("offcut.yaml", good);
    await statusBarItem(page, /auto-cleanup on/);
    await code.screenshot("mended");
  });

  it("R56: names what keeps a store from its target", async () => {
    layout.settings({ stores: { clips: CLIPS } });
    for (let n = 1; n <= 4; n++) layout.write(`data/clips/raw-${n}.mov`, n * MB);
    layout.write("data/clips/event-1.mp4", MB);
    await using code = await startVSCode({ workspace: layout.root, name: "trouble pressure" });
    await openView(code.page, "Offcut");
    const pressed = treeItem(code.page, "clips: 11.0 MB of 3.0 MB", await openPane(code.page, "Reclaimable"));
    await pressed.tooltip(
      /not managed by Offcut: 4 files, 10\.0 MB, the largest: data\/clips\/raw-4\.mov \(4\.0 MB\), data\/clips\/raw-3\.mov \(3\.0 MB\)/,
    );
    await code.screenshot("largest");
  });

  it("E.6: without a configuration the jobs are shown, and the preset that fits is offered first", async () => {
    fs.rmSync(layout.path("offcut.json"));
    await addJob(layout, "episode-3", { state: "failed", bytes: 100_000 });
    await using code = await startVSCode({ workspace: layout.root, name: "trouble set up" });
    const { page } = code;
    await openView(page, "Offcut");
    const kept = await openPane(page, "Kept");
    await treeItem(page, "episode-1", kept).waitFor();
    assert.equal(await treeItem(page, "episode-1", kept).description(), "succeeded");
    const failed = treeItem(page, "episode-3", kept);
    assert.equal(await failed.description(), "failed");
    await failed.tooltip(/job of the type long_form[^]*no configuration says where its files are/);
    await code.screenshot("1 jobs");
    await page.getByRole("button", { name: "Create offcut.json" }).click();
    const rows = page.locator(".quick-input-list .monaco-list-row");
    await poll("the presets", async () => (await rows.count()) === 4);
    const shown = await rows.locator(".quick-input-list-row:first-child .label-name").allTextContents();
    assert.deepEqual(shown, ["job-manifests", "video-generator", "upload-outputs", "clip-store"]);
    await code.screenshot("2 presets");
    await page.keyboard.press("Enter");
    await page.locator(".tab.active", { hasText: "offcut.json" }).waitFor();
    assert.match(fs.readFileSync(layout.path("offcut.json"), "utf8"), /"preset": "job-manifests"/);
    await poll("the reason", async () => (await failed.description()).startsWith("job failed, held for debugging"));
    await code.screenshot("3 created");
  });

  it("E.6: commands of the menus ask from the palette what they are meant for", async () => {
    await addJob(layout, "episode-3", { state: "failed", bytes: 100_000 });
    await addJob(layout, "episode-4", { state: "succeeded", bytes: 100_000 });
    await using code = await startVSCode({ workspace: layout.root, name: "trouble palette" });
    const { page } = code;
    await openView(page, "Offcut");
    const reclaimable = await openPane(page, "Reclaimable");
    const kept = await openPane(page, "Kept");
    await treeItem(page, "episode-1", reclaimable).waitFor();
    await runCommand(page, "Offcut: Undo This Cleanup");
    await notification(page, "No cleanup holds files.");

    await runCommand(page, "Offcut: Release");
    await page.locator(".quick-input-list .monaco-list-row").first().waitFor();
    await code.screenshot("1 release");
    await pick(page, "episode-3");
    await treeItem(page, "episode-3", reclaimable).waitFor();
    await runCommand(page, "Offcut: Hold Again");
    await pick(page, "episode-3");
    await treeItem(page, "episode-3", reclaimable).waitUntilGone();

    await runCommand(page, "Offcut: Always Keep This");
    await pick(page, "episode-1");
    await treeItem(page, "episode-1", reclaimable).waitUntilGone();
    await poll("the pin", async () => (await treeItem(page, "episode-1", kept).description()).startsWith("always kept"));
    await runCommand(page, "Offcut: Stop Always Keeping");
    await page.locator(".quick-input-list .monaco-list-row").first().waitFor();
    await code.screenshot("2 unpin");
    await pick(page, "episode-1");
    await treeItem(page, "episode-1", reclaimable).waitFor();

    for (const job of ["episode-1", "episode-4"]) {
      await runCommand(page, "Offcut: Clean This Job…");
      await pick(page, job);
      await (await modalDialog(page, "Clean up 4 files")).click("Clean Up 4 Files");
      await treeItem(page, job, reclaimable).waitUntilGone();
    }
    await runCommand(page, "Offcut: Undo This Cleanup");
    const rows = page.locator(".quick-input-list .monaco-list-row");
    await poll("both cleanups", async () => (await rows.count()) === 2);
    await code.screenshot("3 undo");
    await rows.filter({ hasText: "of episode-1" }).click();
    await treeItem(page, "episode-1", reclaimable).waitFor();
    await runCommand(page, "Offcut: Free Its Space…");
    await rows.first().click();
    await (await modalDialog(page, "Free the space")).click("Free 390.6 KB");
    await notification(page, /^Cleanup: Deleted 4 files, freed 0\.\d\d MB$/);
    await runCommand(page, "Offcut: Show Details");
    await poll("both cleanups", async () => (await rows.count()) === 2);
    await rows.first().click();
    await page.locator(".view-line", { hasText: "episode-4/slides/slide-1.png" }).first().waitFor();
    await code.screenshot("4 details");
  });
});

async function seeError({ page }: VSCode, place: string, hover: RegExp): Promise<void> {
  await page.locator(".part.statusbar .statusbar-item.error-kind", { hasText: `Offcut: ${place}` }).waitFor();
  const status = await statusBarItem(page, /^\s*Offcut: .*, nothing is cleaned up/);
  const text = await status.tooltip(hover);
  assert.ok(text.indexOf("Automatic cleanup") === -1 || text.indexOf(place) < text.indexOf("Automatic cleanup"), text);
}
