// Builds dist/offcut.vsix for release: only what the extension needs at run time, at most LIMIT bytes.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const LIMIT = 1024 ** 2;
/** Everything that is packed. */
const CONTENTS = [
  "dist/client.cjs",
  "dist/server.cjs",
  "dist/walkWorker.cjs",
  "schema",
  "l10n",
  "media",
  "package.nls.json",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
];
/** What npm and developers need of package.json; `files` would make vsce ignore the list above. */
const FOREIGN_KEYS = ["files", "bin", "exports", "scripts", "devDependencies", "optionalDependencies", "overrides", "allowScripts", "type"];

execFileSync(process.execPath, [path.join(root, "scripts/build.mjs"), "--release"], { cwd: root, stdio: "inherit" });
const stage = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-package-"));
try {
  const files = fillStage();
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
} finally {
  fs.rmSync(stage, { recursive: true, force: true });
}

function fillStage() {
  for (const name of CONTENTS) fs.cpSync(path.join(root, name), path.join(stage, name), { recursive: true });
  // The page of an installed extension finds no picture by a relative path.
  const readme = path.join(stage, "README.md");
  fs.writeFileSync(readme, fs.readFileSync(readme, "utf8").replace(/^!\[.*\]\(docs\/.*\)\n+/gm, ""));
  const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  for (const key of FOREIGN_KEYS) delete manifest[key];
  fs.writeFileSync(path.join(stage, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const listed = fs
    .readdirSync(stage, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ name: path.relative(stage, file).split(path.sep).join("/"), bytes: fs.statSync(file).size }));
  fs.writeFileSync(path.join(stage, ".vscodeignore"), ""); // Without one vsce warns that everything is packed, which is meant here.
  return listed;
}
