import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { type Config, ConfigError, rootsOf } from "../../core/config/config.ts";
import { loadConfig, parseConfig } from "../../core/config/load.ts";
import { assertProblem, problemsOf, ROOT } from "./mistakes.ts";
import { makeWorkspace, type Workspace } from "../workspace.ts";

const AUDIO = `"audio": { "path": "a/{project}/x-{n}.mp3", "role": "intermediate" }`;

/** The example of the design, to the letter. */
const EXAMPLE = `{
  "preset": "video-generator",            // built-in layouts are data in core/config/presets
  "database": {
    "path": "data/app.db",                // SQLite, opened read-only
    "owners":     "SELECT id, status FROM projects",
    "states":     { "succeeded": ["complete"], "failed": ["failed"] },
    "references": { "audio": "SELECT project_id AS owner, file_path AS path FROM audio_files" },
    "outputs":    "SELECT project_id AS owner, file_path AS path FROM rendered_videos",
    "autoCleanup": "SELECT auto_cleanup_enabled FROM user_preferences LIMIT 1",
    "trackStatus": false                  // true: cleanup_status / cleanup_completed_at are written (migration 8)
  },
  "stores": {
    "audio":    { "path": ".cache/audio/{project}/scene-{n}.mp3", "role": "intermediate" },
    "provider": { "path": "assets/cache/{provider}/{video}.mp4",  "role": "shared" },
    "clips":    { "path": "data/clips/{event}.mp4", "role": "clip", "maxAge": "1h", "maxBytes": "1GB", "targetBytes": "900MB", "every": "15m" },
    "final":    { "path": ".cache/output/{project}/final.mp4", "role": "final" }
  },
  "policy": { "retention": "0h", "preserveOnFailure": true, "grace": "1h", "undo": "24h", "debugModeDisables": true }
}`;

describe("offcut.json", () => {
  it("the example of the design loads", () => {
    const config = parseConfig(ROOT, EXAMPLE);
    assert.deepEqual(config.stores.map((store) => `${store.name} ${store.role} ${store.automatic}`).sort(), [
      "assembly temp true",
      "audio intermediate true",
      "clips clip true",
      "final final true",
      "provider shared false",
      "segments intermediate true",
      "thumbnail final true",
    ]);
    assert.deepEqual(config.policy, {
      retentionMs: 0,
      preserveOnFailure: true,
      graceMs: 3_600_000,
      undoMs: 86_400_000,
      debugModeDisables: true,
      enabled: true,
      everyMs: 900_000,
      brake: { share: 0.5, floor: 50, files: 10_000, bytes: 100 * 1024 ** 3 },
    });
    assert.deepEqual(config.databases[0]?.states, { succeeded: ["complete"], failed: ["failed"] });
    assert.deepEqual(Object.keys(config.databases[0]?.references ?? {}), ["audio", "segments", "provider"]);
    const clips = config.stores.find((store) => store.name === "clips");
    assert.deepEqual(
      [clips?.maxAgeMs, clips?.maxBytes, clips?.targetBytes, clips?.everyMs, clips?.graceMs, clips?.undoMs],
      [3_600_000, 1024 ** 3, 900 * 1024 ** 2, 900_000, 0, 0],
    );
    assert.deepEqual(config.problems, []);
  });

  it("S0.1: the preset alone is enough, and every default is the one that is documented", () => {
    const config = parseConfig(ROOT, `{ "preset": "video-generator" }`);
    assert.equal(config.databases[0]?.path, "/ws/data/app.db");
    assert.deepEqual(config.policy, parseConfig(ROOT, "{}").policy);
    assert.deepEqual(config.problems, []);
  });

  describe("every mistake names file, line and mend", () => {
    const mistakes: readonly (readonly [name: string, text: string, line: number, RegExp])[] = [
      [
        "a comma that is missing",
        `{\n  "preset": "video-generator"\n  "stores": {}\n}`,
        3,
        /is not valid JSON with comments: comma expected/,
      ],
      ["a brace that is missing", `{\n"stores": {\n`, 3, /close brace expected/],
      ["text behind the end", `{}\n{}`, 2, /end of file expected/],
      ["nothing at all", "", 1, /is empty; write \{ "preset": "video-generator" \}, or name the layout upload-outputs, job-manifests/],
      ["only a comment", "// nothing\n", 1, /is empty; write/],
      ["a list", "[]", 1, /must be an object/],
      ["null", "null", 1, /must be an object/],
      ["an unknown setting", `{\n  "polcy": {}\n}`, 2, /polcy: is not a setting; did you mean "policy"\?/],
      ["an unknown setting that is like none", `{\n  "xyzzy": 1\n}`, 2, /the settings here are preset, database, stores, jobs, policy/],
      [
        "an unknown setting of a store",
        `{ "stores": {\n "audio": {\n "path": "a/{project}/x",\n "role": "temp",\n "maxage": "1h" } } }`,
        5,
        /stores\.audio\.maxage: is not a setting; did you mean "maxAge"\?/,
      ],
      [
        "an unknown setting of the database",
        `{ "database": {\n "path": "x.db",\n "owner": "SELECT 1" } }`,
        3,
        /database\.owner: is not a setting; did you mean "owners"\?/,
      ],
      ["an unknown setting of the policy", `{ "policy": {\n "undoo": "1h" } }`, 2, /did you mean "undo"\?/],
      ["an unknown preset", `{\n "preset": "video-generater" }`, 2, /preset: must be one of "video-generator"/],
      ["a preset that is no word", `{\n "preset": 5 }`, 2, /preset: must be one of "video-generator"/],
      [
        "an unknown role",
        `{ "stores": {\n "a": { "path": "a/{project}/x",\n "role": "tmp" } } }`,
        3,
        /stores\.a\.role: must be one of "intermediate", "temp", "shared", "upload", "clip", "final"/,
      ],
      ["no role", `{ "stores": {\n "a": { "path": "a/{project}/x" } } }`, 2, /stores\.a\.role: (is missing|must be one of)/],
      ["no path", `{ "stores": {\n "a": { "role": "temp" } } }`, 2, /stores\.a\.path: is missing; it is a string/],
      ["a store that is no object", `{ "stores": {\n "a": true } }`, 2, /stores\.a: must be an object/],
      ["a store that is null", `{ "stores": {\n "a": null } }`, 2, /stores\.a: must be an object/],
      ["stores as a list", `{\n "stores": [] }`, 2, /stores: must be an object/],
      ["a number for a path", `{ "stores": { "a": {\n "path": 5, "role": "temp" } } }`, 2, /stores\.a\.path: must be a string/],
      ["a word for a switch", `{ "policy": {\n "preserveOnFailure": "yes" } }`, 2, /policy\.preserveOnFailure: must be true or false/],
      ["a duration without unit", `{ "policy": {\n\n "grace": "60" } }`, 3, /policy\.grace: is not a duration; write "90s"/],
      ["a number for a duration", `{ "policy": {\n "grace": 3600 } }`, 2, /policy\.grace: must be a string with a unit; write "24h"/],
      ["nothing for a duration", `{ "policy": {\n "grace": null } }`, 2, /policy\.grace: .*write "24h" .*, or leave it out/],
      [
        "a number for a size",
        `{ "policy": { "brake": {\n "bytes": 5 } } }`,
        2,
        /policy\.brake\.bytes: must be a string with a unit; write "900MB"/,
      ],
      ["a size without unit", `{ "policy": { "brake": {\n "bytes": "5" } } }`, 2, /policy\.brake\.bytes: is not a size; write "900MB"/],
      [
        "SQL that writes",
        `{ "database": { "path": "x.db",\n "owners": "DELETE FROM projects" } }`,
        2,
        /database\.owners: is not a SELECT; Offcut only reads your database/,
      ],
      [
        "SQL of references that writes",
        `{ "stores": { ${AUDIO} }, "database": { "path": "x.db", "references": {\n "audio": "UPDATE x" } } }`,
        2,
        /database\.references\.audio: is not a SELECT/,
      ],
      [
        "a switch of the database without :value",
        `{ "database": { "path": "x.db",\n "setAutoCleanup": "UPDATE x SET y = 1" } }`,
        2,
        /lacks ":value"/,
      ],
      ["a database without path", `{\n "database": {} }`, 2, /database\.path: is missing/],
      [
        "a database on a server",
        `{ "database": {\n "path": "postgres://app@db/videos" } }`,
        2,
        /database\.path: is an address; Offcut reads SQLite only/,
      ],
      ["an empty path of a database", `{ "database": {\n "path": "" } }`, 2, /database\.path: is empty/],
      [
        "one wrong database of several",
        `{ "database": [ { "path": "a.db" },\n { "path": "b.db",\n "outputs": 7 } ] }`,
        3,
        /database\.1\.outputs: must be a string/,
      ],
      [
        "references to no store",
        `{ "stores": { ${AUDIO} }, "database": { "path": "x.db", "references": {\n "adio": "SELECT 1" } } }`,
        2,
        /database\.references\.adio: there is no store "adio"; the stores are audio/,
      ],
      [
        "references to no store in the second database",
        `{ "stores": { ${AUDIO} }, "database": [ { "path": "x.db" }, { "path": "y.db", "references": {\n "adio": "SELECT 1" } } ] }`,
        2,
        /there is no store "adio"/,
      ],
      [
        "an owner that is no placeholder",
        `{ "stores": { "a": { "path": "a/{p}/x", "role": "temp",\n "owner": "project" } } }`,
        2,
        /stores\.a\.owner: the path has no \{project\}; name one of its placeholders/,
      ],
      [
        "trackStatus of another form",
        `{ "database": { "path": "x.db",\n "trackStatus": "yes" } }`,
        2,
        /must be true, false or \{ "table": …, "id": … \}/,
      ],
      ["a share above one", `{ "policy": { "brake": {\n "share": 50 } } }`, 2, /policy\.brake\.share: is above 1; write 0\.5 for 50 %/],
      ["half a file", `{ "policy": { "brake": {\n "files": 1.5 } } }`, 2, /policy\.brake\.files: must be a whole number/],
    ];
    for (const [name, text, line, message] of mistakes) {
      it(name, () => assertProblem(text, line, message));
    }

    for (const [path, message] of [
      ["/abs/{project}", /absolute/],
      ["../{project}/x", /"\.\."/],
      ["~/{project}/x", /R8/],
      ["a/${X}/b", /R8|variable|placeholder/],
      ["%TEMP%/{project}", /variable/],
      ["{project}/x", /starts with a placeholder/],
      ["a\\\\{project}", /backslash/],
      ["a/{p q}/x", /placeholder/],
      ["", /is empty/],
    ] as const) {
      it(`R6, R7, R8: the template "${path}"`, () =>
        assertProblem(`{ "stores": {\n "a": {\n "path": "${path}", "role": "temp" } } }`, 3, message));
    }

    it("all of them at once, in the order of the file", () => {
      const problems = problemsOf(`{\n "policy": {\n "grace": "?" },\n "x": 1,\n "y": 2 }`);
      assert.deepEqual(
        problems.map((problem) => problem.line),
        [3, 4, 5],
      );
    });

    it("a mistake in what the preset brought is shown where the preset is completed", () => {
      assertProblem(
        `{ "preset": "video-generator",\n "stores": {\n "audio": { "owner": "scene" } } }`,
        3,
        /stores\.audio\.owner: the path has no \{scene\}/,
      );
    });
  });

  describe("presets and stores", () => {
    it("what is written completes the preset: objects merge, lists and values replace", () => {
      const config = parseConfig(
        ROOT,
        `{ "preset": "video-generator", "database": { "path": "x.db", "states": { "succeeded": ["ok"] } }, "stores": { "audio": { "automatic": false }, "extra": { "path": "e/{job}/", "role": "temp" } } }`,
      );
      const [database] = config.databases;
      assert.equal(database?.path, "/ws/x.db");
      assert.deepEqual(database.states, { succeeded: ["ok"], failed: ["failed", "error"] });
      assert.equal(database.owners, "SELECT id, status FROM projects");
      const audio = config.stores.find((store) => store.name === "audio");
      assert.deepEqual([audio?.automatic, audio?.path], [false, ".cache/audio/{project}/scene-{n}.mp3"]);
      assert.equal(config.stores.find((store) => store.name === "extra")?.ownerCapture, "job");
    });

    it(`"provider": false leaves a store of the preset out, and its references are no mistake`, () => {
      const config = parseConfig(ROOT, `{ "preset": "video-generator", "stores": { "provider": false } }`);
      assert.equal(
        config.stores.some((store) => store.name === "provider"),
        false,
      );
      assert.deepEqual(config.problems, []);
    });

    it("no database, and several of them", () => {
      assert.deepEqual(parseConfig(ROOT, `{ "stores": { ${AUDIO} } }`).databases, []);
      assert.deepEqual(parseConfig(ROOT, `{ "database": [] }`).databases, []);
      const several = parseConfig(
        ROOT,
        `{ "preset": "video-generator", "database": [ { "path": "a.db" }, { "path": "/abs/b.db", "base": "media", "trackStatus": true } ] }`,
      ).databases;
      assert.deepEqual(
        several.map(({ path, base, label, owners, trackStatus }) => ({ path, base, label, owners, trackStatus })),
        [
          { path: "/ws/a.db", base: "/ws", label: "a.db", owners: "SELECT id, status FROM projects", trackStatus: undefined },
          {
            path: "/abs/b.db",
            base: "/ws/media",
            label: "/abs/b.db",
            owners: "SELECT id, status FROM projects",
            trackStatus: { table: "projects", id: "id" },
          },
        ],
      );
    });

    it("several roots, each once", () => {
      const config = parseConfig(
        ROOT,
        `{ "stores": { ${AUDIO}, "b": { "path": "b/{p}/", "role": "temp", "root": "../other", "owner": "p" }, "c": { "path": "c/{job}/", "role": "temp", "root": "/other/" }, "d": { "path": "d/{owner}/", "role": "temp", "root": "." } } }`,
      );
      assert.deepEqual(rootsOf(config), ["/ws", "/other"]);
      assert.deepEqual(
        config.stores.map((store) => store.ownerCapture),
        ["project", "p", "job", "owner"],
      );
    });

    it("R33: automatic by default, but not what was downloaded", () => {
      const roles = ["intermediate", "temp", "shared", "upload", "clip", "final"];
      const config = parseConfig(
        ROOT,
        JSON.stringify({ stores: Object.fromEntries(roles.map((role) => [role, { path: `${role}/{project}/`, role }])) }),
      );
      assert.deepEqual(
        config.stores.filter((store) => !store.automatic).map((store) => store.role),
        ["shared"],
      );
    });

    it("R35: an age says nothing of an upload, which goes by its proof, and whoever writes one is told", () => {
      const { problems, stores } = parseConfig(
        ROOT,
        `{ "stores": {\n "a": { "path": "a/{job}/x.mp4", "role": "upload",\n "maxAge": "1d" } } }`,
      );
      assert.deepEqual(
        problems.map(({ severity, line, message }) => [severity, line, message]),
        [
          [
            "warning",
            3,
            'stores.a.maxAge: has no effect: only a verified remote copy lets an upload go; how long it stays after that is "retention"',
          ],
        ],
      );
      assert.equal(stores.length, 1);
    });

    it("R16: the hash changes with what is meant, not with how it is written", () => {
      const hash = (text: string): string => parseConfig(ROOT, text).hash;
      const plain = hash(`{ "preset": "video-generator" }`);
      assert.equal(hash(`// x\n{ "preset": /* y */ "video-generator", "policy": { "grace": "60m" }, }`), plain);
      const changed = [
        `"policy": { "grace": "61m" }`,
        `"stores": { "provider": false }`,
        `"stores": { "provider": { "automatic": true } }`,
        `"database": { "path": "b.db" }`,
        `"database": { "states": { "failed": [] } }`,
        `"policy": { "brake": { "floor": 1 } }`,
      ].map((more) => hash(`{ "preset": "video-generator", ${more} }`));
      assert.equal(new Set([plain, ...changed]).size, 7);
    });
  });

  describe("the file", () => {
    let workspace: Workspace;
    beforeEach(() => {
      workspace = makeWorkspace({ schema: false });
    });
    afterEach(() => workspace.dispose());
    const load = (bytes: string | Uint8Array): Config => {
      workspace.write("offcut.json", Buffer.from(bytes));
      return loadConfig(workspace.root);
    };

    it("byte order mark, CRLF, comments and trailing commas are fine, and lines are counted right", () => {
      const config = load(
        `\uFEFF{\r\n  // a comment\r\n  "preset": "video-generator", /* and\r\n another */\r\n  "policy": { "grace": "2h", },\r\n}\r\n`,
      );
      assert.equal(config.policy.graceMs, 7_200_000);
      assert.equal(config.file, workspace.path("offcut.json"));
      assert.throws(
        () => load(`\uFEFF{\r\n  // a comment\r\n\r\n  "x": 1\r\n}`),
        (error) => error instanceof ConfigError && error.problems[0]?.line === 4,
      );
      assert.throws(
        () => load(`{\r\r"x": 1}`),
        (error) => error instanceof ConfigError && error.problems[0]?.line === 3,
      );
    });

    it("without a file there are no stores, and the problem says what to write", () => {
      rmSync(workspace.path("offcut.json"));
      const config = loadConfig(workspace.root);
      assert.deepEqual([config.stores, config.databases, config.file], [[], [], undefined]);
      assert.match(
        config.problems[0]?.message ?? "",
        /is not there \(.*offcut\.json\), so Offcut knows no stores and keeps everything\. Write \{ "preset": "video-generator" \}/,
      );
    });

    it("a file that cannot be read is an error, not an empty configuration", () => {
      rmSync(workspace.path("offcut.json"));
      mkdirSync(workspace.path("offcut.json"));
      assert.throws(() => loadConfig(workspace.root), /offcut\.json: cannot be read: EISDIR/);
    });

    it("R6: warns where one file could belong to two projects, not where a directory names the project", () => {
      const warned = (path: string): number =>
        parseConfig(ROOT, `{ "stores": { "s": { "path": "${path}", "role": "temp" } } }`).problems.filter((problem) =>
          /could belong to two projects/.test(problem.message),
        ).length;
      assert.equal(warned("cache/{project}-{n}.mp3"), 1);
      assert.equal(warned("cache/{project}-*.mp3"), 1);
      assert.equal(warned("cache/{project}/{project}-{n}.mp3"), 0);
      assert.equal(warned("cache/{project}.mp3"), 0);
    });

    it("what is loaded leaves the file alone", () => {
      const text = `{ "preset": "video-generator" } // as it was`;
      load(text);
      assert.equal(readFileSync(workspace.path("offcut.json"), "utf8"), text);
    });
  });
});
