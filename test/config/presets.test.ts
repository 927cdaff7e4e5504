import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { type Config, ConfigError } from "../../core/config/config.ts";
import { parseDocument } from "../../core/config/document.ts";
import { parseConfig } from "../../core/config/load.ts";
import { mergePreset } from "../../core/config/presets.ts";
import { configSchema } from "../../core/config/schema.ts";
import { matchTemplate } from "../../core/config/template.ts";
import { ROOT } from "./mistakes.ts";

const PRESETS = configSchema.shape.preset._zod.def.innerType.options;
const GB = 1024 ** 3;
const MB = 1024 ** 2;

describe("presets", () => {
  const preset = (name: string, more: object = {}): Config => parseConfig(ROOT, JSON.stringify({ preset: name, ...more }));
  /** The store that a file belongs to, as `name {captures}`; every one of them. */
  const storesOf = (config: Config, path: string): string[] =>
    config.stores.flatMap((store) => {
      const captures = matchTemplate(store.template, path);
      return captures ? [`${store.name} ${JSON.stringify(captures)}`] : [];
    });

  it("every one that the schema allows is there, alone is a configuration, and has no warning", () => {
    const files = readdirSync(new URL("../../core/config/presets", import.meta.url)).map((name) => name.replace(/\.json$/, ""));
    assert.deepEqual([...PRESETS].toSorted(), files.toSorted());
    for (const name of PRESETS) {
      const config = preset(name);
      assert.ok(config.stores.length > 0, name);
      assert.deepEqual(
        config.problems.filter((problem) => problem.severity !== "info"),
        [],
        name,
      );
    }
  });

  it("only the video generator brings a database, and nobody gets one that was not written", () => {
    assert.deepEqual(
      PRESETS.map((name) => preset(name).databases.length),
      PRESETS.map((name) => (name === "video-generator" ? 1 : 0)),
    );
    for (const name of PRESETS.filter((name) => name !== "video-generator")) {
      const merged = mergePreset(parseDocument(JSON.stringify({ preset: name }), "offcut.json"));
      assert.equal(Object.hasOwn(merged as object, "database"), false, name);
    }
  });

  it("a preset without a database takes the one that is written, one or several, as it is written", () => {
    const uploads = { video: "SELECT path, url FROM uploads" };
    const one = preset("upload-outputs", { database: { path: "a.db", uploads } }).databases;
    assert.deepEqual([one.length, one[0]?.label, one[0]?.uploads, one[0]?.owners], [1, "a.db", uploads, undefined]);
    const several = preset("upload-outputs", { database: [{ path: "a.db", uploads }, { path: "b.db" }] }).databases;
    assert.deepEqual(
      several.map(({ label, uploads }) => [label, Object.keys(uploads)]),
      [
        ["a.db", ["video"]],
        ["b.db", []],
      ],
    );
    assert.throws(() => preset("clip-store", { database: [7] }), ConfigError);
    assert.throws(() => preset("clip-store", { database: null }), ConfigError);
  });

  it("a key named like a part of every object is a key", () => {
    const written = parseDocument(
      '{ "preset": "clip-store", "stores": { "constructor": { "path": "a/{job}/", "role": "temp" } } }',
      "x.json",
    );
    const merged = mergePreset(written) as { readonly stores: object };
    assert.deepEqual(Object.keys(merged.stores), ["clips", "constructor"]);
    const unknown = parseDocument('{ "preset": "constructor" }', "x.json");
    assert.equal(mergePreset(unknown), unknown.value);
  });

  describe("upload-outputs", () => {
    it("S1.2, S1.6: the files of a job are told apart, each with the ids that its address needs", () => {
      const config = preset("upload-outputs");
      assert.deepEqual([...new Set(config.stores.map((store) => store.role))], ["upload"]);
      const expected: Readonly<Record<string, string>> = {
        "outputs/jobs/j-1/video.mp4": 'video {"job":"j-1"}',
        "outputs/jobs/j-1/metadata.json": 'metadata {"job":"j-1"}',
        "outputs/jobs/j-1/reference_image.jpg": 'referenceImage {"job":"j-1","format":"jpg"}',
        "outputs/jobs/j-1/scenes/003/video.mp4": 'sceneVideo {"job":"j-1","scene":"003"}',
        "outputs/jobs/j-1/scenes/003/lipsync.mp4": 'lipsync {"job":"j-1","scene":"003"}',
        "outputs/jobs/j-1/scenes/003/trimmed.mp4": 'trimmed {"job":"j-1","scene":"003"}',
        "outputs/jobs/j-1/composed.mp4": 'composed {"job":"j-1"}',
        "outputs/videos/7d01.mp4": 'videos {"video":"7d01"}',
        "outputs/character_reference/4f2a.png": 'characterReference {"image":"4f2a","format":"png"}',
      };
      for (const [path, store] of Object.entries(expected)) assert.deepEqual(storesOf(config, path), [store]);
      assert.deepEqual(new Set(Object.values(expected).map((text) => text.split(" ")[0])), new Set(config.stores.map(({ name }) => name)));
      for (const path of ["outputs/jobs/j-1/video.mp4.part", "outputs/jobs/j-1/notes.txt", "outputs/jobs/video.mp4", "outputs/x.mp4"])
        assert.deepEqual(storesOf(config, path), [], path);
    });

    it("S1.6: names no bucket; an address is what the user writes, by the ids of the path", () => {
      assert.deepEqual(
        preset("upload-outputs").stores.filter((store) => store.upload),
        [],
      );
      const names = preset("upload-outputs").stores.map((store) => store.name);
      const stores = Object.fromEntries(names.map((name) => [name, { upload: `s3://media/{path}` }]));
      assert.deepEqual(
        new Set(preset("upload-outputs", { stores }).stores.map((store) => store.upload?.to)),
        new Set(["s3://media/{path}"]),
      );
      const keys = {
        video: "s3://media/mv/jobs/{job}/video.mp4",
        referenceImage: "s3://media/mv/jobs/{job}/reference.{format}",
        lipsync: { to: "s3://media/mv/{job}/{scene}.mp4", endpoint: "http://127.0.0.1:9000" },
        characterReference: "gs://media/characters/{image}.{format}",
      };
      const written = Object.fromEntries(Object.entries(keys).map(([name, upload]) => [name, { upload }]));
      const config = preset("upload-outputs", { stores: written });
      assert.deepEqual(config.stores.find((store) => store.name === "lipsync")?.upload, keys.lipsync);
    });
  });

  describe("job-manifests", () => {
    it("S2.3, P4, P10: temporary files lie below their job at any depth, finals flat beside", () => {
      const config = preset("job-manifests");
      assert.deepEqual(storesOf(config, "output/jobs/j-1/slides/a/b.png"), ['slides {"job":"j-1"}']);
      assert.deepEqual(storesOf(config, "output/jobs/j-1/expressions/e.mkv"), ['expressions {"job":"j-1"}']);
      assert.deepEqual(storesOf(config, "output/jobs/j-1/subtitles/en/x.srt"), ['subtitles {"job":"j-1"}']);
      assert.deepEqual(storesOf(config, "output/jobs/j-1/videos/part-1.mkv"), ['videos {"job":"j-1"}']);
      assert.deepEqual(storesOf(config, "output/long_form/episode-1.mp4"), ["long_form {}"]);
      assert.deepEqual(storesOf(config, "output/short_form/episode 1.mp4"), ["short_form {}"]);
      for (const path of ["output/jobs/j-1/final.mp4", "output/jobs/j-1/other/x", "output/long_form/old/x.mp4"])
        assert.deepEqual(storesOf(config, path), [], path);
      assert.deepEqual(
        config.stores.map(({ name, role, ownerCapture }) => `${name} ${role} ${ownerCapture ?? "-"}`),
        ["slides temp job", "expressions temp job", "subtitles temp job", "videos temp job", "long_form final -", "short_form final -"],
      );
    });

    it("S2.5, P3, P9: a day's retention, failed jobs stay, debug mode stops it, manifests lie outside", () => {
      const { policy, jobs, stores } = preset("job-manifests");
      assert.deepEqual(
        [policy.retentionMs, policy.preserveOnFailure, policy.debugModeDisables, policy.enabled],
        [86_400_000, true, true, true],
      );
      assert.equal(jobs.directory, "/ws/.offcut/jobs");
      assert.ok(stores.every((store) => !".offcut/jobs/".startsWith(`${store.template.prefix}/`)));
    });
  });

  it("S4.2, S4.3, S4.5: clip-store keeps clips for an hour, 1 GB of them at most, and looks every 15 minutes", () => {
    const [clips] = preset("clip-store").stores;
    assert.deepEqual(
      [clips?.role, clips?.maxAgeMs, clips?.maxBytes, clips?.targetBytes, clips?.everyMs],
      ["clip", 3_600_000, GB, 900 * MB, 900_000],
    );
    assert.deepEqual(storesOf(preset("clip-store"), "data/clips/evt_20261122-1.mp4"), ['clips {"event":"evt_20261122-1"}']);
  });

  it("S4.3, R53: another maxBytes than the preset's takes 90 % of itself for the low mark, or what is written", () => {
    const marks = (limits: object): unknown[] => {
      const [clips] = preset("clip-store", { stores: { clips: limits } }).stores;
      return [clips?.maxBytes, clips?.targetBytes, clips?.maxAgeMs];
    };
    assert.deepEqual(marks({ maxBytes: "500MB" }), [500 * MB, 450 * MB, 3_600_000]);
    assert.deepEqual(marks({ maxBytes: "500MB", targetBytes: "1MB" }), [500 * MB, MB, 3_600_000]);
    assert.deepEqual(marks({ targetBytes: "1MB" }), [GB, MB, 3_600_000]);
    assert.deepEqual(marks({ maxAge: "2h" }), [GB, 900 * MB, 7_200_000]);
  });
});
