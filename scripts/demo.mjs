// The main job in one minute: makes a workspace with a finished, a running and a failed project, shows what is reclaimable and
// why, cleans, undoes, cleans again and frees the space. Everything it prints is what the command line prints.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const workspace = path.join(root, "demo-workspace");
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `The demo needs Node 22.18 or newer and this is ${process.versions.node}: start it with "npm run demo", which brings its own Node where it can.`,
  );
  process.exit(2);
}

const color = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const say = (text) => console.log(`\n${color ? styleText(["bold", "cyan"], `▌ ${text}`, { validateStream: false }) : `# ${text}`}`);

function run(file, ...args) {
  const { status } = spawnSync(process.execPath, [file, ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

function offcut(...args) {
  console.log(`${color ? styleText("dim", `$ offcut ${args.join(" ")}`, { validateStream: false }) : `$ offcut ${args.join(" ")}`}`);
  run(path.join(root, "dist/cli.cjs"), ...args, "--root", workspace);
}

run(path.join(root, "scripts/build.mjs"));
fs.rmSync(workspace, { recursive: true, force: true });

say("A video generator renders three projects: one succeeds, one is still running, one fails");
run(path.join(root, "examples/video-generator/main.ts"), workspace);

say("What did they leave behind, what of it can go, and why?");
offcut("plan", "--why");

say("A dry run: the same, for one project, and nothing is written");
offcut("clean", "--dry-run", "--project", "sunrise", "--store", "audio");

say("Clean up. The final video stays, and so does everything the other two projects need");
offcut("clean", "--yes");

say("Changed your mind? Every file comes back");
offcut("undo");

say("Clean up again, and free the space for good");
offcut("clean", "--yes");
offcut("purge", "--yes");
offcut("history");

console.log(
  `\nThe workspace is ${path.relative(process.cwd(), workspace) || workspace}: open it in VS Code, or look around with: npx offcut plan --root ${path.relative(process.cwd(), workspace)}`,
);
