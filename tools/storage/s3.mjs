#!/usr/bin/env node
// A real S3 server for tests: Ceph's gateway from Debian's packages, in a tree of its own, with its data in memory.
//   node tools/storage/s3.mjs install   installs it where it is missing (once, about 45 s and 600 MB)
//   node tools/storage/s3.mjs start     runs it until Ctrl+C and says how to reach it
// Needs root on Debian or a relative of it, because the tree is entered with chroot; elsewhere tests that want it are skipped.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const home = path.resolve(process.env.OFFCUT_S3_ROOT || "/var/cache/s3-real");
/** The first release of Debian whose Ceph knows the checksums of 2025. */
const SUITE = "forky";
const PACKAGES = ["radosgw", "ceph-mon", "ceph-osd", "ceph-common"];
const START_LIMIT = 60_000;

/** Why the server can neither be installed nor started here; undefined when it can. */
export function unavailable() {
  if (process.platform !== "linux" || !fs.existsSync("/etc/debian_version")) return "a real S3 server is installed from Debian's packages only";
  if (process.getuid() !== 0) return "a real S3 server needs root, because it runs in a tree of its own";
  const { status } = spawnSync("unshare", ["--mount", "--pid", "--fork", "true"], { stdio: "ignore" });
  return status === 0 ? undefined : "a real S3 server needs namespaces, which are not permitted here";
}

export function isInstalled() {
  return fs.existsSync(path.join(home, "usr/bin/radosgw"));
}

/** Installs when missing; throws when that is not possible. */
export function install() {
  const reason = unavailable();
  if (reason !== undefined) throw new Error(`Not installed: ${reason}.`);
  if (isInstalled()) return;
  if (spawnSync("mmdebstrap", ["--version"], { stdio: "ignore" }).status !== 0) {
    run("apt-get", ["update", "-qq"]);
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"]);
  }
  // Made beside it and renamed, so that an interrupted installation is not taken for one.
  const unfinished = `${home}.unfinished`;
  fs.rmSync(unfinished, { recursive: true, force: true });
  fs.mkdirSync(path.dirname(home), { recursive: true });
  const leaveOut = ["man", "doc", "locale"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  const settings = ['--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=APT::Install-Recommends "false"'];
  run("mmdebstrap", ["--quiet", "--variant=apt", ...settings, ...leaveOut, `--include=${PACKAGES.join()}`, SUITE, unfinished, mirror()]);
  fs.renameSync(unfinished, home);
}

/** Starts a server with data of its own; several may run side by side. It ends with `stop`, or when this process does. */
export async function start() {
  const name = `srv/offcut-${randomBytes(6).toString("hex")}`;
  const directory = path.join(home, name);
  const port = await findFreePort();
  const accessKeyId = "testkey";
  const secretAccessKey = randomBytes(15).toString("hex");
  const values = [`/${name}`, port, await findFreePort(), accessKeyId, secretAccessKey, randomBytes(32).toString("base64")].map(String);
  const script = fs.readFileSync(path.join(here, "cluster.sh"), "utf8");
  const enter = 'mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/bash -c "$@"';
  const child = spawn(
    "unshare",
    ["--mount", "--pid", "--fork", "--kill-child", `--mount-proc=${home}/proc`, "sh", "-c", enter, home, script, "cluster", ...values],
    { stdio: ["pipe", "pipe", "pipe"], detached: true }, // Ctrl+C in a terminal is for the tests, which then stop it.
  );
  const exited = new Promise((resolve) => child.once("close", resolve));
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    complaint = (complaint + text).slice(-4000);
  });
  child.stdin.on("error", () => {}); // It has ended already.
  const stop = async () => {
    child.stdin.end();
    await exited;
    fs.rmSync(directory, { recursive: true, force: true });
  };
  const limit = setTimeout(() => child.kill("SIGKILL"), START_LIMIT);
  const isReady = await Promise.race([new Promise((resolve) => child.stdout.once("data", () => resolve(true))), exited.then(() => false)]);
  clearTimeout(limit);
  if (!isReady) {
    const log = path.join(directory, "start.log");
    const text = fs.existsSync(log) ? fs.readFileSync(log, "utf8").slice(-4000) : "";
    await stop();
    throw new Error(`The S3 server did not start: ${complaint}${text}`);
  }
  return { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", accessKeyId, secretAccessKey, kmsKey: "offcut", pid: child.pid, stop };
}

/** Where this machine gets its own packages from. */
function mirror() {
  const { stdout } = spawnSync("apt-get", ["indextargets", "--format", "$(REPO_URI)"], { encoding: "utf8" });
  const found = (stdout ?? "").split("\n").find((line) => line !== "" && !line.includes("security"));
  if (found === undefined) throw new Error("apt has no source of packages; add one of Debian's to /etc/apt.");
  return found;
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr.slice(-4000)}`);
}

/** Outside of the range from which the kernel takes ports for connections, so that nobody gets it before it is bound. */
async function findFreePort() {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + (randomBytes(2).readUInt16BE() % 12_000);
    const isFree = await new Promise((resolve) => {
      const server = net.createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error("no free port was found");
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  try {
    if (process.argv[2] !== "install" && process.argv[2] !== "start") throw new Error("Usage: node tools/storage/s3.mjs install | start");
    install();
    if (process.argv[2] === "start") {
      const { endpoint, region, accessKeyId, secretAccessKey, stop } = await start();
      console.log(
        `AWS_ENDPOINT_URL_S3=${endpoint} AWS_REGION=${region} AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
      );
      for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop().then(() => process.exit(0)));
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
