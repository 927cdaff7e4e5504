import assert from "node:assert/strict";
import fs from "node:fs";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { startVSCode } from "./harness.ts";
import {
  hover,
  notification,
  openFile,
  openPane,
  openProblems,
  openView,
  pick,
  quickFix,
  runCommand,
  save,
  squiggles,
  takeFirstFix,
  treeItem,
  useLightBulb,
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

/** In a browser VS Code saves by itself otherwise. */
const settings = { "files.autoSave": "off" };

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
    const text = await hover(page, squiggles(page), /on disk now/);
    assert.match(text, new RegExp(RULE));
    assert.match(text, /narrate\.ts:\d+/);
    assert.match(text, /4 files, 781\.3 KB on disk now/);
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
    const twice = `${uploader("narrate")}${uploader("repeat").slice(uploader("repeat").indexOf("\n/**"))}`;
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
    assert.match(await site.description(), /^line 8 · 781\.3 KB · leaves files$/);
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
    await pick(page, /./);
    await page.locator(".tabs-container .tab.active", { hasText: /narrate\.ts|other\.ts/ }).waitFor();
    await code.screenshot("4 its code");
  });
});
