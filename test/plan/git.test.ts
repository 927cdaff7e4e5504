import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { trackedFiles } from "../../core/scan/git.ts";
import { addProject, makeWorkspace, type Workspace } from "../workspace.ts";
import { planLater, reasonOf, taken } from "./planned.ts";

const AUDIO = ".cache/audio/p1/scene-1.mp3";

describe("R12: what git tracks", function () {
  this.timeout(20_000);
  let workspace: Workspace;
  beforeEach(() => {
    workspace = makeWorkspace();
    addProject(workspace, "p1");
  });
  afterEach(() => workspace.dispose());

  it("R12: a tracked file is never a candidate, modified or not; an ignored or new one is", async () => {
    const odd = '.cache/assembly/p1/ä "b"\n.mp4';
    workspace.write(odd);
    workspace.write(".gitignore", Buffer.from(".cache/\n"));
    git(workspace.root, "init");
    git(workspace.root, "add", "-f", AUDIO, odd);
    workspace.write(AUDIO, 77);
    const plan = await planLater(workspace);
    assert.equal(reasonOf(plan, AUDIO), "keep: git-tracked");
    assert.equal(reasonOf(plan, odd), "keep: git-tracked");
    assert.equal(reasonOf(plan, ".cache/audio/p1/scene-2.mp3"), "reclaim: owner-succeeded");
  });

  it("R12: a repository or submodule between the workspace and the store is asked too", async () => {
    const clip = "assets/cache/nasa/p1-1.mp4";
    git(workspace.path("assets"), "init");
    git(workspace.path("assets"), "add", "cache/nasa/p1-1.mp4");
    assert.equal(reasonOf(await planLater(workspace), clip), "keep: git-tracked");
    git(workspace.root, "init");
    assert.equal(reasonOf(await planLater(workspace), clip), "keep: git-tracked");
  });

  it("R12: a workspace inside a larger repository is found", async () => {
    const directory = workspace.path(".cache/audio");
    git(workspace.root, "init");
    git(workspace.root, "add", "-f", AUDIO);
    assert.deepEqual([...(await trackedFiles(directory, ["p1"])).files], [workspace.path(AUDIO)]);
    assert.deepEqual([...(await trackedFiles(directory, ["p2", "not-there/yet"])).files], []);
  });

  it("R12, R19: when git cannot answer, everything is kept and the reason is said", async () => {
    git(workspace.root, "init");
    writeFileSync(workspace.path(".git/index"), "not an index");
    const plan = await planLater(workspace, { orphans: true });
    assert.deepEqual(taken(plan), []);
    assert.match(
      plan.problems.map((problem) => problem.message).join(),
      /git cannot say which files it tracks \(.+\); everything is kept until it can/,
    );
    rmSync(workspace.path(".git"), { recursive: true });
    writeFileSync(workspace.path(".git"), "gitdir: /nowhere\n");
    assert.deepEqual(taken(await planLater(workspace)), []);
  });

  it("R12, R19: without a git program a repository keeps everything", async () => {
    git(workspace.root, "init");
    const plan = await withEnvironment({ PATH: "/nonexistent" }, () => planLater(workspace));
    assert.deepEqual(taken(plan), []);
    assert.match(plan.problems.map((problem) => problem.message).join(), /git is not installed/);
  });

  it("R12: git's variables, as a hook has them, do not lead to another repository or index", async () => {
    git(workspace.root, "init");
    git(workspace.root, "add", "-f", AUDIO);
    const other = workspace.path("other");
    workspace.write("other/x");
    git(other, "init");
    for (const hook of [{ GIT_DIR: join(other, ".git"), GIT_WORK_TREE: other }, { GIT_INDEX_FILE: join(other, ".git/index") }]) {
      const plan = await withEnvironment(hook, () => planLater(workspace));
      assert.equal(reasonOf(plan, AUDIO), "keep: git-tracked", JSON.stringify(hook));
    }
  });

  it("R82: the repository's configuration starts no program", async () => {
    const proof = workspace.path("proof");
    const program = workspace.path("program.sh");
    writeFileSync(program, `#!/bin/sh\ntouch '${proof}'\nexit 1\n`);
    chmodSync(program, 0o755);
    const repository = workspace.path("assets");
    workspace.write("assets/cache/far/1.mp4");
    git(repository, "init");
    git(repository, "add", ".");
    git(repository, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-m", "x");
    git(repository, "sparse-checkout", "set", "--cone", "--sparse-index", "cache/nasa");
    // A directory that only the index has, whose contents would have to be fetched by a program of the repository's choice.
    const tree = git(repository, "rev-parse", "HEAD:cache/far").trim();
    rmSync(join(repository, ".git/objects", tree.slice(0, 2), tree.slice(2)));
    for (const [name, value] of [
      ["core.fsmonitor", program],
      ["extensions.partialClone", "origin"],
      ["core.repositoryFormatVersion", "1"],
      ["remote.origin.promisor", "true"],
      ["remote.origin.url", `ext::${program}`],
      ["protocol.ext.allow", "always"],
    ] as const) {
      git(repository, "config", name, value);
    }
    const { unknown } = await trackedFiles(workspace.root, ["assets/cache"]);
    assert.equal(existsSync(proof), false, "the program ran");
    assert.match(unknown ?? "", /git cannot say/);
    spawnGit(repository, "ls-files");
    assert.equal(existsSync(proof), true, "a plain git would have started it");
  });
});

function git(directory: string, ...args: string[]): string {
  return execFileSync("git", ["-C", directory, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function spawnGit(directory: string, ...args: string[]): void {
  try {
    git(directory, ...args);
  } catch (error) {
    assert.match(String(error), /Command failed/);
  }
}

async function withEnvironment<T>(variables: Readonly<Record<string, string>>, act: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  Object.assign(process.env, variables);
  try {
    return await act();
  } finally {
    // A plain object in place of `process.env` would reach neither child processes nor the system's calls.
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}
