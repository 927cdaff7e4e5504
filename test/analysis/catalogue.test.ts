import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import * as z from "zod/mini";
import {
  canonical,
  extendCatalogue,
  loadCatalogue,
  matchesReceiver,
  returnedBy,
  TOOLS,
  verbOf,
} from "../../core/analysis/catalogue/catalogue.ts";
import { type Entry, ROLES, type Role, type WrittenEntry } from "../../core/analysis/catalogue/entry.ts";
import { placesOf } from "../../core/analysis/catalogue/place.ts";

const DIRECTORY = new URL("../../core/analysis/catalogue/", import.meta.url);
const OTHER = new Set(["modules.json", "tools.json", "verbs.json"]);

const files = readdirSync(DIRECTORY).filter((name) => name.endsWith(".json") && !OTHER.has(name));
const written = files.map((name) => ({ name, entries: JSON.parse(readFileSync(new URL(name, DIRECTORY), "utf8")) as WrittenEntry[] }));
const catalogue = loadCatalogue();

const texts = z.array(z.string().check(z.minLength(1))).check(z.minLength(1));
const oneOrMore = z.union([z.string().check(z.minLength(1)), texts]);
const place = z.string().check(z.refine((text) => isPlace(text)));
const pattern = z.string().check(z.refine((text) => isPattern(text)));
const entry = z.strictObject({
  module: oneOrMore,
  symbol: oneOrMore,
  role: z.enum(ROLES),
  path: z.optional(place),
  from: z.optional(place),
  to: z.optional(place),
  holds: z.optional(z.enum(["path", "body", "either", "filters"])),
  when: z.optional(
    z.strictObject({ at: place, matches: z.optional(pattern), truthy: z.optional(z.literal(true)), absent: z.optional(z.literal(true)) }),
  ),
  settles: z.optional(z.enum(["now", "later", "event", "never"])),
  events: z.optional(texts),
  done: z.optional(place),
  failed: z.optional(place),
  fails: z.optional(z.enum(["throws", "value", "event", "never"])),
  failure: z.optional(place),
  success: z.optional(place),
  as: z.optional(z.enum(["bytes", "stream", "path"])),
  into: z.optional(z.literal("receiver")),
  op: z.optional(z.enum(["join", "resolve", "dirname", "basename", "extname", "tmpdir", "cwd", "home", "unique", "opaque"])),
  gives: z.optional(place),
  directory: z.optional(z.literal(true)),
  removal: z.optional(z.enum(["automatic", "disposal"])),
  cleanup: z.optional(place),
  recursive: z.optional(z.union([z.literal(true), place])),
  contents: z.optional(z.literal(true)),
  once: z.optional(z.literal(true)),
  some: z.optional(z.literal(true)),
  argv: z.optional(z.array(place)),
  shell: z.optional(place),
  program: z.optional(z.string()),
  returns: z.optional(z.string()),
  calls: z.optional(
    z.array(
      z.strictObject({
        function: place,
        when: z.enum(["now", "later", "onSuccess", "onError", "always"]),
        with: z.optional(z.array(place)),
        events: z.optional(texts),
      }),
    ),
  ),
  results: z.optional(z.enum(["one", "list"])),
  weak: z.optional(z.array(pattern)),
  sends: z.optional(z.literal(true)),
  types: z.optional(texts),
  token: z.optional(oneOrMore),
  note: z.optional(z.string()),
});

/** What an entry of a role must say to be of use. */
const REQUIRED: Readonly<Partial<Record<Role, readonly (keyof Entry)[]>>> = {
  upload: ["path"],
  assembly: ["path"],
  write: ["path"],
  temp: ["gives"],
  delete: ["path"],
  consume: ["path", "to"],
  carrier: ["path", "as"],
  read: ["path"],
  check: ["path"],
  pipe: ["path", "to"],
  path: ["op"],
  pass: ["path"],
  gather: ["path"],
  type: ["returns"],
  invoke: ["calls"],
  callable: ["path"],
  serve: ["path"],
};

function isPlace(text: string): boolean {
  return placesOf(text).length > 0;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text).source.length > 0;
  } catch {
    return false;
  }
}

function keyOf(entry: Entry): string {
  return JSON.stringify([entry.module, entry.symbol, entry.role, entry.path, entry.when, entry.types, entry.shell]);
}

describe("the catalogue's data", () => {
  for (const { name, entries } of written) {
    it(`${name}: every entry has the form that the types say`, () => {
      assert.ok(entries.length > 0);
      for (const one of entries) {
        const result = entry.safeParse(one);
        assert.ok(result.success, `${JSON.stringify(one)}: ${result.error?.message}`);
      }
    });
  }

  it("is loaded from every file", () => {
    const count = written
      .flatMap(({ entries }) => entries)
      .reduce((sum, one) => sum + [one.module].flat().length * [one.symbol].flat().length, 0);
    assert.equal(catalogue.entries.length, count);
    assert.ok(count > 1000);
  });

  it("has no entry twice", () => {
    const keys = catalogue.entries.map(keyOf);
    assert.deepEqual(
      keys.filter((key, i) => keys.indexOf(key) !== i),
      [],
    );
  });

  it("says for each role what the solver needs", () => {
    for (const one of catalogue.entries) {
      for (const field of REQUIRED[one.role] ?? []) assert.ok(one[field] !== undefined, `${one.module} ${one.symbol}: ${field}`);
      if (one.role === "command") assert.ok(one.argv ?? one.shell, `${one.module} ${one.symbol}`);
      if (one.settles === "event" && one.role === "sink") assert.ok(one.events, `${one.module} ${one.symbol}`);
      if (one.failure ?? one.success) assert.equal(one.fails, "value", `${one.module} ${one.symbol}`);
      if (one.role === "field") assert.ok(one.weak ?? one.types, `${one.module} ${one.symbol}`);
    }
  });

  it("names modules and symbols in their canonical spelling, and reaches each by module and name", () => {
    for (const one of catalogue.entries) {
      const symbol = one.symbol === "default" ? "" : one.symbol;
      if (one.role === "field") assert.ok(catalogue.byField(one.symbol.slice(one.symbol.lastIndexOf(".") + 1)).includes(one));
      else {
        assert.ok(catalogue.byImport(one.module, symbol).includes(one), `${one.module} ${one.symbol}`);
        assert.deepEqual(canonical(one.module, symbol), { module: one.module, path: symbol });
      }
    }
  });

  it("reaches each entry with weak evidence by the method's name", () => {
    for (const one of catalogue.entries.filter(({ weak, sends, role }) => (weak ?? sends) && role !== "field"))
      assert.ok(catalogue.byMethod(one.symbol.slice(one.symbol.lastIndexOf(".") + 1)).includes(one), `${one.module} ${one.symbol}`);
  });

  it("returns only library values of which something is known", () => {
    for (const one of catalogue.entries) {
      const value = returnedBy(one);
      if (!value) continue;
      const known = catalogue.entries.some((other) => {
        const { module, path } = canonical(other.module, other.symbol);
        return module === value.module && (path === value.path || path.startsWith(value.path === "" ? "" : `${value.path}.`));
      });
      assert.ok(known, `${one.module} ${one.symbol} returns ${one.returns}`);
    }
  });

  it("gives every upload and assembly a token that the search can find", () => {
    for (const token of catalogue.tokens) assert.ok(token.length >= 4, JSON.stringify(token));
    for (const common of [".save(", ".run(", ".put(", ".send(", ".create(", "exec(", "fetch(", ".from("])
      assert.ok(!catalogue.tokens.some((token) => common.includes(token)), common);
  });

  it("knows no tool twice under the same subcommand", () => {
    const names = TOOLS.flatMap((tool) => tool.names.map((name) => `${name} ${tool.subcommand ?? ""}`));
    assert.equal(new Set(names).size, names.length);
  });
});

describe("lookup", () => {
  const cases: readonly (readonly [module: string, name: string, role: Role | undefined])[] = [
    ["fs", "unlink", "delete"],
    ["node:fs", "unlinkSync", "delete"],
    ["fs/promises", "unlink", "delete"],
    ["node:fs/promises", "default.rm", "delete"],
    ["fs", "promises.unlink", "delete"],
    ["fs", "*.promises.rm", "delete"],
    ["fs", "default.default.rmSync", "delete"],
    ["fs-extra", "remove", "delete"],
    ["graceful-fs", "rename", "consume"],
    ["npm:rimraf@5.0.0", "rimraf", "delete"],
    ["rimraf", "default", "delete"],
    ["rimraf", "sync", "delete"],
    ["del", "deleteAsync", "delete"],
    ["offcut", "deleteLocalFileAfterUpload", "delete"],
    ["cloudinary", "v2.uploader.upload", "upload"],
    ["cloudinary", "uploader.upload", "upload"],
    ["cloudinary", "default.v2.uploader.upload_stream", "sink"],
    ["@google-cloud/storage", "Bucket.upload", "upload"],
    ["@aws-sdk/client-s3", "PutObjectCommand", "carrier"],
    ["aws-sdk", "S3.upload", "upload"],
    ["aws-sdk/clients/s3", "default.putObject", "upload"],
    ["openai", "OpenAI.audio.transcriptions.create", "upload"],
    ["openai", "audio.transcriptions.create", "upload"],
    ["groq-sdk", "Groq.audio.transcriptions.create", "upload"],
    ["fluent-ffmpeg", "default", "chain"],
    ["fluent-ffmpeg", "Chain.save", "assembly"],
    ["fluent-ffmpeg", "FfmpegCommand.save", "assembly"],
    ["fluent-ffmpeg", "Chain.videoCodec", "type"],
    ["../libs/fluentFfmpeg", "default", "chain"],
    ["./vendor/fs-extra/index.js", "remove", "delete"],
    ["./fs", "unlink", undefined],
    ["child_process", "spawn", "command"],
    ["@ffmpeg/ffmpeg", "FFmpeg.exec", "memory"],
    ["global", "fetch", "upload"],
    ["global", "globalThis.fetch", "upload"],
    ["global", "console.anything", "mention"],
    ["path", "posix.join", "path"],
    ["node:path/win32", "join", "path"],
    ["util", "promisify", "callable"],
    ["typeorm", "Repository.save", undefined],
    ["fs", "unknown", undefined],
  ];
  for (const [module, name, role] of cases)
    it(`${module} ${name} is ${role ?? "unknown"}`, () => assert.equal(catalogue.byImport(module, name)[0]?.role, role));

  /** Follows a chain of members and calls from an import, as the solver does. */
  function follow(module: string, ...chain: readonly string[]): Entry | undefined {
    let from = module;
    let path = "";
    let found: Entry | undefined;
    for (const step of chain) {
      path = [path, step.replace("()", "")].filter((name) => name !== "").join(".");
      if (!step.endsWith("()")) continue;
      found = catalogue.at({ module: from, path })[0];
      const returned = found && returnedBy(found);
      if (returned) [from, path] = [returned.module, returned.path];
    }
    return found;
  }

  const chains: readonly (readonly [chain: readonly [string, ...string[]], path: string])[] = [
    [["@google-cloud/storage", "Storage", "bucket()", "upload()"], "0"],
    [["@google-cloud/storage", "Storage", "bucket()", "file()", "save()"], "0"],
    [["firebase-admin", "storage()", "bucket()", "upload()"], "0"],
    [["firebase-admin/storage", "getStorage()", "bucket()", "upload()"], "0"],
    [
      [
        "@azure/storage-blob",
        "BlobServiceClient",
        "fromConnectionString()",
        "getContainerClient()",
        "getBlockBlobClient()",
        "uploadFile()",
      ],
      "0",
    ],
    [["@supabase/supabase-js", "createClient()", "storage", "from()", "upload()"], "1"],
    [["@supabase/ssr", "createServerClient()", "storage", "from()", "upload()"], "1"],
    [["googleapis", "google", "youtube()", "videos", "insert()"], "0.media.body"],
    [["googleapis", "google", "drive()", "files", "create()"], "0.media.body"],
    [["minio", "Client", "fPutObject()"], "2"],
    [["axios", "create()", "put()"], "1"],
    [["nodemailer", "createTransport()", "sendMail()"], "0.attachments[].path|0.attachments[].href"],
    [["fluent-ffmpeg", "default()", "input()", "outputOptions()", "save()"], "0"],
    [["sharp", "default()", "resize()", "jpeg()", "toFile()"], "0"],
    [["aws-sdk", "S3", "upload()", "promise()"], "receiver"],
    [["global", "Bun", "file()", "delete()"], "receiver"],
    [["superagent", "post()", "set()", "attach()"], "1"],
    [["webdav", "createClient()", "putFileContents()"], "1"],
  ];
  for (const [[module, ...chain], path] of chains)
    it(`${module}: ${chain.join(".")}`, () => assert.equal(follow(module, ...chain)?.path, path));

  it("takes a receiver of unknown origin only where it is written like one", () => {
    const upload = (written: string): string[] =>
      catalogue
        .byMethod("upload")
        .filter((entry) => matchesReceiver(entry, written))
        .map((entry) => entry.module);
    assert.deepEqual(upload("cloudinary.uploader"), ["cloudinary"]);
    assert.deepEqual(upload("this.bucket"), ["@google-cloud/storage"]);
    assert.deepEqual(upload("this.supabase.storage.from()"), ["@supabase/supabase-js"]);
    assert.deepEqual(upload("this.service"), []);
    const save = catalogue.byMethod("save").filter((entry) => matchesReceiver(entry, "this.userRepository"));
    assert.deepEqual(save, []);
  });

  it("knows modules, builtins and what it does not know", () => {
    assert.deepEqual(
      ["node:fs/promises", "cloudinary", "typeorm"].map((module) => catalogue.knows(module)),
      [true, true, false],
    );
  });
});

describe("verbOf", () => {
  const verbs: readonly (readonly [name: string, verb: "read" | "own" | undefined])[] = [
    ["getDuration", "read"],
    ["probeVideo", "read"],
    ["is_valid", "read"],
    ["saveToDatabase", "own"],
    ["createJob", "own"],
    ["push", "own"],
    ["_storePath", "own"],
    ["processVideo", undefined],
    ["issue", undefined],
    ["gettysburg", undefined],
    ["", undefined],
  ];
  for (const [name, verb] of verbs) it(`${name || "nothing"}: ${verb ?? "unknown"}`, () => assert.equal(verbOf(name), verb));
});

describe("placesOf", () => {
  it("reads roots, steps and alternatives", () => {
    assert.deepEqual(placesOf("0.media.body|@Body"), [
      {
        root: "argument",
        index: 0,
        steps: [
          { step: "field", name: "media" },
          { step: "field", name: "body" },
        ],
      },
      { root: "named", name: "Body", steps: [] },
    ]);
    assert.deepEqual(placesOf("last(1)[]"), [{ root: "last", steps: [{ step: "parameter", index: 1 }, { step: "each" }] }]);
    assert.deepEqual(placesOf("2+"), [{ root: "argument", index: 2, rest: true, steps: [] }]);
  });

  for (const text of ["", "x", "0.", "-1", "0 .a", "receiver|", "0(a)"])
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => placesOf(text), /is no place in a call/));
});

describe("extendCatalogue", () => {
  const settings = {
    uploads: [
      { name: "shipIt", argument: "file" },
      { module: "./src/lib/storage.ts", name: "Store.put", argument: 1 },
    ],
    assemblies: [{ module: "@acme/stitch", name: "stitch", argument: "0.parts" }],
    cleanups: [{ name: "scrap" }],
  };
  const extended = extendCatalogue(catalogue, settings);

  it("changes nothing when nothing is named", () => {
    assert.equal(extendCatalogue(catalogue, { uploads: [], assemblies: [], cleanups: [] }), catalogue);
  });

  it("finds a call without a module by its name, whatever the receiver", () => {
    const [entry] = extended.byMethod("shipIt");
    assert.deepEqual([entry?.role, entry?.path], ["upload", "0.file|0.file[]|@file"]);
    assert.ok(matchesReceiver(entry!, "anything().at.all"));
    assert.equal(extended.byDefinition("src/a.ts", "shipIt")[0], entry);
  });

  it("finds functions of the workspace by the file that defines them", () => {
    assert.equal(extended.byDefinition("src/lib/storage.ts", "Store.put")[0]?.path, "1");
    assert.equal(extended.byDefinition("src/lib/storage.js", "Store.put").length, 1);
    assert.equal(extended.byDefinition("src/lib/storage/index.ts", "Store.put").length, 1);
    assert.equal(extended.byDefinition("src/other.ts", "Store.put").length, 0);
  });

  it("finds those of a package by import, and deletes with all below", () => {
    assert.deepEqual([extended.byImport("@acme/stitch", "stitch")[0]?.from, extended.byMethod("scrap")[0]?.recursive], ["0.parts", true]);
    assert.ok(extended.knows("@acme/stitch"));
  });

  it("keeps what was there and searches for the new names", () => {
    assert.equal(extended.byImport("fs", "unlink")[0]?.role, "delete");
    assert.deepEqual(extended.tokens.slice(0, catalogue.tokens.length), catalogue.tokens);
    assert.ok(extended.tokens.includes("shipIt") && extended.tokens.includes("put") && extended.tokens.includes("stitch"));
  });
});
