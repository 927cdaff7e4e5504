import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { quote } from "../../cli/args.ts";
import { createTerminal, formatProblem, table, visible } from "../../cli/terminal.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { json, offcut } from "./offcut.ts";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

describe("offcut: what it says, and what it does not accept in silence", () => {
  let ws: Workspace;

  beforeEach(() => {
    ws = makeWorkspace();
    configure({ policy: { grace: "0s" } });
    addProject(ws, "p1");
  });
  afterEach(() => ws.dispose());

  const configure = (settings: object): void =>
    void ws.write("offcut.json", Buffer.from(JSON.stringify({ preset: "video-generator", ...settings })));

  it("control characters of a file's name are shown, never sent to the terminal; JSON has the name as it is", async () => {
    const name = ".cache/assembly/p1/a\x1b[8m\nFAKE\u202e\u009b.mp4";
    ws.write(name);
    const shown = ".cache/assembly/p1/a\\x1b[8m\\nFAKE\\u202e\\x9b.mp4";
    const plan = await offcut(["plan", "--orphans", "--why"], ws);
    assert.ok(plan.stdout.includes(shown), plan.stdout);
    const cleaned = await offcut(["clean", "--orphans", "--yes", "--all"], ws);
    for (const text of [plan.stdout, plan.stderr, cleaned.stdout, cleaned.stderr]) {
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]|^FAKE/m);
    }
    const { runs } = json<{ runs: { run: string }[] }>(await offcut(["history", "--json"], ws));
    const { files } = json<{ files: { path: string }[] }>(await offcut(["history", runs[0]?.run ?? "", "--json"], ws));
    assert.ok(files.some((file) => file.path === name));
    assert.equal(formatProblem({ severity: "error", source: "a\nb", message: "\x07" }), "error: a\\nb: \\x07");
    assert.equal(visible("Ünï ✓ …"), "Ünï ✓ …");
  });

  it("a pin on what is not there is refused, and taking one off works when the file is gone", async () => {
    const typo = await offcut(["pin", "typo.mp3"], ws);
    assert.equal(typo.code, 2);
    assert.match(typo.stderr, /typo\.mp3 is not there/);
    const nope = await offcut(["pin", "--project", "nope"], ws);
    assert.equal(nope.code, 2);
    assert.match(nope.stderr, /there is no project or job "nope"; there are: p1$/m);
    ws.write(".cache/audio/only-files/scene-1.mp3");
    for (const args of [["--project", "p1"], ["--project", "only-files"], [".cache/audio/p1"], [".cache/audio/only-files/scene-1.mp3"]])
      assert.equal((await offcut(["pin", ...args], ws)).code, 0, args.join(" "));
    fs.rmSync(ws.path(".cache/audio/only-files"), { recursive: true });
    assert.equal((await offcut(["pin", "--remove", ".cache/audio/only-files/scene-1.mp3"], ws)).code, 0);
    assert.equal((await offcut(["pin", "--remove", "--project", "only-files"], ws)).code, 0);
    fs.writeFileSync(ws.path("data/app.db"), "no database");
    const unknown = await offcut(["pin", "--project", "perhaps"], ws);
    assert.equal(unknown.code, 0, unknown.stderr);
    assert.match(unknown.stderr, /note: whether there is a project or job "perhaps" is not known/);
  });

  it("--exit-code says 2 when nothing could be decided", async () => {
    fs.writeFileSync(ws.path("data/app.db"), "no database");
    for (const args of [["plan"], ["clean", "--yes"], ["clean", "--dry-run"]]) {
      assert.equal((await offcut(args, ws)).code, 0, args.join(" "));
      assert.equal((await offcut([...args, "--exit-code"], ws)).code, 2, args.join(" "));
    }
  });

  it("S0.10: plan --auto and clean --auto say that automatic cleanup is off, and announce nothing", async () => {
    const off = { ...ws, env: { AUTO_CLEANUP_ENABLED: "false" } };
    assert.match((await offcut(["plan", "--auto"], off)).stdout, /\nAutomatic cleanup is off \(environment\); nothing would be taken\.\n$/);
    assert.doesNotMatch((await offcut(["plan"], off)).stdout, /nothing would be taken/);
    const cleaned = await offcut(["clean", "--auto", "--yes"], off);
    assert.equal(cleaned.stdout.trim(), "Automatic cleanup is off (environment); nothing was touched.");
  });

  it("R20: the way past the brake repeats what was chosen, and JSON has the figures", async () => {
    configure({ policy: { grace: "0s", brake: { files: 1 } } });
    const braked = await offcut(["clean", "--yes", "--project", "p1", "--store", "audio", "--json"], ws);
    assert.equal(braked.code, 4, braked.stdout + braked.stderr);
    const { error } = json<{ error: { brake: string[]; digest: string; files: number; bytes: number } }>(braked);
    assert.match(error.brake[0] ?? "", /policy\.brake\.files/);
    assert.equal(error.files, 2);
    assert.equal(error.bytes, 2000);
    const advice = `offcut clean --yes --plan ${error.digest} --root ${ws.root} --project p1 --store audio`;
    assert.ok(braked.stderr.includes(advice), braked.stderr);
    assert.equal(quote("it's here", "linux"), "'it'\\''s here'");
    assert.equal(quote("a b", "win32"), '"a b"');
    const named = await offcut(["clean", "--yes", "--project", "p1", "--store", "audio", "--plan", error.digest], ws);
    assert.equal(named.code, 0, named.stderr);
  });

  it("S0.11: status tracking without its columns is named, with the command that makes them", async () => {
    configure({ database: { trackStatus: true } });
    for (const args of [["plan"], ["clean", "--dry-run"], ["doctor"]]) {
      const { stdout, stderr } = await offcut(args, ws);
      assert.match(stdout + stderr, /data\/app\.db: status tracking is on, but .* run offcut migrate/, args.join(" "));
    }
    const { problems } = json<{ problems: { message: string }[] }>(await offcut(["plan", "--json"], ws));
    assert.ok(problems.some((problem) => problem.message.includes("offcut migrate")));
    assert.equal((await offcut(["migrate", "--yes"], ws)).code, 0);
    assert.doesNotMatch((await offcut(["plan"], ws)).stderr, /migrate/);
  });

  it("history tells that the undo time of a run is over", async () => {
    configure({ policy: { grace: "0s", undo: "1s" } });
    assert.equal((await offcut(["clean", "--yes"], ws)).code, 0);
    let shown = "";
    for (const end = Date.now() + 20_000; Date.now() < end && !/ over /.test(shown);) shown = (await offcut(["history"], ws)).stdout;
    assert.match(shown, / over .*p1\n.*offcut purge --expired/s);
    assert.equal((await offcut(["purge", "--expired"], ws)).code, 0);
    assert.doesNotMatch((await offcut(["history"], ws)).stdout, /\bover\b/);
  });

  it("a reader that goes away is no mishap", async () => {
    const child = spawn(process.execPath, [main, "plan", "--all", "--why", "--root", ws.root], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), 0);
    assert.equal(stderr, "");
  });

  it("lsp talks over standard input and output without being told", async () => {
    const child = spawn(process.execPath, [main, "lsp"], { stdio: ["pipe", "pipe", "pipe"] });
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { processId: null, rootUri: null, capabilities: {} },
    });
    child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    try {
      let answer = "";
      child.stderr.on("data", (data: Buffer) => (answer += data.toString()));
      await new Promise<void>((resolve) => {
        child.once("close", () => resolve());
        child.stdout.on("data", (data: Buffer) => {
          answer += data.toString();
          if (answer.includes('"capabilities"')) resolve();
        });
      });
      assert.match(answer, /"id":1,"result":.*"capabilities"/);
    } finally {
      child.kill();
    }
  });

  it("who is not there is the same mistake for every command, with who is", async () => {
    for (const args of [["history"], ["undo"], ["purge", "--yes"]]) {
      const { code, stderr } = await offcut([...args, "20260101-101010-abcdef"], ws);
      assert.deepEqual(
        [code, stderr],
        [2, 'offcut: there is no cleanup "20260101-101010-abcdef"; "offcut history" lists them\n'],
        args.join(" "),
      );
    }
    const nobody = 'offcut: there is no project or job "zzz"';
    assert.equal((await offcut(["plan", "--job", "zzz"], ws)).stderr, `${nobody}; there are: p1\n`);
    assert.equal((await offcut(["jobs", "release", "zzz"], ws)).stderr, `${nobody}, and none failed\n`);
    ws.sql("DELETE FROM projects");
    for (const name of [".cache", "assets"]) fs.rmSync(ws.path(name), { recursive: true });
    assert.equal((await offcut(["plan", "--job", "zzz"], ws)).stderr, `${nobody}; there are none\n`);
  });

  it("warnings of libraries reach only who looks for trouble", async () => {
    const noisy = { NODE_OPTIONS: `--import "data:text/javascript,process.once('beforeExit',()=>process.emitWarning('of_a_library'))"` };
    const quiet = await offcut(["watch", "--once", "--json"], { ...ws, env: noisy });
    assert.deepEqual([quiet.code, quiet.stderr], [0, ""]);
    for (const [args, env] of [
      [["watch", "--once", "--json", "--verbose"], noisy],
      [["plan"], { ...noisy, OFFCUT_DEBUG: "1" }],
    ] as const)
      assert.match((await offcut(args, { ...ws, env })).stderr, /Warning: of_a_library/);
  });

  it("explains unknown and incomplete options in its own words", async () => {
    for (const [args, words] of [
      [["plan", "--foo"], /^offcut: there is no option --foo; see offcut plan --help\n$/],
      [["--foo"], /^offcut: there is no option --foo; see offcut --help\n$/],
      [["plan", "--store"], /^offcut: --store needs a value; see offcut plan --help\n$/],
      [["plan", "--why=1"], /^offcut: --why takes no value; see offcut plan --help\n$/],
    ] as const) {
      const outcome = await offcut(args);
      assert.equal(outcome.code, 2);
      assert.match(outcome.stderr, words);
    }
  });

  it("rows fit on a narrow terminal, and are whole in a pipe", () => {
    const terminal = createTerminal(false);
    const columns = [
      { title: "RUN", whole: true },
      { title: "PROJECT" },
      { title: "BYTES", align: "right" },
      { title: "FILE", flexible: true },
    ] as const;
    const row = ["r-20260101-101010", "a-project-with-a-long-name", "12.3 MB", `${"deep/".repeat(30)}file.mp4`];
    for (const width of [40, 60, 80, 120]) {
      const lines = table({ ...terminal, columns: width }, columns, [row]);
      for (const line of lines) assert.ok(line.length < width, `${line.length} of ${width}: ${line}`);
      assert.ok(lines[1]?.startsWith("r-20260101-101010  a-proj") && lines[1].includes("12.3 MB"), lines[1]);
    }
    assert.ok(table({ ...terminal, columns: Infinity }, columns, [row])[1]?.endsWith("file.mp4"));
  });
});
