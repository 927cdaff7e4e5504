/**
 * What may stand in `offcut.json`: the one source of the validation here and of the published JSON schema
 * (`schema/offcut.schema.json`, made by `npm run schema`).
 */
import { t } from "@vscode/l10n";
import * as z from "zod/mini";
import { type RuleId, RULES } from "../analysis/finding.ts";
import { PRESETS } from "./config.ts";
import { parseDuration, parseSize } from "./units.ts";

const describe = <T extends z.core.$ZodType>(schema: T, description: string): T => {
  z.globalRegistry.add(schema, { description });
  return schema;
};

/** Patterns reach the published schema, so that an editor marks the mistake too. They have no flags there, so none here. */
const DURATION = /^\s*\d+(\.\d+)?\s*([mM]?[sS]|[mMhHdDwW])\s*$/;
const SIZE = /^\s*\d+(\.\d+)?\s*[kKmMgGtT]?[bB]\s*$/;

/** Worded when it is needed: the editor's language is not known yet when this file is loaded. */
const saying = (word: () => string) => ({ error: word });
const notADuration = saying(() => t('is not a duration; write "90s", "30m", "1h", "7d" (0 or more)'));
const notASize = saying(() => t('is not a size; write "900MB" or "1.5GB" (0 or more)'));
const withoutDurationUnit = saying(() => t('must be a string with a unit; write "24h" (or "90s", "30m", "7d"), or leave it out'));
const withoutSizeUnit = saying(() => t('must be a string with a unit; write "900MB" (or "1.5GB"), or leave it out'));
const negative = saying(() => t("is negative"));

const duration = (description: string) =>
  describe(
    z.string(withoutDurationUnit).check(
      z.regex(DURATION, notADuration),
      z.refine((text) => parseDuration(text) !== undefined, notADuration),
    ),
    description,
  );

const size = (description: string) =>
  describe(
    z.string(withoutSizeUnit).check(
      z.regex(SIZE, notASize),
      z.refine((text) => parseSize(text) !== undefined, notASize),
    ),
    description,
  );

const sql = (description: string) =>
  describe(
    z.string().check(
      z.refine(
        (text) => /^\s*(select|with)\b/i.test(text),
        saying(() => t("is not a SELECT; Offcut only reads your database")),
      ),
    ),
    description,
  );

const filled = (empty: () => string) => z.string().check(z.minLength(1, saying(empty)));

const strings = (description: string) => describe(z.array(z.string()), description);

/** Such as `postgres://name:password@host/base`; one letter is a drive of Windows. */
const ADDRESS = /^[A-Za-z][A-Za-z0-9+.-]+:\/\//;

const database = describe(
  z.strictObject({
    path: describe(
      z.string().check(
        z.minLength(
          1,
          saying(() => t("is empty; write the path of the SQLite file")),
        ),
        z.refine(
          (text) => !ADDRESS.test(text),
          saying(() => t("is an address; Offcut reads SQLite only, so write the path of its file, and no password")),
        ),
      ),
      "Path of the SQLite database, relative to this file. Opened read-only.",
    ),
    base: z.optional(
      describe(z.string(), "Directory that relative paths in the database start from; by default the one that holds this file."),
    ),
    owners: z.optional(sql('Every project or job: columns "id" and "status", and "ended" (a date) if there is one.')),
    states: z.optional(
      describe(
        z.strictObject({
          succeeded: z.optional(strings("Status values of finished projects.")),
          failed: z.optional(strings("Status values of failed projects.")),
          running: z.optional(strings("Status values of unfinished projects. Every value that is not listed counts as unfinished.")),
        }),
        "What the status values mean.",
      ),
    ),
    references: z.optional(
      describe(
        z.record(
          z.string(),
          sql(
            'Rows that use files of this store: "owner" and "path", or "owner" and one column for each placeholder of the store\'s path; "at" (a date) if there is one.',
          ),
        ),
        "Which project uses which file, by the store's name.",
      ),
    ),
    outputs: z.optional(sql('Finished works: columns "owner" and "path". Never deleted, and checked before anything of that project is.')),
    uploads: z.optional(
      describe(
        z.record(z.string(), sql('Uploads that are recorded: columns "path" and "url" (s3://…, gs://…, azure://… or https://…).')),
        "Which file of a store was uploaded to which address, by the store's name. A file without a row is kept.",
      ),
    ),
    autoCleanup: z.optional(sql("One value that overrides AUTO_CLEANUP_ENABLED.")),
    setAutoCleanup: z.optional(
      describe(
        z.string().check(
          z.refine(
            (text) => /:value\b/.test(text),
            saying(() => t('lacks ":value"; write e.g. UPDATE user_preferences SET auto_cleanup_enabled = :value')),
          ),
        ),
        'Statement by which "offcut auto on|off" changes that override, with :value for 1 or 0. Runs only after asking.',
      ),
    ),
    trackStatus: z.optional(
      describe(
        z.union([z.boolean(), z.strictObject({ table: z.string(), id: z.string() })]),
        'Write cleanup_status and cleanup_completed_at of each project ("offcut migrate" adds the columns). Off by default: the database is not written.',
      ),
    ),
  }),
  "A project database.",
);

const uploadTarget = z.strictObject({
  to: describe(z.string(), "Address with the placeholders of the store's path."),
  endpoint: z.optional(describe(z.string(), "Of a store that speaks the protocol of S3; default: AWS_ENDPOINT_URL_S3, or Amazon.")),
  region: z.optional(describe(z.string(), "Default: AWS_REGION.")),
});

const store = describe(
  z.strictObject({
    path: describe(
      z.string(),
      "Path template relative to this file: {name} stands for one id, * for anything in a segment, a trailing / for everything below.",
    ),
    role: describe(
      z.enum(["intermediate", "temp", "shared", "upload", "clip", "final"]),
      "intermediate and temp go when their project or job succeeded; shared (a download cache) when no unfinished project uses it; upload (a local copy) when the remote object is verified; clip when it is too old or the store too full; final never goes.",
    ),
    root: z.optional(describe(z.string(), "Directory that the template starts from, when it is not the one that holds this file.")),
    owner: z.optional(describe(z.string(), "The placeholder that names the project, when it is not {project}, {job} or {owner}.")),
    automatic: z.optional(
      describe(
        z.boolean(),
        "Whether automatic cleaning may take files of this store. By default yes, but no for shared (a download costs time and money).",
      ),
    ),
    retention: z.optional(duration("How long a file stays at least, instead of policy.retention.")),
    grace: z.optional(duration("How long a file must have been idle, instead of policy.grace. Default for clip: 0s.")),
    undo: z.optional(
      duration('How long automatic cleaning holds files of this store for undo, instead of policy.undo. Default for clip: "0s".'),
    ),
    maxAge: z.optional(
      duration("Files older than this go, although no project says that they may. What an unfinished project uses stays."),
    ),
    maxBytes: z.optional(size("When the store is larger than this, the oldest files go.")),
    targetBytes: z.optional(size("Where that stops: at most so much is left. Default: 90 % of maxBytes.")),
    every: z.optional(duration("How often the automatic loop looks at this store, instead of policy.every.")),
    upload: z.optional(
      describe(
        z.union([z.string(), uploadTarget]),
        "Where the remote copy of a file is: s3://bucket/jobs/{id}/video.mp4, gs://…, azure://account/container/… with the placeholders of the path. Needs the role upload.",
      ),
    ),
  }),
  "One kind of file that the pipeline writes.",
);

const policy = describe(
  z.strictObject({
    enabled: z.optional(
      describe(z.boolean(), "Automatic cleaning, where neither AUTO_CLEANUP_ENABLED nor a database says it. Default true."),
    ),
    fileTypes: z.optional(strings("The stores that automatic cleaning may take. Default: all. An empty list is none.")),
    every: z.optional(duration('How often the automatic loop looks. Default "15m".')),
    retention: z.optional(duration('How long files of a finished project stay. Default "0h".')),
    preserveOnFailure: z.optional(describe(z.boolean(), "Keep everything of failed projects. Default true.")),
    grace: z.optional(duration('How long a shared or ownerless file must have been idle. Default "1h".')),
    undo: z.optional(duration('How long a cleanup can be undone; "0h" deletes at once. Default "24h".')),
    debugModeDisables: z.optional(
      describe(z.boolean(), "No automatic cleaning while DEBUG or OFFCUT_DEBUG is set to a true value. Default true."),
    ),
    brake: z.optional(
      describe(
        z.strictObject({
          share: z.optional(
            describe(
              z.number().check(
                z.minimum(
                  0,
                  saying(() => t("is negative; write 0 to 1")),
                ),
                z.maximum(
                  1,
                  saying(() => t("is above 1; write 0.5 for 50 %")),
                ),
              ),
              "Part of a store. Default 0.5.",
            ),
          ),
          floor: z.optional(
            describe(z.int().check(z.minimum(0, negative)), "Stores with fewer files are not measured by their share. Default 50."),
          ),
          files: z.optional(describe(z.int().check(z.minimum(0, negative)), "Number of files. Default 10000.")),
          bytes: z.optional(size('Amount. Default "100GB".')),
        }),
        "When a cleanup takes more than this, it stops and asks once more, naming the count.",
      ),
    ),
  }),
  "When files may go.",
);

const namedCall = z.strictObject({
  module: z.optional(
    describe(
      filled(() => t("is empty; leave it out for any module")),
      'Module as it is imported ("my-storage"), or a path from this file ("src/lib/storage"). Left out: any module.',
    ),
  ),
  name: describe(
    z.string().check(
      z.regex(
        /^[\w$]+(\.[\w$]+)*$/,
        saying(() => t('is not the name of a function; write "upload" or "Client.put"')),
      ),
    ),
    'Function or method: "upload", "Client.put".',
  ),
  argument: z.optional(
    describe(
      z.union([
        z.int().check(z.minimum(0, negative)),
        z.string().check(
          z.regex(
            /^(\d+|[A-Za-z_$])[\w$]*(\.[\w$]+)*$/,
            saying(() => t('is neither a position (0, 1, …) nor a field of the options ("file", "1.path")')),
          ),
        ),
      ]),
      'Where the path is: position among the arguments from 0, or a field of the options, "file" or "1.path". Default 0.',
    ),
  ),
});

const calls = (description: string) => describe(z.array(namedCall), description);

const severity = z.enum(["off", "error", "warning", "information", "hint"]);

const analysis = describe(
  z.strictObject({
    uploads: z.optional(calls("Functions of yours that upload a file. Wrappers of known libraries are found without this.")),
    assemblies: z.optional(calls("Functions that make one file out of others.")),
    cleanups: z.optional(calls("Functions that delete a file.")),
    rules: z.optional(
      describe(
        z.strictObject(
          Object.fromEntries(RULES.map((rule) => [rule, z.optional(severity)])) as Record<RuleId, z.ZodMiniOptional<typeof severity>>,
        ),
        "How a rule reports, where it is not the default.",
      ),
    ),
    exclude: z.optional(strings("Globs of source files that are not looked at, beside tests, fixtures and what git ignores.")),
  }),
  'What "offcut check" looks for in the source code.',
);

const jobs = describe(
  z.strictObject({
    directory: z.optional(
      describe(
        filled(() => t("is empty; leave it out for .offcut/jobs")),
        'Directory of the job manifests, relative to this file, outside of every store. Default ".offcut/jobs".',
      ),
    ),
    lease: z.optional(duration('How long a job counts as alive after its last sign of life. Default "2m".')),
  }),
  "Job manifests, as the runtime library writes them.",
);

export const configSchema = z.strictObject({
  $schema: z.optional(z.string()),
  preset: z.optional(describe(z.enum(PRESETS), "A built-in layout that the rest of this file completes and overrides.")),
  database: z.optional(z.union([database, z.array(database)])),
  stores: z.optional(z.record(z.string(), z.union([store, describe(z.literal(false), "Leaves out a store of the preset.")]))),
  jobs: z.optional(jobs),
  policy: z.optional(policy),
  analysis: z.optional(analysis),
});

export type ConfigFile = z.infer<typeof configSchema>;
export type DatabaseFile = z.infer<typeof database>;
export type StoreFile = z.infer<typeof store>;

/** Checks one part, so that a message names the field that is wrong and not "invalid union". */
export const parts = { database, store, uploadTarget, jobs, policy, analysis, namedCall };
