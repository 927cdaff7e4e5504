/** Why a file stays although its maker would delete it: it is a final, state, tracked, pinned, or others need it (R12, R26, R28, R29). */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { type Catalog, readCatalog } from "../core/catalog/catalog.ts";
import { looksLikeState } from "../core/catalog/state.ts";
import type { TemplatedStore } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { matchTemplate } from "../core/config/template.ts";
import { pinOf } from "../core/plan/pins.ts";
import { readPins } from "../core/reclaim/records.ts";
import type { SingleFile } from "../core/reclaim/single.ts";
import { trackedFiles } from "../core/scan/git.ts";

interface Match {
  readonly store: TemplatedStore;
  readonly captures: Readonly<Record<string, string>>;
}

/** Throws when the settings or the pins cannot be read: they might protect it, as does a catalog that cannot be read. */
export async function whyProtected(
  root: string,
  { path: file, identity }: Pick<SingleFile, "path" | "identity">,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const config = loadConfig(root);
  const pins = readPins(config.root);
  const matches = config.stores.flatMap((store) => {
    const relative = path.relative(realOrSame(store.root), file).split(path.sep).join("/");
    const captures = matchTemplate(store.template, relative);
    return captures ? [{ store, relative, captures }] : [];
  });
  const final = matches.find(({ store }) => store.role === "final");
  if (final) return t('it is a final: the store "{0}" is never cleaned', final.store.name);
  const inRoot = path.relative(realOrSame(config.root), file).split(path.sep).join("/");
  const seen = [
    { root: config.root, path: inRoot, store: "", owners: [] },
    ...matches.map(({ store, relative, captures }) => {
      const owner = store.ownerCapture === undefined ? undefined : captures[store.ownerCapture];
      return { root: store.root, path: relative, store: store.name, owners: owner === undefined ? [] : [owner] };
    }),
  ];
  const pin = seen.map((one) => pinOf(pins, one)).find((one) => one !== undefined);
  if (pin !== undefined) return t("pinned: {0}", pin);
  const catalog = await readCatalog(config, { checkPages: false, ...(signal && { signal }) });
  const inode = `${identity.dev}:${identity.ino}`;
  if (catalog.isState(file, inode) || matches.some(({ store, relative }) => looksLikeState(store, relative)))
    return t("it is state: a database, its log, or settings");
  const output = catalog.outputAt(file, inode);
  if (output) return t("it is an output of {0} ({1})", output.owner, output.source);
  if (catalog.unavailable !== undefined) return catalog.unavailable;
  const needed = whoNeeds(
    catalog,
    file,
    matches.length > 0 ? matches : config.stores.slice(0, 1).map((store) => ({ store, captures: {} })),
  );
  if (needed !== undefined) return needed;
  // Asked for this very path, so that any answer is it.
  const tracked = await trackedFiles(path.dirname(file), [path.basename(file)], signal);
  return tracked.unknown ?? (tracked.files.size > 0 ? t("git tracks it") : undefined);
}

/** Its maker may be at work still, and is the one that its path names, or the only one that uses it. Anybody else needs it. */
function whoNeeds(catalog: Catalog, file: string, matches: readonly Match[]): string | undefined {
  const blocked = matches.map(({ store }) => catalog.blockedStores.get(store.name)).find((reason) => reason !== undefined);
  if (blocked !== undefined) return blocked;
  const makers = new Set(
    matches.flatMap(({ store, captures }) => (store.ownerCapture === undefined ? [] : (captures[store.ownerCapture] ?? []))),
  );
  const users = new Set(matches.flatMap(({ store, captures }) => catalog.usersOf(store, file, captures).map((use) => use.owner)));
  const unfinished = [...users].filter((user) => catalog.owners.get(user)?.state !== "succeeded");
  const others = makers.size > 0 ? unfinished.filter((user) => !makers.has(user)) : unfinished.length > 1 ? unfinished : [];
  return others.length === 0 ? undefined : t("{0} may need it still", others.join(", "));
}

function realOrSame(directory: string): string {
  try {
    return fs.realpathSync.native(directory);
  } catch {
    return directory; // What is not there holds no file.
  }
}
