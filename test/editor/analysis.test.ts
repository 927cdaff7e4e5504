import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { startVSCode } from "./harness.ts";
import {
  hover,
  notification,
  notifications,
  openFile,
  openPane,
  openProblems,
  openView,
  quickFix,
  runCommand,
  save,
  squiggles,
  takeFirstFix,
  treeItem,
  useLightBulb,
  webview,
} from "./pages.ts";
import { poll, retry } from "./poll.ts";

const RULE = "missing-cleanup-after-upload";
/** The title of the fix that the editor offers first. */
const FIX = /^Delete /;

/** Writes a scene of the video generator, uploads it, and leaves it behind. */
function uploader(name: string): string {
  return `import { v2 as cloudinary } from "cloudinary";
import { writeFile } from "node:fs/promises";

/** Makes one scene of the narration and gives it to the CDN. */
export async function ${name}(project: string, scene: number, speech: Uint8Array): Promise<string> {
  const scenePath = \`.cache/audio/\${project}/scene-\${scene}.mp3\`;
  await writeFile(scenePath, speech);
  const { secure_url } = await cloudinary.uploader.upload(scenePath, { resource_type: "video" });
  return secure_url;
}
`;
}

/** In a browser VS Code saves by itself otherwise; lines that stick to the top would lie over the light bulb. */
const settings = { "files.autoSave": "off", "editor.stickyScroll.enabled": false };

describe("the editor, and code that leaves files behind", function () {
  this.timeout(180_000);
  let workspace: Workspace;

  const write = (file: string, text: string): void => void workspace.write(file, Buffer.from(text));
  const read = (file: string): string => fs.readFileSync(workspace.path(file), "utf8");

  beforeEach(() => {
    workspace = makeWorkspace();
    addProject(workspace, "p1", { scenes: 4, sceneBytes: 200_000 });
    write("src/narrate.ts", uploader("narrate"));
  });
  afterEach(() => workspace.dispose());

  it("shows a squiggle and the way of the file, and fixes it by keyboard", async () => {
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis keyboard", settings });
    const { page } = code;
    await openFile(page, "narrate.ts");
    await squiggles(page).first().waitFor();
    const text = await hover(page, squiggles(page), /→/);
    assert.match(text, /stays on disk [^]*\(4 files, 781\.3 KB on disk now\)/);
    assert.match(text, /scenePath: made here \(line 7\) → uploaded here \(line 8\) → leaves here without deleting it \(line 9\)/);
    assert.match(text, /\.cache\/audio\/\*\/scene-\*\.mp3: 4 files, 781\.3 KB on disk now/);
    await code.screenshot("hover");

    await takeFirstFix(page, "uploader", /^Ignore .* here/);
    await squiggles(page).first().waitFor({ state: "detached" });
    await code.screenshot("fixed");
    assert.equal(read("src/narrate.ts"), uploader("narrate"), "nothing is written before saving");
    await save(page);
    const fixed = read("src/narrate.ts");
    assert.notEqual(fixed, uploader("narrate"));
    assert.match(fixed, /upload\(scenePath[^]*scenePath[^]*return secure_url/);
    await page.keyboard.press("Control+Z");
    await squiggles(page).first().waitFor();
    assert.equal(read("src/narrate.ts"), fixed, "what is not saved counts");
  });

  it("leads to the steps of the way and to the rule's page, which comes with the extension", async () => {
    await using code = await startVSCode({
      workspace: workspace.root,
      name: "analysis links",
      settings,
      builtins: ["markdown-language-features"],
    });
    const { page } = code;
    await openFile(page, "narrate.ts");
    await squiggles(page).first().waitFor();
    await hover(page, squiggles(page), /→/);
    await page.locator(".monaco-hover a", { hasText: "line 9" }).first().click();
    await page.locator(".part.statusbar", { hasText: "Ln 9" }).waitFor();
    await hover(page, squiggles(page), /→/);
    await page.locator(".monaco-hover a", { hasText: RULE }).first().click();
    await page.locator(".tabs-container .tab.active", { hasText: `${RULE}.md` }).waitFor();
    await webview(page).getByRole("heading", { name: "Why" }).waitFor();
    await code.screenshot("page");
    assert.deepEqual([...code.refusedRequests], []);
  });

  it("fixes by mouse, from the light bulb", async () => {
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis mouse", settings });
    const { page } = code;
    await openFile(page, "narrate.ts");
    await squiggles(page).first().waitFor();
    await useLightBulb(page, "uploader", FIX);
    await squiggles(page).first().waitFor({ state: "detached" });
    await save(page);
    await code.screenshot("fixed");
    assert.match(read("src/narrate.ts"), /upload\(scenePath[^]*scenePath[^]*return secure_url/);
  });

  it("fixes everything on save, when told so", async () => {
    const repeat = uploader("repeat").replace("/audio/", "/repeat/");
    const twice = `${uploader("narrate")}${repeat.slice(repeat.indexOf("\n/**"))}`;
    write("src/narrate.ts", twice);
    const onSave = { ...settings, "editor.codeActionsOnSave": { "source.fixAll.offcut": "explicit" } };
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis on save", settings: onSave });
    const { page } = code;
    await openFile(page, "narrate.ts");
    await poll("two squiggles", async () => (await squiggles(page).count()) >= 2);
    // VS Code takes a while after its start until saving leads to any action.
    await retry(async () => {
      await page.locator(".monaco-editor .view-line span span", { hasText: "Makes one scene" }).first().click({ timeout: 3_000 });
      await page.keyboard.press("End");
      await page.keyboard.type(" ");
      await save(page);
      await squiggles(page).first().waitFor({ state: "detached", timeout: 3_000 });
    });
    await code.screenshot("fixed");
    const added = read("src/narrate.ts").split("\n").length - twice.split("\n").length;
    assert.ok(added >= 2, read("src/narrate.ts"));
  });

  it("ignores here and in the workspace", async () => {
    write("src/other.ts", uploader("other"));
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis ignore", settings });
    const { page } = code;
    await openFile(page, "narrate.ts");
    await squiggles(page).first().waitFor();
    await quickFix(page, "uploader", /^Ignore .* here/);
    await squiggles(page).first().waitFor({ state: "detached" });
    await save(page);
    assert.match(read("src/narrate.ts"), new RegExp(`\\n  // offcut-ignore-next-line ${RULE} -- reason\\n  const \\{ secure_url`));

    await openFile(page, "other.ts");
    await squiggles(page).first().waitFor();
    await quickFix(page, "uploader", /^Ignore .* in this workspace/);
    await squiggles(page).first().waitFor({ state: "detached" });
    await code.screenshot("ignored");
  });

  it("follows settings, and hides what a baseline has", async () => {
    const rules = (severity: string): string => JSON.stringify({ "offcut.check.rules": { [RULE]: severity } });
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis settings", settings });
    const { page } = code;
    await openFile(page, "narrate.ts");
    await squiggles(page, "warning").first().waitFor();
    write(".vscode/settings.json", rules("error"));
    await squiggles(page, "error").first().waitFor();
    await code.screenshot("error");
    write(".vscode/settings.json", rules("information"));
    await squiggles(page, "info").first().waitFor();
    write(".vscode/settings.json", rules("off"));
    await squiggles(page, "info").first().waitFor({ state: "detached" });
    write("offcut.json", read("offcut.json").replace(/\{/, `{ "analysis": { "rules": { "${RULE}": "error" } },`));
    write(".vscode/settings.json", "{}");
    await squiggles(page, "error").first().waitFor();

    const cli = path.resolve(import.meta.dirname, "../../dist/cli.cjs");
    const baseline = ["check", "--baseline", "offcut-baseline.json", "--update-baseline"];
    execFileSync(process.execPath, [cli, ...baseline], { cwd: workspace.root, stdio: "ignore" });
    write(".vscode/settings.json", JSON.stringify({ "offcut.check.baseline": "offcut-baseline.json" }));
    await squiggles(page, "error").first().waitFor({ state: "detached" });
    write("src/later.ts", uploader("later"));
    const problems = await openProblems(page);
    await problems.filter({ hasText: "later.ts" }).first().waitFor();
    await code.screenshot("baseline");
    assert.equal(await problems.filter({ hasText: "narrate.ts" }).count(), 0);
  });

  it("follows unsaved text and the disk in files that are not shown", async () => {
    write(
      "src/store.ts",
      `import { v2 as cloudinary } from "cloudinary";\nexport const store = (file: string) => cloudinary.uploader.upload(file);\n`,
    );
    const sender = uploader("send").replace('import { v2 as cloudinary } from "cloudinary"', 'import { store } from "./store"');
    write("src/send.ts", sender.replace(/cloudinary\.uploader\.upload\(scenePath.*\)/, "store(scenePath)"));
    write("src/deep/other.ts", uploader("other"));
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis unsaved", settings });
    const { page } = code;
    const problems = await openProblems(page);
    await openFile(page, "send.ts");
    await squiggles(page).first().waitFor();
    assert.match(await hover(page, squiggles(page), /→/), /uploaded here \(line 8\) → .*\(store\.ts:2\)/);
    await code.screenshot("wrapper");
    await openFile(page, "store.ts");
    await page.locator(".monaco-editor .view-line span span", { hasText: "uploader" }).first().click();
    await page.keyboard.press("Home");
    await page.keyboard.type("// ");
    await problems.filter({ hasText: "send.ts" }).first().waitFor({ state: "detached" });
    assert.match(read("src/store.ts"), /\nexport/);

    fs.renameSync(workspace.path("src/deep"), workspace.path("src/moved"));
    await problems.filter({ hasText: "src/moved" }).first().waitFor();
    assert.equal(await problems.filter({ hasText: "src/deep" }).count(), 0);
    fs.rmSync(workspace.path("src/moved"), { recursive: true });
    await problems.filter({ hasText: "other.ts" }).first().waitFor({ state: "detached" });
    await code.screenshot("problems");
  });

  it("shows how far a long check is, and cancels it", async () => {
    for (let i = 0; i < 1500; i++) write(`src/many/m${i}.ts`, uploader(`m${i}`));
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis progress", settings });
    const { page } = code;
    const progress = page.locator(".notification-toast", { hasText: "Checking the code" });
    await runCommand(page, "Offcut: Check Workspace");
    await progress.waitFor();
    await code.screenshot("progress");
    await progress.getByRole("button", { name: "Cancel" }).click();
    await progress.waitFor({ state: "detached" });
    assert.deepEqual(await notifications(page), []);
    await runCommand(page, "Offcut: Check Workspace");
    await notification(page, /^1501 findings, \d+ files looked through\.$/);
    await code.screenshot("done");
  });

  it("lists what is wrong in files that are not open, and the call sites with what they cost", async () => {
    write("src/deep/other.ts", uploader("other"));
    await using code = await startVSCode({ workspace: workspace.root, name: "analysis workspace", settings });
    const { page } = code;
    await openView(page, "Offcut");
    const sites = await openPane(page, "Call Sites");
    const file = treeItem(page, "narrate.ts", sites);
    await file.waitFor();
    const problems = await openProblems(page);
    await problems.filter({ hasText: "other.ts" }).first().waitFor();
    await problems.filter({ hasText: RULE }).first().waitFor();
    await code.screenshot("1 problems");
    await page.keyboard.press("Control+J");

    await runCommand(page, "Offcut: Check Workspace");
    await notification(page, /^2 findings, \d+ files looked through\.$/);
    await file.expand();
    const site = treeItem(page, /uploader\.upload$/, sites);
    assert.match(await site.description(), /^781\.3 KB · line 8$/);
    assert.match(await site.tooltip(), new RegExp(RULE));
    await code.screenshot("2 call sites");
    await site.select();
    await page.locator(".tabs-container .tab.active", { hasText: "narrate.ts" }).waitFor();
    await page.locator(".part.statusbar", { hasText: "Ln 8" }).waitFor();

    const reclaimable = await openPane(page, "Reclaimable");
    await treeItem(page, "p1", reclaimable).waitFor();
    await site.runMenuEntry("Show Its Files");
    const scene = treeItem(page, /^scene-\d\.mp3$/, reclaimable);
    await scene.waitFor();
    await code.screenshot("3 its files");
    await scene.runMenuEntry("Show the Code That Makes It");
    const picker = page.locator(".quick-input-list .monaco-list-row");
    await picker.first().waitFor();
    await code.screenshot("4 its code");
    assert.match(await picker.first().innerText(), /writeFile\s*writes it · src\/(?:deep\/other|narrate)\.ts:7/);
    await picker.filter({ hasText: /uploads it · src\/deep\/other\.ts:8/ }).click();
    await page.locator(".tabs-container .tab.active", { hasText: "other.ts" }).waitFor();
    await page.locator(".part.statusbar", { hasText: "Ln 8" }).waitFor();

    await sites.hover();
    await sites.getByRole("button", { name: "Sort Call Sites by Size on Disk" }).click();
    await treeItem(page, "With findings", sites).waitFor();
    await code.screenshot("5 by size");
  });
});
