import assert from "node:assert/strict";
import fs from "node:fs";
import fc from "fast-check";
import { loadConfig } from "../../core/config/load.ts";
import { myLease } from "../../core/jobs/lease.ts";
import { type Manifest, MANIFEST_SCHEMA, type ManifestEntry, printManifest } from "../../core/jobs/manifest.ts";
import { makePlan, type PlanOptions } from "../../core/makePlan.ts";
import type { PlanItem } from "../../core/model.ts";
import { clean } from "../../runtime/clean.ts";
import { narrowTo } from "../../runtime/configOf.ts";
import { makeListener, makeRoot, type Root } from "./world.ts";

const HOUR = 3_600_000;

/** A job that ended an hour ago, made no final, and used these files. */
function writeJob(root: Root, id: string, files: readonly string[], finals: readonly string[] = [], bytes?: number): void {
  const then = new Date(Date.now() - HOUR).toISOString();
  const entry =
    (role: ManifestEntry["role"]) =>
    (path: string): ManifestEntry => ({ path, kind: "any", role, added: then, ...(role === "final" && bytes !== undefined && { bytes }) });
  const manifest: Manifest = {
    schema: MANIFEST_SCHEMA,
    sequence: 1,
    job: { id, type: "any", state: "succeeded", started: then, ended: then },
    lease: myLease(1000),
    makesFinal: finals.length > 0,
    files: [...files.map(entry("temp")), ...finals.map(entry("final"))],
    directories: [],
  };
  root.write(`.offcut/jobs/${id}.json`, printManifest(manifest));
}

describe("a look at one owner only", () => {
  let root: Root;
  beforeEach(() => (root = makeRoot()));
  afterEach(() => root[Symbol.dispose]());

  const settings = (stores: object): void =>
    void root.write("offcut.json", JSON.stringify({ stores, policy: { retention: "0s", grace: "0s", undo: "0s" } }));
  const plans = async (owner: string, more: Partial<PlanOptions> = {}): Promise<readonly [readonly PlanItem[], readonly PlanItem[]]> => {
    const config = loadConfig(root.root);
    const nowMs = Date.now() + 3 * HOUR;
    const options: PlanOptions = { environment: {}, orphans: true, selection: { projects: [owner] }, now: () => nowMs, ...more };
    const [whole, part] = [await makePlan(config, options), await makePlan(narrowTo(config, owner), options)];
    assert.deepEqual(part.pressures, whole.pressures);
    return [whole.items, part.items];
  };

  const templates = [
    "w/{job}/a/",
    "w/{job}/{n}.png",
    "w/",
    "w/{kind}/a/{job}/",
    "w/b/{job}.png",
    "w/*/a/x.png",
    "v/{job}/a/x.png",
    "v/{kind}-{job}/",
    "v/",
  ];
  const names = ["a", "b", "p1", "p2"];
  const files = [
    ...names.flatMap((one) =>
      names.flatMap((other) => [`w/${one}/${other}/x.png`, `w/${one}/a/${other}/x.png`, `v/${one}/${other}/x.png`]),
    ),
    ...names.flatMap((one) => [`w/${one}/1.png`, `w/b/${one}.png`, `v/k-${one}/x.png`]),
  ];

  it("R26 R27 R28: takes and keeps of that owner what a look at everything does, for the same reasons", async function () {
    this.timeout(120_000);
    for (const file of files) root.write(file);
    const store = fc.record({
      path: fc.constantFrom(...templates),
      role: fc.constantFrom("temp", "intermediate", "shared", "final", "upload"),
      limited: fc.boolean(),
    });
    let narrowed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(store, { minLength: 1, maxLength: 4, selector: (one) => one.path }),
        fc.array(fc.constantFrom(...files), { maxLength: 4 }),
        fc.array(fc.constantFrom(...files), { maxLength: 4 }),
        fc.constantFrom("p1", "a", "nobody", "w/p1", "."),
        async (stores, used, usedByOther, owner) => {
          settings(
            Object.fromEntries(
              stores.map(({ path, role, limited }, i) => [
                `s${i}`,
                { path, role, ...(limited && role !== "final" && role !== "upload" && { maxBytes: "100b", targetBytes: "50b" }) },
              ]),
            ),
          );
          fs.rmSync(root.path(".offcut/jobs"), { recursive: true, force: true });
          writeJob(root, "p1", used);
          writeJob(root, "p2", usedByOther);
          const [whole, part] = await plans(owner);
          assert.deepEqual(part, whole);
          if (narrowTo(loadConfig(root.root), owner).stores.some((one, i) => one.template !== loadConfig(root.root).stores[i]?.template))
            narrowed++;
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(narrowed > 0);
  });

  it("R28: what is a final of another owner does not become a temporary file of this one", async () => {
    settings({ scratch: { path: "cache/", role: "temp" }, films: { path: "cache/{job}/film.mp4", role: "final" } });
    for (const id of ["p1", "p2"]) root.write(`cache/${id}/film.mp4`);
    writeJob(root, "p1", ["cache/p2/film.mp4"]);
    const [whole, part] = await plans("p1");
    assert.deepEqual(part, whole);
    assert.ok(part.every((item) => item.verdict === "keep"));
  });

  it("R34: the final of another owner is looked into where it decides about a file of this one", async () => {
    settings({ music: { path: "music/", role: "temp" }, films: { path: "films/{n}.bin", role: "final" } });
    root.write("music/1.wav");
    root.write("films/2.bin");
    writeJob(root, "p1", ["music/1.wav"]);
    const heard = makeListener();
    const cleanP1 = async (): Promise<number> => {
      const whole = loadConfig(root.root);
      const { logger } = heard;
      const request = {
        config: narrowTo(whole, "p1"),
        whole,
        label: "p1",
        logger,
        environment: {},
        mode: "automatic",
        owner: "p1",
      } as const;
      return (await clean(request)).result.deletedFiles;
    };
    writeJob(root, "p2", ["music/1.wav"], ["films/2.bin"], 1);
    assert.equal(await cleanP1(), 0, "its size is not what it was");
    assert.match(heard.text(), /2\.bin of job p2 is not verified: it has 11 bytes/);
    writeJob(root, "p2", ["music/1.wav"], ["films/2.bin"], "films/2.bin".length);
    assert.equal(await cleanP1(), 1, heard.text());
    assert.deepEqual(root.files(), ["films/2.bin", "offcut.json"]);
  });

  it("R34: a final that nobody looked into proves nothing", async () => {
    settings({ music: { path: "music/", role: "temp" }, films: { path: "films/{n}.bin", role: "final" } });
    root.write("music/1.wav");
    root.write("films/2.bin");
    writeJob(root, "p1", ["music/1.wav"]);
    writeJob(root, "p2", ["music/1.wav"], ["films/2.bin"], "films/2.bin".length);
    for (const [finalsOf, verdict] of [
      [undefined, "reclaim"],
      [["p1", "p2"], "reclaim"],
      [["p1"], "keep"],
      [[], "keep"],
    ] as const) {
      const [whole, part] = await plans("p1", finalsOf && { finalsOf });
      assert.deepEqual([whole[0]?.verdict, part[0]?.verdict], [verdict, verdict], finalsOf?.join());
    }
  });

  it("does not look into the directories of others where each has its own", async () => {
    settings({ slides: { path: "cache/{job}/slides/", role: "temp" }, notes: { path: "cache/{job}/notes/", role: "temp" } });
    for (const id of ["p1", "p2", "p1.x", "p1x"]) root.write(`cache/${id}/slides/1.png`);
    const seen: number[] = [];
    const onProgress: PlanOptions["onProgress"] = ({ phase, files: count }) => void (phase === "decide" && seen.push(count));
    const [whole, part] = await plans("p1", { onProgress });
    assert.deepEqual(part, whole);
    assert.equal(part.length, 1);
    assert.deepEqual(seen, [4, 1]);
  });
});
