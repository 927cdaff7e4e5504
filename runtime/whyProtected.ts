/** Why a file stays although its maker would delete it: it is a final, or somebody pinned it (R28, R29). */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { loadConfig } from "../core/config/load.ts";
import { matchTemplate } from "../core/config/template.ts";
import { pinOf } from "../core/plan/pins.ts";
import { readPins } from "../core/reclaim/records.ts";

/** `file` is absolute, without links in its directories. Throws when the settings or the pins cannot be read: they might protect it. */
export function whyProtected(root: string, file: string): string | undefined {
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
  return pin === undefined ? undefined : t("pinned: {0}", pin);
}

function realOrSame(directory: string): string {
  try {
    return fs.realpathSync.native(directory);
  } catch {
    return directory; // What is not there holds no file.
  }
}
