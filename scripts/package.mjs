// Builds for release, each with only what its users need: dist/offcut.vsix, the extension, at most LIMIT bytes; and dist/offcut.tgz,
// the npm package with the command line and the runtime library. The tarball is unpacked and tried.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
/** Most of it is the compiler that reads TypeScript, a sixth are the libraries that ask remote storages. */
const LIMIT = 2.5 * 1024 ** 2;
/** What each storage needs; loaded only by who uses that storage. */
const REMOTE = ["S3", "Azure", "AzureIdentity", "Google"].map((name) => `dist/remote${name}.cjs`);
const EXTENSION = [
  "dist/client.cjs",
  "dist/server.cjs",
  "dist/walkWorker.cjs",
  "dist/analysis.cjs",
  "dist/engine.cjs",
  "dist/words.cjs",
  "dist/yaml.cjs",
  ...REMOTE,
  "schema",
  "l10n",
  "media",
  "docs/rules",
  "package.nls.json",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
];
/** What npm and developers need of package.json; `files` would make vsce ignore the list above. */
const NOT_EXTENSION = [
  "private",
  "files",
  "bin",
  "exports",
  "scripts",
  "devDependencies",
  "optionalDependencies",
  "overrides",
  "allowScripts",
  "type",
];
const NPM = [
  "dist/cli.cjs",
  "dist/server.cjs",
  "dist/walkWorker.cjs",
  "dist/analysis.cjs",
  "dist/engine.cjs",
  "dist/words.cjs",
  "dist/yaml.cjs",
  ...REMOTE,
  "dist/runtime.cjs",
  "dist/runtime.mjs",
  "dist/runtimeEngine.cjs",
  "dist/types",
  "schema",
  "l10n",
  "docs/rules",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
];
/** Whoever installs the package must not be given another Node, nor an extension's manifest. */
const NOT_NPM = [
  "private",
  "files",
  "main",
  "scripts",
  "devDependencies",
  "optionalDependencies",
  "overrides",
  "allowScripts",
  "contributes",
  "activationEvents",
  "capabilities",
  "extensionKind",
  "l10n",
  "icon",
  "displayName",
  "categories",
  "publisher",
];

execFileSync(process.execPath, [path.join(root, "scripts/build.mjs"), "--release"], { cwd: root, stdio: "inherit" });
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-package-"));
try {
  const stage = path.join(scratch, "extension");
  const files = fillStage(stage, EXTENSION, NOT_EXTENSION);
  fs.writeFileSync(path.join(stage, ".vscodeignore"), ""); // Without one vsce warns that everything is packed, which is meant here.
  const vsix = path.join(root, "dist/offcut.vsix");
  const vsce = path.join(root, "node_modules/@vscode/vsce/vsce");
  execFileSync(
    process.execPath,
    [vsce, "package", "--no-dependencies", "--skip-license", "--allow-missing-repository", "--no-rewrite-relative-links", "--out", vsix],
    { cwd: stage, stdio: ["ignore", "ignore", "inherit"] },
  );
  for (const { name, bytes } of files) console.log(`${String(bytes).padStart(9)}  ${name}`);
  const { size } = fs.statSync(vsix);
  console.log(`${String(size).padStart(9)}  dist/offcut.vsix (packed)`);
  if (size > LIMIT) throw new Error(`dist/offcut.vsix has ${size} bytes; the limit is ${LIMIT}.`);
  packForNpm(path.join(scratch, "npm"));
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}

function packForNpm(stage) {
  // For whatever does not read "exports"; in the repository "main" is the extension's.
  fillStage(stage, NPM, NOT_NPM, { main: "./dist/runtime.cjs", types: "./dist/types/runtime/index.d.cts" });
  const tarball = path.join(root, "dist/offcut.tgz");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const name = execFileSync(npm, ["pack", "--silent", "--pack-destination", scratch], { cwd: stage, encoding: "utf8" })
    .trim()
    .split("\n")
    .at(-1);
  fs.renameSync(path.join(scratch, name), tarball);
  console.log(`${String(fs.statSync(tarball).size).padStart(9)}  dist/offcut.tgz (npm package)`);

  const project = path.join(scratch, "project");
  fs.mkdirSync(path.join(project, "node_modules/offcut"), { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", path.join(project, "node_modules/offcut")]);
  const node = (...args) => execFileSync(process.execPath, args, { cwd: project, encoding: "utf8" }).trim();
  const { version } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  const seen = [
    node("node_modules/offcut/dist/cli.cjs", "--version"),
    node("--input-type=module", "-e", 'import { cleanupProjectFiles } from "offcut"; console.log(typeof cleanupProjectFiles)'),
    node("-e", 'console.log(typeof require("offcut").cleanupProjectFiles)'),
    node("-p", `${JSON.stringify(REMOTE)}.every((file) => Object.values(require("./node_modules/offcut/" + file)).length === 1)`),
    node("node_modules/offcut/dist/cli.cjs", "check", "--explain", "partial-cleanup").includes("\nSilence it\n"),
  ];
  if (seen.join() !== `${version},function,function,true,true`)
    throw new Error(`dist/offcut.tgz does not work once installed: ${seen.join()}`);
}

function fillStage(stage, contents, foreignKeys, more = {}) {
  for (const name of contents) fs.cpSync(path.join(root, name), path.join(stage, name), { recursive: true });
  // The page of an installed extension finds no picture by a relative path.
  const readme = path.join(stage, "README.md");
  fs.writeFileSync(readme, fs.readFileSync(readme, "utf8").replace(/^!\[.*\]\(docs\/.*\)\n+/gm, ""));
  const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  for (const key of foreignKeys) delete manifest[key];
  Object.assign(manifest, more);
  fs.writeFileSync(path.join(stage, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return fs
    .readdirSync(stage, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ name: path.relative(stage, file).split(path.sep).join("/"), bytes: fs.statSync(file).size }));
}
