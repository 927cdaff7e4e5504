/** The promises about job-tracked files, each for hundreds of drawn pipelines, through the classes that a pipeline uses. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import {
  CleanupService,
  DirectoryManager,
  JobManager,
  type JobTypes,
  LAYOUT,
  ManifestTracker,
  type PolicyValues,
} from "../../runtime/index.ts";
import { videoBytes } from "../workspace.ts";
import { AT_ONCE, type Listener, makeListener, makeRoot, type Root } from "./world.ts";

const RUNS = { numRuns: 200 };
const HOUR = 3_600_000;
const TEMPORARY = LAYOUT.temporary;
const FINALS = Object.keys(LAYOUT.finals);

const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9.-]{0,11}$/);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 _.-]{0,9}[a-z0-9]$/);
const kinds = (from: readonly string[]): fc.Arbitrary<string[]> => fc.subarray([...from]);

/** A temporary file of some kind, some directories deep. */
const temporaryFile = fc.record({ kind: fc.constantFrom(...TEMPORARY), below: fc.array(name, { maxLength: 2 }), name });
const temporaryFiles = fc.uniqueArray(temporaryFile, {
  minLength: 1,
  maxLength: 8,
  selector: (file) => [file.kind, ...file.below, file.name].join("/").toLowerCase(),
});
type TemporaryFile = typeof temporaryFile extends fc.Arbitrary<infer File> ? File : never;

interface World extends Root {
  readonly heard: Listener;
}

function makeWorld(settings: object = AT_ONCE): World {
  const root = makeRoot(settings);
  // A cleanup that leaves nothing at all would ask first (R20).
  writeFinal(root, "output/long_form/earlier.mp4");
  return { ...root, heard: makeListener() };
}

/** Two files of one case may need the same name for a file and a directory: then the second one is left out. */
function writeTemporary(root: Root, job: string, files: readonly TemporaryFile[]): string[] {
  return files.flatMap((file) => {
    const relative = ["output/jobs", job, file.kind, ...file.below, file.name].join("/");
    try {
      root.write(relative);
      return [relative];
    } catch {
      return [];
    }
  });
}

function writeFinal(root: Pick<Root, "write">, relative: string): string {
  const file = root.write(relative, videoBytes());
  // One that was written just now is looked at twice with a pause, which only costs time here.
  const then = new Date(Date.now() - 60_000);
  fs.utimesSync(file, then, then);
  return file;
}

function stateOf(root: Root, files = root.files()): Record<string, string> {
  return Object.fromEntries(files.map((file) => [file, fs.readFileSync(root.path(file), "latin1")]));
}

function jobsOf(world: World, options: Partial<ConstructorParameters<typeof JobManager>[0]> = {}): JobManager {
  return new JobManager({ root: world.root, logger: world.heard.logger, environment: {}, ...options });
}

function serviceOf(world: World, options: Partial<ConstructorParameters<typeof CleanupService>[0]> = {}): CleanupService {
  return new CleanupService({ root: world.root, logger: world.heard.logger, environment: {}, ...options });
}

/** A job that ended while nothing was cleaned. */
async function endedJob(world: World, job: string, files: readonly TemporaryFile[], success: boolean): Promise<string[]> {
  await using jobs = jobsOf(world, { environment: { AUTO_CLEANUP_ENABLED: "off" } });
  const context = await jobs.startJob(job, "subtitles");
  const written = writeTemporary(world, job, files);
  await (success ? context.complete() : context.fail());
  return written;
}

describe("properties", function () {
  this.timeout(120_000);

  it("P1: only the directories that the type of job needs are created", async () => {
    const types = fc.dictionary(id, kinds([...TEMPORARY, ...FINALS]), { minKeys: 1, maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(id, types, fc.nat(), async (job, types: JobTypes, pick) => {
        using root = makeRoot();
        const names = Object.keys(types);
        const type = names[pick % names.length]!;
        const directories = new DirectoryManager({ root: root.root, types });
        await using jobs = new JobManager({ root: root.root, directories, logger: makeListener().logger });
        await jobs.startJob(job, type);
        const needed = types[type]!;
        const expected = ["output", "output/jobs", `output/jobs/${job}`].concat(
          needed.map((kind) => LAYOUT.finals[kind] ?? `output/jobs/${job}/${kind}`),
        );
        assert.deepEqual(root.directories(), expected.sort());
        for (const kind of [...TEMPORARY, ...FINALS]) assert.equal(directories.shouldCreateDirectory(type, kind), needed.includes(kind));
      }),
      RUNS,
    );
  });

  it("P2: a successful job loses all temporary files and keeps its finals", async () => {
    await fc.assert(
      fc.asyncProperty(
        id,
        temporaryFiles,
        fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (job, files, finals, told) => {
          using world = makeWorld();
          await using jobs = jobsOf(world);
          const context = await jobs.startJob(job, "full");
          const written = writeTemporary(world, job, files);
          for (const [i, final] of finals.entries()) {
            const file = context.finalPath(FINALS[i % 2]!, `${final}.mp4`);
            writeFinal(world, path.relative(world.root, file));
            if (told) await context.addFile(file);
          }
          const before = stateOf(
            world,
            world.files().filter((file) => !file.startsWith("output/jobs/")),
          );
          const result = await context.complete();
          assert.deepEqual([result.deletedFiles, result.errors], [written.length, []], world.heard.text());
          assert.deepEqual(stateOf(world), { ...before, [`output/jobs/${job}_completed`]: "" });
          assert.ok(!fs.existsSync(world.path(`output/jobs/${job}`)));
        },
      ),
      RUNS,
    );
  });

  it("P3: a failed job keeps all its temporary files", async () => {
    await fc.assert(
      fc.asyncProperty(id, temporaryFiles, fc.constantFrom("fail", "complete", "leave", "die"), async (job, files, how) => {
        using world = makeWorld();
        await using jobs = jobsOf(world);
        const context = await jobs.startJob(job, "full");
        const written = writeTemporary(world, job, files);
        const before = stateOf(world, written);
        if (how === "fail") await context.fail(new Error("no network"));
        if (how === "complete") await jobs.completeJob(job, false);
        if (how === "leave") await context[Symbol.asyncDispose]();
        if (how === "die") await jobs[Symbol.asyncDispose]();
        await serviceOf(world).cleanupJob(job);
        await serviceOf(world).cleanupByAge(0);
        assert.deepEqual(stateOf(world, written), before, world.heard.text());
      }),
      RUNS,
    );
  });

  it("P4: directory names are predictable and the same across types of jobs", () => {
    const types = fc.dictionary(id, kinds([...TEMPORARY, ...FINALS]), { minKeys: 2, maxKeys: 5 });
    fc.assert(
      fc.property(types, id, id, (types: JobTypes, one, other) => {
        const manager = new DirectoryManager({ root: "/pipeline", types });
        const known = new Map<string, string>();
        for (const type of Object.keys(types)) {
          for (const [kind, template] of Object.entries(manager.getSimplifiedStructure(type))) {
            assert.equal(template, known.get(kind) ?? template);
            known.set(kind, template);
            for (const job of [one, other])
              assert.equal(manager.directoryOf(job, kind), path.join("/pipeline", ...template.replace("{job}", () => job).split("/")));
          }
        }
        for (const [kind, template] of known) assert.equal(template, LAYOUT.finals[kind] ?? `output/jobs/{job}/${kind}`);
      }),
      RUNS,
    );
  });

  it("P5: a manifest is made at the start, updated during the work, used for the cleanup and kept until that is complete", async () => {
    const settings = { ...AT_ONCE, stores: { scratch: { path: "scratch/*", role: "temp" } } };
    const action = fc.record({ act: fc.constantFrom("add", "add", "directory", "remove"), file: fc.nat({ max: 9 }) });
    await fc.assert(
      fc.asyncProperty(id, fc.array(action, { maxLength: 12 }), fc.boolean(), async (job, actions, heldBack) => {
        using world = makeWorld(settings);
        for (let i = 0; i < 10; i++) world.write(`scratch/${i}`);
        const tracker = new ManifestTracker({ root: world.root, logger: world.heard.logger });
        assert.equal(await tracker.getManifest(job), undefined);
        await using jobs = jobsOf(world, heldBack ? { policy: { retentionHours: 1 } } : {});
        const context = await jobs.startJob(job, "subtitles");
        const model = new Set<string>();
        for (const { act, file } of actions) {
          const relative = act === "directory" ? `scratch/d${file}` : `scratch/${file}`;
          if (act === "remove") assert.equal(await tracker.removeFromManifest(job, relative), model.delete(relative));
          else {
            model.add(relative);
            await (act === "add" ? context.addFile(relative) : context.addDirectory(relative));
          }
          const manifest = await tracker.getManifest(job);
          assert.equal(manifest?.job.state, "running");
          const listed = [...(manifest?.files ?? []), ...(manifest?.directories ?? [])].map((entry) => entry.path);
          assert.deepEqual(listed.filter((one) => one.startsWith("scratch/")).sort(), [...model].sort());
        }
        await context.complete();
        const left = world.files().filter((file) => file.startsWith("scratch/"));
        const expected = Array.from({ length: 10 }, (_, i) => `scratch/${i}`).filter((file) => heldBack || !model.has(file));
        assert.deepEqual(left, expected, world.heard.text());
        const taken = [...model].some((file) => !file.startsWith("scratch/d"));
        if (heldBack && taken) assert.equal((await tracker.getManifest(job))?.job.state, "succeeded");
        if (!heldBack && taken) assert.equal(await tracker.getManifest(job), undefined, world.heard.text());
      }),
      RUNS,
    );
  });

  it("P6: every policy is respected: switch, retention, file types, debug mode, failures", async () => {
    const policy = fc.record({
      enabled: fc.boolean(),
      retentionHours: fc.constantFrom(0, 1, 24),
      fileTypesToClean: fc.option(kinds(TEMPORARY), { nil: undefined }),
      preserveOnFailure: fc.boolean(),
      debugModeDisables: fc.boolean(),
    });
    const environment = fc.record({
      DEBUG: fc.constantFrom("", "1", "true", "0"),
      AUTO_CLEANUP_ENABLED: fc.constantFrom(undefined, "true", "0", "maybe"),
    });
    await fc.assert(
      fc.asyncProperty(
        temporaryFiles,
        policy,
        environment,
        fc.boolean(),
        fc.constantFrom(0.5, 2, 30),
        async (files, policy: PolicyValues, environment, success, age) => {
          using world = makeWorld();
          const written = await endedJob(world, "j", files, success);
          const service = serviceOf(world, { policy, environment, now: () => Date.now() + age * HOUR });
          const result = await service.cleanupJob("j", policy.preserveOnFailure);
          const { AUTO_CLEANUP_ENABLED: said } = environment;
          const on =
            (said === undefined ? policy.enabled : said === "true") &&
            !(policy.debugModeDisables && ["1", "true"].includes(environment.DEBUG));
          assert.equal(await service.isCleanupEnabled(), on);
          const may = on && (success || !policy.preserveOnFailure) && (policy.retentionHours === 0 || age > policy.retentionHours);
          const kindOf = (file: string): string => file.split("/")[3]!;
          const expected = written.filter((file) => !may || policy.fileTypesToClean?.includes(kindOf(file)) === false);
          const left = world.files().filter((file) => file.startsWith("output/jobs/j/"));
          assert.deepEqual(left, expected.sort(), world.heard.text());
          assert.equal(result.deletedFiles, written.length - expected.length);
        },
      ),
      RUNS,
    );
  });

  it("P7: manual cleanup works regardless of the automatic settings", async () => {
    await fc.assert(
      fc.asyncProperty(
        temporaryFiles,
        fc.constantFrom("**", "output/jobs/*/videos/**", "output/jobs/j/**", "**/*.png", "output/jobs/j/slides/*", "", "j"),
        fc.record({ enabled: fc.boolean(), fileTypesToClean: fc.option(kinds(TEMPORARY), { nil: undefined }) }),
        fc.constantFrom({}, { AUTO_CLEANUP_ENABLED: "false" }, { DEBUG: "1" }),
        async (files, pattern, settings, environment) => {
          using world = makeWorld();
          const written = (await endedJob(world, "j", files, true)).sort();
          const service = serviceOf(world, { policy: { ...settings, retentionHours: 0 }, environment });
          const matching = written.filter((file) => {
            if (pattern === "**" || pattern === "output/jobs/j/**") return true;
            if (pattern === "output/jobs/*/videos/**") return file.startsWith("output/jobs/j/videos/");
            if (pattern === "**/*.png") return file.endsWith(".png");
            return pattern === "output/jobs/j/slides/*" && /^output\/jobs\/j\/slides\/[^/]+$/.test(file);
          });
          const told = await service.manualCleanup(pattern);
          assert.deepEqual([told.files.toSorted(), told.deletedFiles], [matching, 0], world.heard.text());
          assert.equal(world.files().filter((file) => file.startsWith("output/jobs/j/")).length, written.length);
          const done = await service.manualCleanup(pattern, false);
          assert.equal(done.deletedFiles, matching.length, world.heard.text());
          const left = world.files().filter((file) => file.startsWith("output/jobs/j/"));
          assert.deepEqual(
            left,
            written.filter((file) => !matching.includes(file)),
          );
        },
      ),
      RUNS,
    );
  });

  it("P8: a partly failed cleanup names each file that stayed", async function () {
    if (process.getuid?.() !== 0 || !canMakeImmutable()) return this.skip(); // Nobody but root can make a file that root cannot delete.
    await fc.assert(
      fc.asyncProperty(temporaryFiles, fc.array(fc.nat(), { minLength: 1, maxLength: 2 }), async (files, picks) => {
        using world = makeWorld();
        const written = await endedJob(world, "j", files, true);
        const stuck = [...new Set(picks.map((pick) => written[pick % written.length]!))];
        const absolute = stuck.map((file) => world.path(file));
        execFileSync("chattr", ["+i", ...absolute]);
        try {
          const result = await serviceOf(world).cleanupJob("j");
          assert.equal(result.deletedFiles, written.length - stuck.length);
          assert.deepEqual(result.errors.map((error) => error.path).sort(), stuck.toSorted(), world.heard.text());
          for (const error of result.errors) assert.match(error.message, /not permitted/);
          const told = world.heard.of("error").map((line) => line.fields?.["path"]);
          assert.deepEqual(told.sort(), stuck.toSorted());
          assert.deepEqual(
            world.files().filter((file) => file.startsWith("output/jobs/j/")),
            stuck.toSorted(),
          );
        } finally {
          execFileSync("chattr", ["-i", ...absolute]);
        }
      }),
      RUNS,
    );
  });

  it("P9: no temporary file goes before its retention is over", async () => {
    await fc.assert(
      fc.asyncProperty(
        temporaryFiles,
        fc.double({ min: 0.1, max: 100, noNaN: true }),
        fc.double({ min: 0.05, max: 120, noNaN: true }),
        fc.constantFrom("job", "age", "manual"),
        async (files, retentionHours, age, how) => {
          fc.pre(Math.abs(retentionHours - age) > 0.02);
          using world = makeWorld();
          const written = await endedJob(world, "j", files, true);
          const service = serviceOf(world, { policy: { retentionHours }, now: () => Date.now() + age * HOUR });
          if (how === "job") await service.cleanupJob("j");
          if (how === "age") await service.cleanupByAge(0);
          if (how === "manual") await service.manualCleanup("output/jobs/**", false);
          const left = world.files().filter((file) => file.startsWith("output/jobs/j/"));
          assert.equal(left.length, age < retentionHours ? written.length : 0, world.heard.text());
        },
      ),
      RUNS,
    );
  });

  it("P10: finals lie flat and predictable, apart from temporary files", () => {
    fc.assert(
      fc.property(id, fc.constantFrom(...FINALS), fc.oneof(name, fc.string()), (job, kind, wanted) => {
        const manager = new DirectoryManager({ root: "/pipeline" });
        let file: string;
        try {
          file = manager.finalPath(kind, wanted);
        } catch (error) {
          assert.ok(error instanceof TypeError);
          return;
        }
        assert.equal(file, `/pipeline/${LAYOUT.finals[kind]}/${wanted}`);
        assert.equal(path.posix.dirname(path.posix.normalize(file)), `/pipeline/${LAYOUT.finals[kind]}`);
        assert.ok(!file.startsWith(`${manager.jobDirectory(job)}/`) && !file.startsWith("/pipeline/output/jobs/"));
      }),
      RUNS,
    );
  });

  it("P11: the directory structure shows the status of each job", async () => {
    const ending = fc.constantFrom("complete", "fail", "run", "fail, start", "complete, start", "fail, start, complete");
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(id, { minLength: 1, maxLength: 4, selector: (one) => one.toLowerCase() }),
        ending,
        fc.nat(),
        async (ids, how, odd) => {
          using world = makeWorld();
          await using jobs = jobsOf(world, { policy: { retentionHours: 1 } });
          const expected: string[] = [];
          for (const [i, job] of ids.entries()) {
            const steps = (i === odd % ids.length ? how : "run").split(", ");
            const directory = (await jobs.startJob(job, "subtitles")).directory();
            const { ino } = fs.statSync(directory);
            for (const step of steps) {
              if (step === "complete" || step === "fail") await jobs.completeJob(job, step === "complete");
              if (step === "start") await jobs.startJob(job, "subtitles");
            }
            assert.equal(fs.statSync(directory).ino, ino, "the directory of a job is never renamed");
            const last = steps.at(-1);
            expected.push(`output/jobs/${job}_${last === "complete" ? "completed" : last === "fail" ? "failed" : "processing"}`);
          }
          assert.deepEqual(
            world.files().filter((file) => file.startsWith("output/jobs/")),
            expected.sort(),
          );
        },
      ),
      RUNS,
    );
  });

  it("P12: whoever reads the finals finds them, before, during and after a cleanup", async () => {
    await fc.assert(
      fc.asyncProperty(id, temporaryFiles, name, async (job, files, final) => {
        using world = makeWorld();
        const read = (): readonly string[] =>
          ["output/long_form", "output/short_form"].flatMap((directory) =>
            fs.existsSync(world.path(directory)) ? fs.readdirSync(world.path(directory)).map((one) => `${directory}/${one}`) : [],
          );
        await using jobs = jobsOf(world);
        const context = await jobs.startJob(job, "short_form");
        const work = context.directory("videos");
        writeTemporary(world, job, files);
        writeFinal(world, `output/short_form/${final}.mp4`);
        await context.addFile(`output/short_form/${final}.mp4`);
        assert.equal(context.directory("videos"), work, "paths of a running job stay what they are");
        const before = stateOf(world, [...read()]);
        assert.equal(Object.keys(before).length, 2);
        await context.complete();
        assert.deepEqual(stateOf(world, [...read()]), before, world.heard.text());
        await serviceOf(world).manualCleanup("**", false, { confirmedFiles: 0 });
        assert.deepEqual(stateOf(world, [...read()]), before);
      }),
      RUNS,
    );
  });
});

function canMakeImmutable(): boolean {
  using root = makeRoot();
  const file = root.write("probe");
  try {
    execFileSync("chattr", ["+i", file], { stdio: "ignore" });
    execFileSync("chattr", ["-i", file]);
    return true;
  } catch {
    return false; // This filesystem has no such flag.
  }
}
