import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json, offcut } from "../cli/offcut.ts";
import { filesBelow, type PlanJson, runExample, summarize } from "./example.ts";

const KB = 1024;
const CLIPS = ["door", "yard", "gate", "roof"].flatMap((camera) => [1, 2, 3, 4].map((number) => `data/clips/${camera}-${number}.mp4`));
/** The first two are fetched. */
const LEFT = CLIPS.slice(2);

describe("clip-store", function () {
  this.timeout(60_000);
  let directory: string;
  let root: string;
  let printed: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "offcut-clips-"));
    root = join(directory, "ws");
    printed = runExample("clip-store", [root], { AUTO_CLEANUP_ENABLED: undefined, DEBUG: undefined });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const bytesOf = (paths: readonly string[]): number => paths.reduce((sum, path) => sum + statSync(join(root, path)).size, 0);
  /** The oldest that have to go until at most 900 KB are left. */
  const excess = (): readonly string[] => {
    const taken = LEFT.findIndex((_, index) => bytesOf(LEFT.slice(index)) <= 900 * KB);
    return LEFT.slice(0, taken);
  };

  it("S4.1: a clip that was fetched is gone, the others are here", () => {
    assert.deepEqual(filesBelow(root, "data/clips"), LEFT.toSorted());
    assert.match(printed, /door-1: fetched, so it is gone\n(.*\n)*door-2: fetched, so it is gone\n/);
  });

  it("S4.3, R51, R52: the command line names the pressure and takes the oldest, and no more than needed", async () => {
    assert.ok(bytesOf(LEFT) > KB * KB);
    const planned = await offcut(["plan", "--json"], { root });
    const plan = json<PlanJson>(planned);
    const taken = excess();
    assert.deepEqual(summarize(plan), { "reclaim pressure": taken.length, "keep within-limits": LEFT.length - taken.length });
    assert.deepEqual(
      plan.items.filter((item) => item.verdict === "reclaim").map((item) => item.path),
      taken.toSorted(),
    );
    assert.ok(
      plan.problems.some((problem) => /storage pressure: the store "clips" has 1\.\d MB and may have 1\.0 MB/.test(problem.message)),
    );

    const cleaned = await offcut(["clean", "--yes"], { root });
    assert.equal(cleaned.code, 0, cleaned.stderr);
    assert.deepEqual(filesBelow(root, "data/clips"), LEFT.slice(taken.length).toSorted());
  });

  it("S4.2, S4.4: the next start of the service clears what is too much, and goes on", () => {
    const { length } = excess();
    const again = runExample("clip-store", [root], { AUTO_CLEANUP_ENABLED: undefined, DEBUG: undefined });
    assert.match(again, /storage pressure: the store "clips" has 1\.\d MB and may have 1\.0 MB/);
    assert.match(again, new RegExp(`Cleanup: Deleted ${length} files, freed [1-9.0]+ MB`));
    assert.deepEqual(filesBelow(root, "data/clips"), LEFT.toSorted());
  });

  it("S4.2: older than maxAge, all go; with undo by hand they come back whole", async () => {
    const config = join(root, "offcut.json");
    writeFileSync(config, readFileSync(config, "utf8").replace('"maxBytes": "1MB"', '"maxAge": "1ms", "undo": "1h", "maxBytes": "1MB"'));
    const plan = json<PlanJson>(await offcut(["plan", "--json"], { root }));
    assert.deepEqual(summarize(plan), { "reclaim max-age": LEFT.length });
    const before = LEFT.map((path) => readFileSync(join(root, path)));
    const cleaned = await offcut(["clean", "--yes"], { root });
    assert.equal(cleaned.code, 0, cleaned.stderr);
    assert.ok(LEFT.every((path) => !existsSync(join(root, path))));
    assert.equal((await offcut(["undo"], { root })).code, 0);
    for (const [index, path] of LEFT.entries()) assert.ok(readFileSync(join(root, path)).equals(before[index]!), path);
  });

  it("S4.5: switched off, the service deletes what was fetched and nothing else", () => {
    runExample("clip-store", [root], { AUTO_CLEANUP_ENABLED: "false", DEBUG: undefined });
    assert.deepEqual(filesBelow(root, "data/clips"), LEFT.toSorted());
  });
});
