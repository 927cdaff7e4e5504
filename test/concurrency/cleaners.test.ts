/** Several that clean, undo and free the same root at the same moment. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { enforce } from "../../core/enforce.ts";
import { holdOf } from "../../core/reclaim/home.ts";
import type { RunFile } from "../../core/reclaim/runState.ts";
import { listRecent, listRuns, readRun } from "../../core/runs.ts";
import { type Layout, makeLayout } from "../layout.ts";
import type { CleanerTask, Told, Verb } from "./cleanerChild.ts";
import { createRandom, type Random, withSeed } from "./random.ts";
import { Worker } from "./worker.ts";

const ROUNDS = 200;
const LATER_MS = 2 * 3_600_000;
const KB = 1024;

const settings = {
  stores: {
    clips: { path: "clips/{event}.mp4", role: "clip", maxAge: "1h" },
    held: { path: "held/{group}/{event}.mp4", role: "clip", maxAge: "1h", undo: "1h" },
    full: { path: "full/{event}.mp4", role: "clip", maxBytes: "40KB", targetBytes: "30KB", undo: "1h" },
  },
};

/** What a file was made of. */
interface Made {
  readonly bytes: number;
  readonly allocated: number;
}

const STORES = ["clips", "held", "full"] as const;
const VERBS: readonly [Verb, ...Verb[]] = ["enforce", "enforce", "clean", "delete"];
const BY_HAND: readonly [Verb | undefined, ...(Verb | undefined)[]] = ["undo", "undo", "purge", undefined];

/** Writes some files; names are never used twice. */
function write(layout: Layout, random: Random, round: number, made: Map<string, Made>): void {
  for (let n = random.below(6); n >= 0; n--) {
    const name = random.pick([`clips/${round}-${n}.mp4`, `held/g${random.below(3)}/${round}-${n}.mp4`, `full/${round}-${n}.mp4`]);
    const file = layout.write(name, 1 + random.below(12 * KB));
    const { size, blocks } = fs.statSync(file);
    made.set(name, { bytes: size, allocated: blocks * 512 });
  }
}

/** What is known of all runs. */
interface History {
  readonly files: Map<string, readonly RunFile[]>;
  archived: ReadonlySet<string>;
}

interface Places {
  readonly there: number;
  readonly held: number;
  readonly deleted: number;
  /** Bytes that the deleted files occupied. */
  readonly freed: number;
}

/** Every file is at its place, held by one run, or deleted by one run, and the journals say so. */
function findAll(layout: Layout, made: ReadonlyMap<string, Made>, history: History): Places {
  const records = new Map<string, string[]>();
  // A run that is in the archive stays what it is.
  const recent = new Set(listRecent(layout.root).map(({ run }) => run));
  for (const { run } of listRuns(layout.root))
    if (!history.archived.has(run)) history.files.set(run, readRun(layout.root, run)?.files ?? []);
  history.archived = new Set([...history.files.keys()].filter((run) => !recent.has(run)));
  for (const [run, files] of history.files) {
    for (const file of files) {
      if (file.state === "restored" || file.state === "kept" || file.state === "gone") continue;
      assert.ok(file.state === "held" || file.state === "purged", `${run} says "${file.state}" of ${file.path}`);
      records.set(file.path, [...(records.get(file.path) ?? []), file.state]);
      const isHeld = fs.existsSync(path.join(holdOf(layout.root, run), file.path));
      assert.equal(
        isHeld,
        file.state === "held",
        `${file.path} ${isHeld ? "lies" : "does not lie"} in the hold of ${run}, which says ${file.state}`,
      );
    }
  }
  const places = { there: 0, held: 0, deleted: 0, freed: 0 };
  for (const [name, { bytes, allocated }] of made) {
    const size = fs.lstatSync(layout.path(name), { throwIfNoEntry: false })?.size;
    const found = [...(size === undefined ? [] : ["there"]), ...(records.get(name) ?? [])];
    assert.equal(found.length, 1, `${name} is ${found.join(" and ") || "lost"}`);
    if (size !== undefined) assert.equal(size, bytes, name);
    if (found[0] === "there") places.there++;
    else if (found[0] === "held") places.held++;
    else {
      places.deleted++;
      places.freed += allocated;
    }
  }
  return places;
}

describe("two cleaners on one root", function () {
  this.timeout(240_000);

  it(`R41, R15, R83: in ${ROUNDS} rounds of cleaners that meet, and one that undoes and frees, nothing is lost and nothing counts twice`, () =>
    withSeed(async (seed) => {
      const random = createRandom(seed);
      using layout = makeLayout(settings);
      await using first = new Worker("cleanerChild.ts", layout.root);
      await using second = new Worker("cleanerChild.ts", layout.root);
      await using third = new Worker("cleanerChild.ts", layout.root);
      const made = new Map<string, Made>();
      const seen = { refused: 0, both: 0, undone: 0, purged: 0 };
      const history: History = { files: new Map(), archived: new Set() };
      let before: Places = { there: 0, held: 0, deleted: 0, freed: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const written = made.size;
        write(layout, random, round, made);
        const byHand = random.pick(BY_HAND);
        const tasks: readonly (readonly [Worker, Verb])[] = [
          [first, random.pick(VERBS)],
          [second, random.pick(VERBS)],
          ...(byHand ? ([[third, byHand]] as const) : []),
        ];
        const told = await Promise.all(
          tasks.map(([worker, verb]) => {
            const store = random.chance(0.5) ? random.pick(STORES) : undefined;
            return worker.ask<Told>({ verb, later: LATER_MS, ...(store !== undefined && { store }) } satisfies CleanerTask);
          }),
        );
        const where = `round ${round}: ${tasks.map(([, verb], i) => `${verb} ${JSON.stringify(told[i])}`).join(" ")}`;
        // A run that somebody else was at is an error among those that were to be freed.
        const busy = told.flatMap((one) => one.errors);
        for (const error of busy) assert.match(error, /process \d+ is cleaning/, where);
        seen.refused += busy.length;
        const sum = (of: (one: Told) => number): number => told.reduce((total, one) => total + of(one), 0);
        const now = findAll(layout, made, history);
        const came = made.size - written;
        assert.equal(before.there + came - now.there, sum((one) => one.moved) - sum((one) => one.restored), where);
        assert.equal(
          now.freed - before.freed,
          sum((one) => one.freed),
          where,
        );
        const deletedAtOnce = now.deleted - before.deleted - sum((one) => one.purged);
        assert.ok(deletedAtOnce >= 0 && deletedAtOnce <= sum((one) => one.moved), where);
        for (const [i, { outcome, message }] of told.entries()) {
          if (outcome !== "refused") continue;
          seen.refused++;
          // Who is refused learns why: another process, by its number, or what the other one has changed.
          const others = tasks.flatMap(([worker], j) => (i === j ? [] : [worker.pid]));
          const holder = /process (\d+) is cleaning/.exec(message)?.[1];
          if (holder === undefined)
            assert.match(message, /nothing to undo|cannot be undone|holds no files|changed since the preview/, where);
          else assert.ok(others.includes(Number(holder)), where);
        }
        if (told.slice(0, 2).every((one) => one.moved > 0)) seen.both++;
        if (sum((one) => one.restored) > 0) seen.undone++;
        if (sum((one) => one.purged) > 0) seen.purged++;
        before = now;
      }
      assert.ok(seen.undone > 10 && seen.purged > 10 && made.size > ROUNDS, JSON.stringify({ ...seen, files: made.size }));
      if (process.env["OFFCUT_SHOW"]) console.log(seen, before, made.size);
      assert.deepEqual(
        listRuns(layout.root)
          .map(({ run }) => run)
          .sort(),
        [...history.files.keys()].sort(),
      );
      for (const [run, files] of history.files) assert.deepEqual(readRun(layout.root, run)?.files, files, run);
      // Nothing stands in anybody's way at the end.
      const last = await first.ask<Told>({ verb: "enforce", later: LATER_MS });
      assert.notEqual(last.outcome, "refused");
      assert.deepEqual(fs.readdirSync(layout.path(".offcut/locks")), []);
    }));

  it("R41, R83: what a round has cleaned it tells, also when another cleaner comes right after it", async () => {
    using layout = makeLayout(settings);
    layout.write("clips/1.mp4");
    const locks = layout.path(".offcut/locks");
    const done = await enforce(layout.root, {
      environment: {},
      now: () => Date.now() + LATER_MS,
      // From now on there is a second one that holds the lock.
      onRunProgress: () => fs.copyFileSync(path.join(locks, fs.readdirSync(locks)[0]!), path.join(locks, `${process.pid}-other.json`)),
    });
    assert.deepEqual([done.outcome, done.result?.deletedFiles], ["clean", 1], done.message);
    const idle = await enforce(layout.root, { environment: {}, now: () => Date.now() + LATER_MS });
    assert.equal(idle.outcome, "nothing", idle.message);
    layout.write("clips/2.mp4");
    assert.equal((await enforce(layout.root, { environment: {}, now: () => Date.now() + LATER_MS })).outcome, "refused");
  });
});
