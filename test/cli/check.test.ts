import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Finding } from "../../core/analysis/finding.ts";
import { json, offcut, type Outcome } from "./offcut.ts";

interface CheckJson {
  readonly schema: number;
  readonly root: string;
  readonly findings: readonly Finding[];
  readonly problems: readonly { readonly severity: string; readonly source: string; readonly message: string }[];
  readonly files: number;
  readonly parsed: number;
  readonly fixed?: readonly { readonly file: string; readonly title: string }[];
  readonly baseline?: { readonly file: string; readonly known: number; readonly unneeded: number };
}

/** multer keeps the upload on the disk, and nobody deletes it. */
const MULTER = `import express from "express";
import multer from "multer";
import { v2 as cloudinary } from "cloudinary";

const upload = multer({ dest: "uploads/" });
export const router = express.Router();

router.post("/avatar", upload.single("avatar"), async (req, res) => {
  const result = await cloudinary.uploader.upload(req.file.path);
  res.json({ url: result.secure_url });
});
`;

/** A temporary file goes to S3 and stays. */
const S3 = `import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const client = new S3Client({});

export async function publish(id: string, bytes: Uint8Array): Promise<string> {
  const tempPath = join(tmpdir(), \`clip-\${id}.mp4\`);
  await writeFile(tempPath, bytes);
  await client.send(new PutObjectCommand({ Bucket: "clips", Key: id, Body: createReadStream(tempPath) }));
  return id;
}
`;

const CLEAN = `import { writeFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { v2 as cloudinary } from "cloudinary";

export async function publish(id: string, bytes: Uint8Array): Promise<string> {
  const tempPath = join(tmpdir(), \`clip-\${id}.mp4\`);
  await writeFile(tempPath, bytes);
  try {
    return (await cloudinary.uploader.upload(tempPath)).secure_url;
  } finally {
    await rm(tempPath, { force: true });
  }
}
`;

describe("offcut check", () => {
  let root: string;

  beforeEach(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "offcut-check-")));
  });
  afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

  const put = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  const read = (file: string): string => fs.readFileSync(path.join(root, file), "utf8");
  const check = (...args: readonly string[]): Promise<Outcome> => offcut(["check", ...args], { root });
  const leaky = (): void => {
    put("src/avatar.ts", MULTER);
    put("src/clips.ts", S3);
  };

  it("exits with 0 where there is nothing, and needs no offcut.json", async () => {
    put("src/clips.ts", CLEAN);
    const outcome = await check("--rule", "missing-cleanup-after-upload,partial-cleanup");
    assert.deepEqual([outcome.code, outcome.stderr], [0, ""]);
    assert.match(outcome.stdout, /^No findings; looked through 1 file in \d+\.\d+ s\n$/);
  });

  it("shows each leak with its code and its way, and exits with 1", async () => {
    leaky();
    const { code, stdout, stderr } = await check();
    assert.deepEqual([code, stderr], [1, ""], stdout);
    assert.match(stdout, /^src\/avatar\.ts:9:\d+ warning missing-cleanup-after-upload$/m);
    assert.match(stdout, /^ +9 │ {3}const result = await cloudinary\.uploader\.upload\(req\.file\.path\);\n +│ +\^+$/m);
    assert.match(stdout, /^src\/clips\.ts:\d+:\d+ warning missing-cleanup-after-upload$/m);
    assert.match(stdout, /^ {2}1 .* {2}src\/clips\.ts:\d+ /m);
    assert.match(stdout, /^ {2}= offcut check --fix can mend this$/m);
    assert.match(stdout, /\nWhy, and what is right: offcut check --explain missing-cleanup-after-upload\n$/);
    assert.match(stdout, /\n2 warnings.* in 2 files \(2 can be fixed with --fix\); looked through 2 files in /);
    assert.deepEqual([read("src/avatar.ts"), read("src/clips.ts"), fs.readdirSync(root)], [MULTER, S3, ["src"]], "looking writes nothing");
  });

  it("prints JSON as the contract has it, for --json and --format json alike", async () => {
    leaky();
    const [first, second] = [await check("--format", "json"), await check("--json")];
    assert.deepEqual([first.code, second.code], [1, 1]);
    const { durationMs: _, ...result } = json<CheckJson & { durationMs: number }>(first);
    assert.deepEqual({ ...json<object>(second), durationMs: 0 }, { ...result, durationMs: 0 });
    assert.deepEqual([result.schema, result.root, result.files, result.problems], [1, root, 2, []]);
    const [avatar, clips] = result.findings.filter((one) => one.rule === "missing-cleanup-after-upload");
    assert.deepEqual([avatar?.file, avatar?.range.start.line, clips?.file], ["src/avatar.ts", 9, "src/clips.ts"]);
    assert.ok(avatar && avatar.fixable && avatar.fingerprint !== "");
    assert.ok(avatar.related.length > 0 && avatar.related.every((step) => step.line === step.range.start.line));
  });

  it("prints SARIF and workflow commands with the same findings", async () => {
    leaky();
    const { findings } = json<CheckJson>(await check("--json"));
    const sarif = await check("--format", "sarif");
    assert.equal(sarif.code, 1);
    const { runs } = json<{ runs: { results: { ruleId: string; fixes?: object[]; codeFlows: object[] }[] }[] }>(sarif);
    assert.deepEqual(
      runs[0]?.results.map((result) => result.ruleId),
      findings.map((finding) => finding.rule),
    );
    assert.ok(
      runs[0]?.results.every((result, i) => (result.fixes !== undefined) === findings[i]?.fixable && result.codeFlows.length === 1),
    );
    const github = await offcut(["check", "--format", "github"], { root, env: { GITHUB_WORKSPACE: path.dirname(root) } });
    assert.equal(github.code, 1);
    const lines = github.stdout.trim().split("\n");
    assert.equal(lines.length, findings.length);
    assert.match(lines[0] ?? "", new RegExp(`^::warning file=${path.basename(root)}/src/avatar\\.ts,line=9,`));
    assert.match(github.stderr, /^2 warnings.* in 2 files/);
  });

  it("looks at the paths and rules that it is told, and no others", async () => {
    leaky();
    const files = async (...args: string[]): Promise<string[]> =>
      json<CheckJson>(await check("--json", ...args)).findings.map((finding) => finding.file);
    assert.deepEqual(await files("src/clips.ts"), ["src/clips.ts"]);
    assert.deepEqual(await files(path.join(root, "src/avatar.ts"), "src/clips.ts"), await files("src"));
    assert.deepEqual(await files("."), await files());
    assert.deepEqual(await files("--rule", "use-after-delete", "--rule", "unsafe-cleanup-path"), []);
    fs.symlinkSync("src", path.join(root, "link"));
    assert.deepEqual(await files("link/clips.ts"), ["src/clips.ts"]);
  });

  it("--rule brings back what offcut.json turned off", async () => {
    leaky();
    put("offcut.json", '{ "analysis": { "rules": { "missing-cleanup-after-upload": "off" } } }');
    assert.equal((await check()).code, 0);
    assert.equal((await check("--rule", "missing-cleanup-after-upload")).code, 1);
  });

  it("--max-warnings lets warnings pass, errors never", async () => {
    leaky();
    assert.deepEqual([(await check("--max-warnings", "1")).code, (await check("--max-warnings=2")).code], [1, 0]);
    put("offcut.json", '{ "analysis": { "rules": { "missing-cleanup-after-upload": "error" } } }');
    assert.equal((await check("--max-warnings", "2")).code, 1);
    put("offcut.json", '{ "analysis": { "rules": { "missing-cleanup-after-upload": "information" } } }');
    assert.equal((await check()).code, 0);
  });

  it("tells what lies on the disk for a path, and sorts by it", async () => {
    leaky();
    const made = (name: string): string => S3.replace("join(tmpdir(), `clip-${id}.mp4`)", `\`.cache/${name}/clip-\${id}.mp4\``);
    put("src/a.ts", made("small"));
    put("src/b.ts", made("large"));
    put(".cache/small/clip-1.mp4", "x".repeat(1000));
    put(".cache/large/clip-1.mp4", "x".repeat(3000));
    put(".cache/large/clip-2.mp4", "x".repeat(3000));
    const { stdout } = await check("--sort", "bytes");
    assert.match(
      stdout,
      /^src\/b\.ts:[^]*\n {2}= 2 files, 5\.9 KB on disk now: \.cache\/large\/clip-\{\}\.mp4\n[^]*^src\/a\.ts:[^]*1000 B on disk now/m,
    );
    assert.equal(stdout.match(/6000|5\.9 KB/g)?.length, 1, "said once");
    const [first] = json<CheckJson>(await check("--sort", "bytes", "--json")).findings;
    assert.deepEqual([first?.file, first?.onDisk], ["src/b.ts", { files: 2, bytes: 6000 }]);
    assert.match(first?.message ?? "", /\(2 files, 5\.9 KB on disk now\)/);
  });

  it("--fix mends the code once and for all", async () => {
    leaky();
    const mended = await check("--fix");
    assert.equal(mended.code, 0, mended.stdout + mended.stderr);
    assert.match(mended.stdout, /^fixed src\/avatar\.ts:9:\d+ .+\nfixed src\/clips\.ts:\d+:\d+ .+\n\nFixed 2 findings; none left; looked/);
    const after = [read("src/avatar.ts"), read("src/clips.ts")];
    assert.notEqual(after[0], MULTER);
    assert.notEqual(after[1], S3);
    // No manifest says that the runtime can be imported, so the project gets a helper of its own.
    assert.deepEqual(fs.readdirSync(path.join(root, "src")), ["avatar.ts", "clips.ts", "deleteLocalFileAfterUpload.ts"]);
    const again = await check("--fix", "--json");
    assert.equal(again.code, 0);
    const { findings, fixed } = json<CheckJson>(again);
    assert.deepEqual([findings.filter((one) => one.severity === "warning" || one.severity === "error"), fixed], [[], []]);
    assert.deepEqual([read("src/avatar.ts"), read("src/clips.ts")], after);
  });

  it("--fix leaves alone what was not asked for", async () => {
    leaky();
    assert.equal((await check("--fix", "src/clips.ts")).code, 0);
    assert.equal(read("src/avatar.ts"), MULTER);
    assert.equal((await check("--fix", "--rule", "use-after-delete")).code, 0);
    assert.equal(read("src/avatar.ts"), MULTER);
    assert.equal((await check("--update-baseline")).code, 0);
    assert.equal((await check("--fix")).code, 0);
    assert.equal(read("src/avatar.ts"), MULTER, "the baseline has it");
  });

  it("a baseline hides what was there, tells what is new, and what it no longer needs", async () => {
    leaky();
    const written = await check("--update-baseline");
    assert.equal(written.code, 0);
    assert.match(written.stdout, /^Wrote 2 findings to offcut-baseline\.json; looked/);
    const text = read("offcut-baseline.json");
    assert.equal((await check("--update-baseline")).code, 0);
    assert.equal(read("offcut-baseline.json"), text, "stable");
    const quiet = await check();
    assert.equal(quiet.code, 0);
    assert.match(quiet.stdout, /^No findings; .*\n2 findings are in the baseline offcut-baseline\.json\n$/);
    put("src/clips.ts", `// moved down\n\n${S3}`);
    assert.equal((await check()).code, 0, "the fingerprint moves with the code");
    put("src/more.ts", S3);
    const { findings, baseline } = json<CheckJson>(await check("--json"));
    assert.deepEqual(
      findings.map((finding) => finding.file),
      ["src/more.ts"],
    );
    assert.deepEqual(baseline, { file: "offcut-baseline.json", known: 2, unneeded: 0 });
    put("src/clips.ts", CLEAN);
    fs.rmSync(path.join(root, "src/more.ts"));
    const rest = await check();
    assert.match(rest.stdout, /\n1 finding is in the baseline offcut-baseline\.json\n1 entry of the baseline is no longer needed/);
    assert.doesNotMatch((await check("src/avatar.ts")).stdout, /no longer needed/, "what was not looked at is not judged");
    assert.equal((await check("--update-baseline", "src/clips.ts")).code, 0);
    assert.deepEqual(
      json<{ findings: { file: string }[] }>({ code: 0, stderr: "", stdout: read("offcut-baseline.json") }).findings.map((one) => one.file),
      ["src/avatar.ts"],
    );
  });

  it("takes another file as the baseline, and says where one is broken", async () => {
    leaky();
    const other = path.join(root, "ci.json");
    assert.equal((await check("--baseline", other, "--update-baseline")).code, 0);
    assert.deepEqual([(await check("--baseline", other)).code, (await check()).code], [0, 1]);
    put("ci.json", '{\n  "schema": 1,\n  "findings": [ { "rule": 7 } ]\n}\n');
    const broken = await check("--baseline", other);
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /^error: .*ci\.json:3: findings\[0\]\.rule is missing or of the wrong type\n$/);
    put("ci.json", "");
    assert.match(
      (await check("--baseline", other)).stderr,
      /: is empty; write it with offcut check --baseline .*ci\.json --update-baseline\n$/,
    );
    assert.equal((await check("--baseline", other, "--update-baseline")).code, 0);
    assert.equal((await check("--baseline", other)).code, 0);
    put("ci.json", '{ "name": "somebody else\'s" }');
    assert.equal((await check("--baseline", other, "--update-baseline")).code, 2);
    assert.equal(read("ci.json"), '{ "name": "somebody else\'s" }', "only what is a baseline is overwritten");
  });

  it("exits with 2 and names the mend when it is not understood", async () => {
    leaky();
    for (const [args, message] of [
      [["src/typo.ts"], /src\/typo\.ts is not there; give a path from the working directory or from /],
      [["/"], /\/ is not below .*; give the workspace that it belongs to with --root DIR/],
      [[""], /a path is empty/],
      [["--rule", "missing"], /there is no rule "missing"; the rules are missing-cleanup-after-upload, .*ungated-cleanup/],
      [["--rule", "mising-cleanup-after-upload"], /there is no rule ".*"; did you mean "missing-cleanup-after-upload"\?\n$/],
      [["--rule", ","], /--rule names no rule; the rules are missing-cleanup-after-upload, /],
      [["--explain", "partial-clean-up"], /there is no rule "partial-clean-up"; did you mean "partial-cleanup"\?\n$/],
      [["--explain", ""], /--explain needs a rule; the rules are missing-cleanup-after-upload, /],
      [["--explain", "partial-cleanup", "src"], /--explain takes one rule and no paths, so leave out "src"/],
      [["--explain", "partial-cleanup", "--format", "sarif"], /--explain prints text or json; leave out --format sarif/],
      [["--rule", ""], /--rule is empty/],
      [["--format", "xml"], /--format is one of text, json, sarif, github, not "xml"/],
      [["--json", "--format", "sarif"], /--json and --format sarif don't go together/],
      [["--sort", "size"], /--sort is one of file, bytes/],
      [["--max-warnings", "many"], /--max-warnings takes a whole number from 0 on, not "many"/],
      [["--baseline", "none.json"], /the baseline none\.json is not there; write it with .*--update-baseline/],
      [["--baseline", ""], /--baseline needs the name of a file/],
      [["--store", "audio"], /"offcut check" has no option --store/],
    ] as const) {
      const outcome = await check(...args);
      assert.equal(outcome.code, 2, args.join(" "));
      assert.match(outcome.stderr, message);
    }
    const nowhere = await offcut(["check"], { root: path.join(root, "nowhere") });
    assert.deepEqual([nowhere.code, /is not there; give the workspace with --root DIR/.test(nowhere.stderr)], [2, true]);
    put("offcut.json", '{ "analysis": { "rules": { "partial-cleanup": "loud" } } }');
    const config = await check("--format=json");
    assert.equal(config.code, 2);
    assert.equal(json<{ problems: { source: string }[] }>(config).problems[0]?.source, "offcut.json");
  });

  it("says so when there was nothing to look at", async () => {
    put("README.md", "# nothing\n");
    const outcome = await check();
    assert.equal(outcome.code, 0);
    assert.match(outcome.stderr, /^warning: \.: has no code to look at; /);
    assert.match(outcome.stdout, /^No findings; looked through 0 files/);
  });

  it("says so when a path has no code, although others have", async () => {
    leaky();
    put("docs/README.md", "# nothing\n");
    put("src/clips.test.ts", S3);
    put("src/clean.ts", CLEAN);
    const outcome = await check("docs", "src/clean.ts");
    assert.equal(outcome.code, 0);
    assert.match(outcome.stderr, /^warning: docs: has no code to look at; .*\n$/);
    for (const path of ["src/clean.ts", "src/clips.test.ts", "src", "."]) assert.equal((await check(path)).stderr, "", path);
  });

  it("tells a comment that names no rule, with its line and the mend", async () => {
    put("src/clips.ts", S3.replace("  await client", "  // offcut-ignore-next-line mising-cleanup-after-upload -- kept\n  await client"));
    put("src/fine.ts", S3.replace("  await client", "  // offcut-ignore-next-line missing-cleanup-after-upload -- kept\n  await client"));
    const { code, stdout, stderr } = await check();
    assert.equal(code, 1);
    assert.match(stdout, /^src\/clips\.ts:13:/m);
    assert.equal(
      stderr,
      'warning: src/clips.ts:12: this comment names "mising-cleanup-after-upload", which is no rule; did you mean "missing-cleanup-after-upload"?\n',
    );
    assert.equal((await check("src/fine.ts")).stderr, "");
  });

  it("--explain prints the page about a rule, anywhere, and looks at nothing", async () => {
    const nowhere = path.join(root, "nowhere");
    const { code, stdout, stderr } = await offcut(["check", "--explain", "partial-cleanup"], { root: nowhere });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^partial-cleanup\n\nWarning · .*\nWhy\n\n.*\nWrong\n\n {4}import .*\nRight\n.*\nSilence it\n\n- Here: /s);
    assert.doesNotMatch(stdout, /\*\*|```|^#/m);
    const page = json<Record<string, string>>(await check("--explain", "partial-cleanup", "--json"));
    assert.deepEqual([page["rule"], page["severity"]], ["partial-cleanup", "warning"]);
    assert.match(page["markdown"] ?? "", /^# partial-cleanup\n/);
  });

  it("a file's name cannot steer the terminal, nor break a workflow command", async function () {
    if (process.platform === "win32") return this.skip(); // Such names cannot be made there.
    put("src/a\x1b[8m\n::error::x.ts", S3);
    for (const format of ["text", "github", "sarif"]) {
      const { code, stdout, stderr } = await check("--format", format);
      assert.equal(code, 1, stderr);
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(stdout + stderr, /[\x00-\x09\x0b-\x1f\x7f]|^::error/m);
    }
    assert.equal(json<CheckJson>(await check("--json")).findings[0]?.file, "src/a\x1b[8m\n::error::x.ts");
  });

  it("Ctrl-C in the middle of --fix leaves every file as it was or as it is to be", async function () {
    this.timeout(60_000);
    const names = Array.from({ length: 40 }, (_, i) => `src/clip${i}.ts`);
    for (const name of names) put(name, S3);
    const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
    const child = spawn(process.execPath, [main, "check", "--fix", "--root", root], { stdio: "ignore" });
    const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) =>
      child.once("close", (code, signal) => resolve([code, signal])),
    );
    const watcher = fs.watch(path.join(root, "src"), () => child.kill("SIGINT"));
    const [code, signal] = await ended;
    watcher.close();
    assert.ok(code === 130 || code === 0 || signal === "SIGINT", `${code} ${signal}`);
    put("src/clip0.ts", S3);
    assert.equal((await check("--fix", "src/clip0.ts")).code, 0);
    const mended = read("src/clip0.ts");
    const states = names.map((name) => read(name));
    assert.ok(states.every((text) => text === S3 || text === mended));
    assert.deepEqual(fs.readdirSync(path.join(root, "src")).toSorted(), names.map((name) => path.basename(name)).toSorted());
  });
});
