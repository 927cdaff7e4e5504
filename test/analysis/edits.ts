/** Random changes of a small repository as data, and the repository that they are made in: on the disk, and in an editor. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import fc from "fast-check";
import { CASES, sources } from "./expectations.ts";
import { type Mutation, mutate, mutation } from "./mutations.ts";

/** Where the files of each case go. */
const PARTS: Readonly<Record<string, string>> = {
  "": "missing-cleanup-after-upload/tsconfig-paths",
  ".": "missing-cleanup-after-upload/workspace-packages",
  "parts/sticker/": "missing-cleanup-after-upload/barrel-reexport",
  "parts/survey/": "missing-cleanup-after-upload/interface-dispatch",
  "parts/plan/": "missing-cleanup-after-upload/one-caller-of-two",
  "parts/chain/": "missing-cleanup-after-upload/wrapper-across-three-files",
  "parts/herbarium/": "missing-cleanup-after-upload/declared-in-offcut-json",
  "parts/farm/": "missing-cleanup-after-assembly/custom-assembly-in-offcut-json",
  "parts/early/": "partial-cleanup/wrapper-early-return",
  "parts/sweep/": "ineffective-cleanup/sweep-in-menu-only",
  "parts/switch/": "ungated-cleanup/after-the-render",
};

/** Whether this is an upload depends on what the packages around it are said to depend on. */
const GAUGE = `import { writeFile } from "node:fs/promises";

export async function keepLevels(store: { fPutObject(...args: string[]): Promise<void> }, levels: string): Promise<void> {
  await writeFile("/tmp/levels.csv", levels);
  await store.fPutObject("gauges", "levels.csv", "/tmp/levels.csv");
}
`;

/** Functions that hang on names around them, on each other and on fields: what is edited in one place counts in another. */
const DESK = `import { unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { uploader } from "cloudinary";

const root = "/tmp/desk";
const folder = join(root, "drafts");
let latest = join(folder, "latest.txt");
const papers = { remove: async (file: string) => unlink(file) };

export const send = async (name: string, text: string) => {
  const path = join(folder, \`\${name}.txt\`);
  await writeFile(path, text);
  await uploader.upload(path);
  await papers.remove(path);
};

export async function repeat(text: string): Promise<void> {
  await writeFile(latest, text);
  await put(latest);
}

async function put(path: string): Promise<void> {
  const { url } = await uploader.upload(path);
  console.log(url);
}

export function rename(name: string): void {
  console.log(name);
}

export class Desk {
  file = join(folder, "desk.txt");
  async note(text: string): Promise<void> {
    await writeFile(this.file, text);
    await put(this.file);
  }
  move(name: string): void {
    console.log(name);
  }
}
`;

const CLERK = `import { Desk, send } from "./desk";

export async function work(names: readonly string[]): Promise<void> {
  for (const name of names) await send(name, "text");
  await new Desk().note("done");
}
`;

/** Lines that make a difference somewhere else. */
const LINES: readonly string[] = [
  ...DESK.split("\n"),
  ...CLERK.split("\n"),
  "  latest = join(root, name);",
  "    this.file = name;",
  'const folder = join(root, "other");',
  "const root = process.cwd();",
  "  await unlink(path);",
  "  await unlink(latest);",
  "    await unlink(this.file);",
  "  await Promise.all([path].map((one) => unlink(one)));",
  "  return;",
  "  if (text) return;",
  "  // offcut-ignore-next-line",
  "const papers = { remove: async (file: string) => console.log(file) };",
];

const BASE: ReadonlyMap<string, string> = new Map([
  ["parts/desk/desk.ts", DESK],
  ["parts/desk/clerk.ts", CLERK],
  ["parts/gauge/keep.ts", GAUGE],
  ...Object.entries(PARTS).flatMap(([prefix, id]) =>
    readdirSync(join(CASES, id), { recursive: true, encoding: "utf8" })
      .filter((file) => statSync(join(CASES, id, file)).isFile() && !file.endsWith("offcut.json"))
      .map((file) => [(prefix === "." ? "" : prefix) + file.replaceAll("\\", "/"), readFileSync(join(CASES, id, file), "utf8")] as const),
  ),
]);

/** Texts that files are made from and spliced with. */
const TEXTS: readonly string[] = [
  ...new Set(Object.values(PARTS).flatMap((id) => sources(join(CASES, id)).map((file) => readFileSync(join(CASES, id, file), "utf8")))),
];

const UPLOADS = '"uploads": [{ "module": "@acme/archive", "name": "deposit", "argument": "source" }]';
const ASSEMBLIES = '"assemblies": [{ "module": "@acme/render-farm", "name": "Farm.render", "argument": "scene" }]';

/** Files that configure, each with what it may say; `undefined`: it is not there. */
const CONFIGURATIONS: Readonly<Record<string, readonly (string | undefined)[]>> = {
  "tsconfig.json": [
    BASE.get("tsconfig.json"),
    undefined,
    '{ "compilerOptions": { "paths": { "@store/files": ["./parts/plan/src/put.ts"] } } }',
    '{ "compilerOptions": { "baseUrl": "./src", "paths": { "@store/*": ["./nowhere/*", "./store/*"] } } }',
    '{ "extends": "./tsconfig.base.json" }',
    "{ not JSON",
  ],
  "tsconfig.base.json": [undefined, '{ "compilerOptions": { "baseUrl": ".", "paths": { "@store/*": ["src/store/*"] } } }', "{}"],
  "package.json": [
    BASE.get("package.json"),
    undefined,
    '{ "name": "aquarium", "dependencies": { "@vercel/blob": "*", "minio": "*" } }',
    "[",
  ],
  "packages/storage/package.json": [
    BASE.get("packages/storage/package.json"),
    undefined,
    '{ "name": "@aquarium/other" }',
    '{ "name": "@aquarium/storage", "exports": { ".": "./src/missing.ts" } }',
  ],
  ".gitignore": [undefined, "parts/plan\n", "src/store/\n!put.ts\n", "*.ts\n!still.ts\n"],
  "parts/.gitignore": [undefined, "chain\n"],
  ".env": [undefined, "AUTO_CLEANUP_ENABLED=true\n"],
  "offcut.json": [
    undefined,
    `{ "analysis": { ${UPLOADS} } }`,
    `{ "analysis": { ${UPLOADS}, ${ASSEMBLIES} } }`,
    `{ "analysis": { ${ASSEMBLIES}, "rules": { "missing-cleanup-after-upload": "off" } } }`,
    '{ "analysis": { "exclude": ["parts/sticker", "*.tsx"], "rules": { "missing-cleanup-after-upload": "error" } } }',
    '{ "analysis": { "cleanups": [{ "name": "putFile", "argument": 0 }] } }',
  ],
};

const DIRECTORIES = [
  "",
  "src/",
  "src/store/",
  "src/jobs/",
  "parts/",
  "parts/plan/src/",
  "parts/new/",
  "packages/storage/src/",
  "tests/",
] as const;
const NAMES = ["put.ts", "files.ts", "index.ts", "main.ts", "send.tsx", "put.js", "a.mts"] as const;

/** Numbers are places, taken modulo what there is. */
export type Edit =
  | { readonly edit: "text"; readonly file: number; readonly change: Change; readonly editor: boolean }
  | { readonly edit: "close"; readonly file: number }
  | { readonly edit: "add"; readonly name: string; readonly text: number; readonly editor: boolean }
  | { readonly edit: "delete"; readonly file: number }
  | { readonly edit: "rename"; readonly file: number; readonly name: string }
  | { readonly edit: "moveDirectory"; readonly from: number; readonly to: string }
  | { readonly edit: "configure"; readonly file: string; readonly variant: number };

type Change =
  | { readonly change: "replace"; readonly text: number }
  | { readonly change: "mutate"; readonly mutations: readonly Mutation[]; readonly other: number }
  | { readonly change: "lines"; readonly lines: readonly LineChange[] }
  /** Has one of the imports lead to another file. */
  | { readonly change: "retarget"; readonly at: number; readonly to: number };

interface LineChange {
  readonly how: "insert" | "replace" | "remove";
  readonly at: number;
  readonly line: number;
}

const place = fc.nat();
const lineChange = fc.record({ how: fc.constantFrom("insert", "insert", "replace", "remove"), at: place, line: place });
const lineChanges = fc.record({ change: fc.constant("lines" as const), lines: fc.array(lineChange, { minLength: 1, maxLength: 2 }) });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ change: fc.constant("replace" as const), text: place }),
  fc.record({ change: fc.constant("mutate" as const), mutations: fc.array(mutation, { minLength: 1, maxLength: 2 }), other: place }),
  fc.record({ change: fc.constant("retarget" as const), at: place, to: place }),
  { weight: 2, arbitrary: lineChanges },
);
const name = fc.tuple(fc.constantFrom(...DIRECTORIES), fc.constantFrom(...NAMES)).map((parts) => parts.join(""));

export const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ edit: fc.constant("text" as const), file: place, change, editor: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant("close" as const), file: place }) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constant("add" as const), name, text: place, editor: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constant("delete" as const), file: place }) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constant("rename" as const), file: place, name }) },
  {
    weight: 1,
    arbitrary: fc.record({
      edit: fc.constant("moveDirectory" as const),
      from: place,
      to: fc.constantFrom("parts/moved", "lib", "src/store", "parts/plan/src", "parts/chain/src"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(...Object.keys(CONFIGURATIONS)).chain((file) =>
      fc.record({
        edit: fc.constant("configure" as const),
        file: fc.constant(file),
        variant: fc.nat((CONFIGURATIONS[file]?.length ?? 1) - 1),
      }),
    ),
  },
);

/** Changes of a line or two in one of the files. */
export const typing: fc.Arbitrary<Edit> = fc.record({
  edit: fc.constant("text" as const),
  file: place,
  change: lineChanges,
  editor: fc.constant(true),
});

export interface Repository {
  readonly root: string;
  /** What the editor shows. */
  readonly open: Map<string, string>;
  /** Seconds; every change of a file gets a new one, as the clock of a file system may be slower than this. */
  clock: number;
}

/** Whom a change is told to: files that the editor shows differently, and files that changed on the disk. */
export interface Listener {
  setText(file: string, text: string | undefined): void;
  changed(files: readonly string[]): void;
}

/** With the files below `prefix` only. */
export function makeRepository(root: string, prefix = ""): Repository {
  const repository: Repository = { root, open: new Map(), clock: 1_000_000_000 };
  for (const [file, text] of BASE) if (file.startsWith(prefix)) write(repository, file, text);
  return repository;
}

export function perform(repository: Repository, edit: Edit, listener: Listener): void {
  const { root, open } = repository;
  const files = [...new Set([...sources(root), ...open.keys()])].sort();
  const pick = (at: number): string => files[at % files.length] ?? "src/first.ts";
  const show = (file: string, text: string | undefined): void => {
    if (text === undefined) open.delete(file);
    else open.set(file, text);
    listener.setText(file, text);
  };
  const put = (file: string, text: string, editor: boolean): void => {
    if (editor) show(file, text);
    else {
      write(repository, file, text);
      listener.changed([file]);
    }
  };
  switch (edit.edit) {
    case "text": {
      const file = pick(edit.file);
      put(file, changeText(repository, file, edit.change, pick), edit.editor);
      break;
    }
    case "close":
      show([...open.keys()][edit.file % Math.max(open.size, 1)] ?? pick(edit.file), undefined);
      break;
    case "add":
      put(edit.name, TEXTS[edit.text % TEXTS.length] ?? "", edit.editor);
      break;
    case "delete": {
      const file = pick(edit.file);
      rmSync(join(root, file), { force: true });
      listener.changed([file]);
      break;
    }
    case "rename": {
      const file = pick(edit.file);
      if (!existsSync(join(root, file)) || existsSync(join(root, edit.name))) break;
      mkdirSync(dirname(join(root, edit.name)), { recursive: true });
      renameSync(join(root, file), join(root, edit.name));
      listener.changed([file, edit.name]);
      break;
    }
    case "moveDirectory": {
      const from = dirname(pick(edit.from));
      if (from === "." || edit.to.startsWith(from) || from.startsWith(edit.to) || !existsSync(join(root, from))) break;
      rmSync(join(root, edit.to), { recursive: true, force: true });
      mkdirSync(dirname(join(root, edit.to)), { recursive: true });
      renameSync(join(root, from), join(root, edit.to));
      listener.changed([from, edit.to]);
      break;
    }
    default: {
      const text = CONFIGURATIONS[edit.file]?.[edit.variant];
      if (text !== undefined) write(repository, edit.file, text);
      else rmSync(join(root, edit.file), { force: true });
      listener.changed([edit.file]);
    }
  }
}

function write(repository: Repository, file: string, text: string): void {
  const path = join(repository.root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  utimesSync(path, repository.clock, repository.clock);
  repository.clock++;
}

function changeText({ root, open }: Repository, file: string, change: Change, pick: (at: number) => string): string {
  const text = open.get(file) ?? (existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8") : "");
  if (change.change === "replace") return TEXTS[change.text % TEXTS.length] ?? "";
  if (change.change === "mutate") return mutate(text, change.mutations, TEXTS[change.other % TEXTS.length] ?? "");
  if (change.change === "lines") return changeLines(text, change.lines);
  const imports = [...text.matchAll(/from "([^"]+)"/g)];
  const old = imports[change.at % imports.length];
  if (!old) return text;
  const to = relative(dirname(file), pick(change.to)).replaceAll("\\", "/");
  const specifier = (to.startsWith(".") ? to : `./${to}`).replace(/\.[cm]?[jt]sx?$/, "");
  return `${text.slice(0, old.index)}from "${specifier}"${text.slice(old.index + old[0].length)}`;
}

function changeLines(text: string, changes: readonly LineChange[]): string {
  const lines = text.split("\n");
  for (const { how, at, line } of changes)
    lines.splice(at % lines.length, how === "insert" ? 0 : 1, ...(how === "remove" ? [] : [LINES[line % LINES.length] ?? ""]));
  return lines.join("\n");
}
