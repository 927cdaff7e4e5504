import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { heartbeat } from "../../core/jobs/lease.ts";
import { type Manifest, parseManifest, printManifest, refuseEntryPath, refuseManifest } from "../../core/jobs/manifest.ts";
import {
  findStrayManifests,
  lockManifests,
  manifestsSignature,
  readManifest,
  readManifests,
  removeManifest,
  repairManifest,
  setAsideManifest,
  updateManifest,
} from "../../core/jobs/manifests.ts";
import { readJobs } from "../../core/jobs/owners.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { configOf, entry, makeRoot, MANIFEST, sample } from "./samples.ts";

const NOW = { wallMs: Date.parse("2025-01-31T12:00:00.100Z"), uptimeMs: 0 };

/** Everything below a directory with its content and times. */
function snapshot(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((one) => {
      const file = path.join(one.parentPath, one.name);
      const stat = fs.lstatSync(file);
      return `${file} ${stat.ino} ${stat.mtimeMs} ${one.isFile() ? fs.readFileSync(file, "utf8") : ""}`;
    })
    .sort();
}

/** As a version would write it whose schema is another. */
function withSchema(text: string, schema: number): string {
  const [, , , ...rest] = text.split("\n");
  const head = `{\n  "schema": ${schema},\n`;
  const checksum = createHash("sha256").update(head).update(rest.join("\n")).digest("hex");
  return `${head}  "checksum": "${checksum}",\n${rest.join("\n")}`;
}

describe("manifest", () => {
  it("R69: what is printed is read again, whatever stands in it, and is JSON that begins with schema, checksum and sequence", () => {
    fc.assert(
      fc.property(MANIFEST, (manifest) => {
        const text = printManifest(manifest);
        assert.deepEqual(parseManifest(Buffer.from(text)), { manifest });
        assert.deepEqual(Object.keys(JSON.parse(text) as object).slice(0, 3), ["schema", "checksum", "sequence"]);
        assert.equal(withSchema(text, 1), text);
      }),
      { numRuns: 300 },
    );
  });

  it("R69: cut anywhere, or with any bit of any byte changed, it is damaged, never another manifest", () => {
    const bytes = Buffer.from(printManifest(sample("j1")));
    for (let length = 0; length < bytes.length; length++)
      assert.ok("damaged" in parseManifest(bytes.subarray(0, length)), `cut at ${length}`);
    for (let at = 0; at < bytes.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const bad = Buffer.from(bytes);
        bad[at]! ^= 1 << bit;
        assert.ok("damaged" in parseManifest(bad), `bit ${bit} of byte ${at}`);
      }
    assert.ok("damaged" in parseManifest(Buffer.concat([bytes, bytes])));
    assert.ok("damaged" in parseManifest(Buffer.alloc(bytes.length)));
  });

  it("R6 R8: a path that is absolute, leads up or would be expanded is refused", () => {
    const bad = [
      "",
      "/a",
      "a//b",
      "a/",
      "./a",
      "a/../b",
      "..",
      "a/.",
      "C:/a",
      "a\\b",
      "~/a",
      "a/${b}",
      "a/$HOME",
      "%TEMP%/a",
      "a\0b",
      "s3://a/b",
      "\uD800",
    ];
    for (const one of bad) {
      assert.notEqual(refuseEntryPath(one), undefined, JSON.stringify(one));
      const manifest = sample("j1", { files: [{ ...entry("a"), path: one }] });
      assert.ok("damaged" in parseManifest(Buffer.from(printManifest(manifest))), JSON.stringify(one));
    }
    for (const one of ["a", "a/b.png", "ä/… 1.png", ".cache/a", "a/..b", "-a", "100%"]) assert.equal(refuseEntryPath(one), undefined, one);
  });

  it("R69 R71: every field is checked", () => {
    const good = sample("j1");
    assert.equal(refuseManifest(good), undefined);
    const { job, lease } = good;
    const one = entry("a");
    const wrong: readonly [unknown, RegExp][] = [
      [null, /manifest is not an object/],
      [[], /manifest is not an object/],
      [{ ...good, schema: 2 }, /schema is 2, not 1/],
      [{ ...good, sequence: 0 }, /sequence is not a whole number from 1/],
      [{ ...good, sequence: "1" }, /sequence is not a whole number/],
      [{ ...good, makesFinal: 1 }, /makesFinal is not true or false/],
      [{ ...good, files: {} }, /files is not a list/],
      [{ ...good, extra: 1 }, /unknown field "extra"/],
      [{ ...good, cleaned: "today" }, /cleaned is not a date/],
      [{ ...good, lease: undefined }, /lease is not an object/],
      [{ ...good, job: { ...job, id: "../j1" } }, /job\.id is not an id/],
      [{ ...good, job: { ...job, type: "" } }, /job\.type is not text/],
      [{ ...good, job: { ...job, state: "done" } }, /job\.state is not one of running, succeeded, failed/],
      [{ ...good, job: { ...job, started: "2025-01-31" } }, /job\.started is not a date/],
      [{ ...good, job: { ...job, ended: job.started } }, /contradict/],
      [{ ...good, job: { ...job, state: "failed" } }, /contradict/],
      [{ ...good, job: { ...job, error: 1 } }, /job\.error is not text/],
      [{ ...good, lease: { ...lease, pid: 0 } }, /lease\.pid is not a whole number from 1/],
      [{ ...good, lease: { ...lease, boot: null } }, /lease\.boot is not text/],
      [{ ...good, lease: { ...lease, durationMs: 1.5 } }, /lease\.durationMs is not a whole number/],
      [{ ...good, files: [{ ...one, role: "shared" }] }, /files\[0\]\.role is not one of temp, final/],
      [{ ...good, files: [{ ...one, kind: 1 }] }, /files\[0\]\.kind is not text/],
      [{ ...good, files: [{ ...one, bytes: -1 }] }, /files\[0\]\.bytes is not a whole number from 0/],
      [{ ...good, files: [{ ...one, path: 1 }] }, /files\[0\]\.path is not text/],
      [{ ...good, files: [one], directories: [one] }, /"output\/a" is listed twice/],
      [{ ...good, directories: [{ path: "a", kind: "a", role: "temp" }] }, /directories\[0\] has no added/],
    ];
    for (const [value, words] of wrong) assert.match(refuseManifest(value) ?? "nothing is wrong", words);
  });
});

describe("manifests", () => {
  it("R68: a change replaces the manifest, counts, and keeps the one before", async () => {
    using place = makeRoot();
    const first = await updateManifest(place.jobs, "j1", (old) => {
      assert.equal(old, undefined);
      return sample("j1", { sequence: 77 });
    });
    assert.equal(first.sequence, 1);
    const second = await updateManifest(place.jobs, "j1", (old) => ({ ...old!, files: [...old!.files, entry("new.png")] }));
    assert.equal(second.sequence, 2);
    assert.deepEqual(readManifest(place.jobs, "j1")?.manifest, second);
    assert.deepEqual(parseManifest(fs.readFileSync(`${place.jobs}/j1.json.bak`)), { manifest: first });
    assert.deepEqual(fs.readdirSync(place.jobs).sort(), ["j1.json", "j1.json.bak", "locks"]);
    assert.deepEqual(fs.readdirSync(`${place.jobs}/locks`), []);
    assert.ok(fs.existsSync(path.join(place.root, ".offcut/.gitignore")));
    assert.equal(await updateManifest(place.jobs, "j1", (old) => old!).then((same) => same.sequence), 2, "no change, no writing");
  });

  it("R6 R8: what may not be written is refused, and the old one stays", async () => {
    using place = makeRoot();
    const good = await updateManifest(place.jobs, "j1", () => sample("j1"));
    await assert.rejects(
      updateManifest(place.jobs, "j1", (old) => ({ ...old!, files: [{ ...entry("a"), path: "../a" }] })),
      (error: Error) => error instanceof Refusal && /j1 cannot be written: the path "\.\.\/a" has a "\.\." segment/.test(error.message),
    );
    await assert.rejects(
      updateManifest(place.jobs, "j1", () => sample("j2")),
      Refusal,
    );
    for (const id of ["", "..", "a/b", ".a", "a".repeat(129)])
      await assert.rejects(
        updateManifest(place.jobs, id, () => sample(id)),
        Refusal,
      );
    await assert.rejects(
      updateManifest(place.jobs, "j1", () => {
        throw new RangeError("the caller's own");
      }),
      RangeError,
    );
    assert.deepEqual(
      readManifests(place.jobs).map((found) => found.manifest),
      [good],
    );
  });

  it("R69 R32: with any byte of the manifest changed, or cut anywhere, the backup is used; with both, there is a problem and nothing else", async () => {
    using place = makeRoot();
    const backup = await updateManifest(place.jobs, "j1", () => sample("j1"));
    await updateManifest(place.jobs, "j1", (old) => ({ ...old!, files: [...old!.files, entry("new.png")] }));
    const file = path.join(place.jobs, "j1.json");
    const bytes = fs.readFileSync(file);
    const spoiled = [
      ...Array.from(bytes, (_, at) => {
        const bad = Buffer.from(bytes);
        bad[at]! ^= 1 << (at % 8);
        return bad;
      }),
      ...Array.from(bytes, (_, length) => bytes.subarray(0, length)),
    ];
    for (const [i, bad] of spoiled.entries()) {
      fs.writeFileSync(file, bad);
      const [found, ...more] = readManifests(place.jobs);
      assert.deepEqual(
        [found?.from, found?.manifest, found?.problem?.severity, more.length],
        ["backup", backup, "warning", 0],
        `case ${i}`,
      );
      assert.ok(found?.problem?.message.includes(file) && found.problem.message.includes("offcut doctor"));
    }
    fs.writeFileSync(`${file}.bak`, "");
    const [found] = readManifests(place.jobs);
    assert.deepEqual([found?.from, found?.manifest, found?.problem?.severity], ["nothing", undefined, "error"]);
    assert.match(
      found?.problem?.message ?? "",
      /j1\.json is damaged \(.+\), and its backup is damaged, too \(it is empty\).*offcut jobs forget j1/,
    );
    const facts = readJobs(configOf(place.root), NOW);
    assert.deepEqual(
      facts.owners.map(({ id, state }) => [id, state]),
      [["j1", "unknown"]],
    );
    assert.equal(facts.unavailable, found?.problem?.message);
    await assert.rejects(
      updateManifest(place.jobs, "j1", () => sample("j1")),
      Refusal,
      "what nobody can read is not replaced",
    );
    await assert.rejects(repairManifest(place.jobs, "j1"), Refusal);
  });

  it("R69: a damaged or missing manifest is repaired from its backup", async () => {
    for (const spoil of [(file: string) => fs.writeFileSync(file, "{"), (file: string) => fs.rmSync(file)]) {
      using place = makeRoot();
      await updateManifest(place.jobs, "j1", () => sample("j1"));
      spoil(path.join(place.jobs, "j1.json"));
      assert.equal(readManifest(place.jobs, "j1")?.from, "backup");
      await repairManifest(place.jobs, "j1");
      const found = readManifest(place.jobs, "j1");
      assert.deepEqual([found?.from, found?.problem, found?.manifest?.files], ["file", undefined, sample("j1").files]);
      await repairManifest(place.jobs, "j1");
      assert.equal(readManifest(place.jobs, "j1")?.manifest?.sequence, 2, "what is whole is left alone");
      await assert.rejects(repairManifest(place.jobs, "other"), Refusal);
    }
  });

  it("R32: whatever was changed before, the backup lets nothing go that its manifest keeps", async function () {
    this.timeout(60_000);
    const paths = ["output/a", "output/b", "output/c"];
    const change = fc.record({
      state: fc.constantFrom("running", "succeeded", "failed"),
      makesFinal: fc.boolean(),
      roles: fc.tuple(...paths.map(() => fc.constantFrom(undefined, "temp", "final"))),
    });
    const permits = ({ job, files, makesFinal }: Manifest): Set<string> => {
      const goes = job.state === "running" ? [] : files.filter((file) => file.role === "temp").map((file) => file.path);
      const ways = job.state === "succeeded" ? ["succeeded", "failed"] : ["failed"];
      return new Set(goes.flatMap((file) => ways.flatMap((way) => [`${file} ${way}`, ...(makesFinal ? [] : [`${file} ${way} unproven`])])));
    };
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        using place = makeRoot();
        for (const { state, makesFinal, roles } of changes) {
          const manifest = await updateManifest(place.jobs, "j1", () =>
            sample("j1", {
              job: { ...sample("j1").job, state, ...(state !== "running" && { ended: sample("j1").job.started }) },
              makesFinal,
              files: roles.flatMap((role, i) => (role ? [{ ...entry("x"), path: paths[i]!, role }] : [])),
              directories: [],
            }),
          );
          const backup = parseManifest(fs.readFileSync(path.join(place.jobs, "j1.json.bak")));
          assert.ok("manifest" in backup);
          const allowed = permits(manifest);
          for (const one of permits(backup.manifest)) assert.ok(allowed.has(one), `the backup lets ${one} go`);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("R71: a manifest of a newer version is read-only, its job unknown, and nothing can be decided", async () => {
    using place = makeRoot();
    await updateManifest(place.jobs, "j1", () => sample("j1"));
    const file = path.join(place.jobs, "j1.json");
    const newer = withSchema(fs.readFileSync(file, "utf8"), 2);
    fs.writeFileSync(file, newer);
    const manifests = (): string[] => snapshot(place.jobs).filter((line) => line.includes("/j1.json"));
    const before = manifests();
    const found = readManifest(place.jobs, "j1");
    assert.deepEqual([found?.manifest, found?.from], [undefined, "file"]);
    assert.match(found?.problem?.message ?? "", /j1\.json was written by a newer version of Offcut \(schema 2\)\. Update this one/);
    await assert.rejects(
      updateManifest(place.jobs, "j1", () => sample("j1")),
      Refusal,
    );
    await assert.rejects(repairManifest(place.jobs, "j1"), Refusal);
    const facts = readJobs(configOf(place.root), NOW);
    assert.equal(facts.owners[0]?.state, "unknown");
    assert.match(facts.unavailable ?? "", /newer version/);
    assert.deepEqual(manifests(), before);
    assert.equal(before.length, 2);
    fs.writeFileSync(file, "{");
    fs.writeFileSync(`${file}.bak`, newer);
    await assert.rejects(
      updateManifest(place.jobs, "j1", () => sample("j1")),
      /newer version/,
    );
  });

  it("R69: what is no manifest of this job is not taken for one", async () => {
    using place = makeRoot();
    await updateManifest(place.jobs, "j1", () => sample("j1"));
    fs.copyFileSync(`${place.jobs}/j1.json`, `${place.jobs}/j2.json`);
    fs.mkdirSync(`${place.jobs}/j3.json`);
    fs.symlinkSync("j1.json", `${place.jobs}/j4.json`);
    fs.writeFileSync(`${place.jobs}/not an id.json`, "{}");
    fs.writeFileSync(`${place.jobs}/._j1.json`, "left by another system");
    const problems = Object.fromEntries(readManifests(place.jobs).map(({ id, problem }) => [id, problem?.message ?? ""]));
    assert.deepEqual(Object.keys(problems), ["j1", "j2", "j3", "j4"]);
    assert.equal(problems.j1, "");
    assert.match(problems.j2 ?? "", /it is the manifest of "j1"/);
    for (const id of ["j3", "j4"]) assert.match(problems[id] ?? "", /it is not a regular file/);
    assert.deepEqual(findStrayManifests(place.jobs), [`${place.jobs}/not an id.json`]);
  });

  it("R13: looking writes nothing, not even a directory", async () => {
    using place = makeRoot();
    assert.deepEqual(readManifests(place.jobs), []);
    assert.equal(readManifest(place.jobs, "j1"), undefined);
    assert.deepEqual(readJobs(configOf(place.root), NOW).owners, []);
    assert.equal(manifestsSignature(place.jobs), "");
    assert.deepEqual(fs.readdirSync(place.root), []);
    await updateManifest(place.jobs, "j1", () => sample("j1"));
    fs.writeFileSync(`${place.jobs}/j2.json`, "damaged");
    fs.writeFileSync(`${place.jobs}/j1.lease.1-0.tmp`, "left behind");
    fs.writeFileSync(`${place.jobs}/locks/000000000001~4194303~1~a~b~c`, "");
    const before = snapshot(place.root);
    readManifests(place.jobs);
    readJobs(configOf(place.root), NOW);
    manifestsSignature(place.jobs);
    assert.deepEqual(snapshot(place.root), before);
  });

  it("R16: the signature changes with a manifest, not with a heartbeat", async () => {
    using place = makeRoot();
    await updateManifest(place.jobs, "j1", () => sample("j1"));
    const seen = new Set([manifestsSignature(place.jobs)]);
    heartbeat(place.jobs, "j1");
    assert.ok(seen.has(manifestsSignature(place.jobs)));
    for (let n = 0; n < 50; n++) {
      await updateManifest(place.jobs, "j1", (old) => ({ ...old!, makesFinal: !old!.makesFinal }));
      seen.add(manifestsSignature(place.jobs));
    }
    assert.equal(seen.size, 51, "every change is another signature, however fast they follow each other");
    using _turn = await lockManifests(place.jobs, ["j1"]);
    removeManifest(place.jobs, "j1");
    assert.ok(!seen.has(manifestsSignature(place.jobs)));
  });

  it("R70: a forgotten job leaves nothing behind, and takes nothing of others along", async () => {
    using place = makeRoot();
    for (const id of ["j1", "j1.json", "j1.lease"]) {
      await updateManifest(place.jobs, id, () => sample(id));
      heartbeat(place.jobs, id);
    }
    fs.writeFileSync(`${place.jobs}/j1.json.tmp`, "");
    fs.writeFileSync(`${place.jobs}/j1.json.bak.tmp`, "");
    fs.writeFileSync(`${place.jobs}/j1.lease.123-0.tmp`, "");
    {
      using _turn = await lockManifests(place.jobs, ["j1"]);
      removeManifest(place.jobs, "j1");
    }
    const left = ["j1.json", "j1.lease"].flatMap((id) => [`${id}.json`, `${id}.json.bak`, `${id}.lease`]);
    assert.deepEqual(fs.readdirSync(place.jobs).sort(), [...left, "locks"].sort());
    assert.throws(() => removeManifest(place.jobs, "../j1"), Refusal);
  });

  it("R32: a manifest that nobody can read is set aside, never over another one", async () => {
    using place = makeRoot();
    for (const name of ["j1", "j1-2", "j1-3"]) {
      await updateManifest(place.jobs, "j1", () => sample("j1"));
      fs.writeFileSync(`${place.jobs}/j1.json`, `damaged: ${name}`);
      using _turn = await lockManifests(place.jobs, ["j1"]);
      assert.equal(setAsideManifest(place.jobs, "j1"), path.join(place.jobs, "damaged", `${name}.json`));
      assert.equal(fs.readFileSync(path.join(place.jobs, "damaged", `${name}.json`), "utf8"), `damaged: ${name}`);
      assert.deepEqual(readManifests(place.jobs), []);
    }
    assert.throws(() => setAsideManifest(place.jobs, "j1"), /there is no manifest of j1/);
  });
});
