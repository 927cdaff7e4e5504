import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { matchTemplate } from "../../core/config/template.ts";
import type { WalkStore } from "../../core/scan/walk.ts";
import { storeAt, walk, withTree } from "./collect.ts";

const TEMPLATES = [
  "a/",
  "a/{p}/",
  "a/b/{p}/",
  "a/{p}.mp4",
  "a/{p}/{n}.mp4",
  "a/{p}/b/x1.mp4",
  "a/{p}/{p}.mp4",
  "b/*/{p}/*",
  "a/b/x1.mp4",
  "b/c/x*.mp4",
  "c/**",
];
const NESTED = ["b/", "c/", "b/{p}.mp4", "c/{p}/x1.mp4"];
const ROLES = ["intermediate", "final"] as const;

const directory = fc.constantFrom("a", "b", "c", "a", "b", ".offcut");
const file = fc.constantFrom("x1.mp4", "a.mp4", "b.mp4", "note.txt", "b", "a b");
const path = fc.tuple(fc.array(directory, { maxLength: 4 }), file).map(([directories, name]) => [...directories, name].join("/"));
const entry = fc.record({ path, kind: fc.constantFrom("file", "file", "file", "file", "link", "git") });
const store = fc.record({ template: fc.constantFrom(...TEMPLATES), role: fc.constantFrom(...ROLES) });
const nestedStore = fc.record({ template: fc.constantFrom(...NESTED), role: fc.constantFrom(...ROLES) });

type Entry = { readonly path: string; readonly kind: string };

describe("walkStores on random trees", () => {
  it("R7: a repository closes a store that takes everything for all that is below, also where another store leads on", async () => {
    await withTree(async (root) => {
      plantEntry(root, { path: "a/a/x1.mp4", kind: "file" });
      plantEntry(root, { path: "a/x1.mp4", kind: "git" });
      const stores = [storeAt(root, "named", "a/{p}/b/x1.mp4", "intermediate"), storeAt(root, "deep", "a/", "intermediate")];
      for (const workers of [0, 1]) assert.deepEqual((await walk(stores, { workers })).found, []);
    });
  });

  it("equals a plain recursive search that asks matchTemplate, on one thread and with workers", async () => {
    await check(fc.array(store, { minLength: 1, maxLength: 4 }), fc.constant([]), fc.array(entry, { maxLength: 25 }));
  }).timeout(180_000);

  it("equals it with overlapping roots", async () => {
    const entries = fc.array(
      entry.filter(({ kind }) => kind !== "git"),
      { maxLength: 25 },
    );
    await check(fc.array(store, { minLength: 1, maxLength: 3 }), fc.array(nestedStore, { minLength: 1, maxLength: 3 }), entries);
  }).timeout(180_000);
});

type StoreCase = { readonly template: string; readonly role: (typeof ROLES)[number] };

async function check(outer: fc.Arbitrary<StoreCase[]>, inner: fc.Arbitrary<StoreCase[]>, entries: fc.Arbitrary<Entry[]>): Promise<void> {
  const property = fc.asyncProperty(outer, inner, entries, (outers, inners, tree) =>
    withTree(async (root) => {
      for (const one of tree) plantEntry(root, one);
      mkdirSync(join(root, "a"), { recursive: true });
      const stores = [
        ...outers.map(({ template, role }, i) => storeAt(root, `outer${i}`, template, role)),
        ...inners.map(({ template, role }, i) => storeAt(join(root, "a"), `inner${i}`, template, role)),
      ];
      const expected = search(root, stores).sort();
      assert.deepEqual((await walk(stores, { workers: 0 })).found, expected);
      assert.deepEqual((await walk(stores, { workers: 1 })).found, expected);
    }),
  );
  await fc.assert(property, { numRuns: 100 });
}

/** Where two entries are in each other's way the first one wins. */
function plantEntry(root: string, { path: at, kind }: Entry): void {
  const full = join(root, kind === "git" ? `${dirname(at)}/.git` : at);
  try {
    mkdirSync(dirname(full), { recursive: true });
    // Into the tree again: what is planted behind a link must not leave the test.
    if (kind === "link") symlinkSync(root, full);
    else writeFileSync(full, at, { flag: "wx" });
  } catch (error) {
    if (!["EEXIST", "ENOTDIR", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function search(root: string, stores: readonly WalkStore[]): string[] {
  return listAll(root, "").flatMap((at) => {
    const matching = stores.filter((candidate) => {
      const below = relativeTo(candidate, root, at);
      if (below === undefined || !matchTemplate(candidate.template, below)) return false;
      return !candidate.template.deep || !repositoryBelow(candidate, below);
    });
    const owner = matching.find((candidate) => candidate.role === "final") ?? matching[0];
    return owner ? [`${owner.name} ${relativeTo(owner, root, at)}`] : [];
  });
}

/** By hand, because `readdirSync` with `recursive` follows links. */
function listAll(root: string, below: string): string[] {
  return readdirSync(join(root, below)).flatMap((name) => {
    const at = join(below, name);
    if (name === ".offcut" || name === ".git") return [];
    return lstatSync(join(root, at)).isDirectory() ? listAll(root, at) : [at];
  });
}

function relativeTo(store: WalkStore, root: string, at: string): string | undefined {
  const full = join(root, at);
  return full.startsWith(`${store.root}/`) ? full.slice(store.root.length + 1) : undefined;
}

/** Whether a directory from a deep store's own down to the file's holds `.git`. */
function repositoryBelow(store: WalkStore, path: string): boolean {
  const names = path.split("/");
  for (let depth = store.template.segments.length; depth < names.length; depth++) {
    if (readdirSync(join(store.root, ...names.slice(0, depth))).includes(".git")) return true;
  }
  return false;
}
