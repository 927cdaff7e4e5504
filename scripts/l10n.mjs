// Collects what can be translated into l10n/bundle.l10n.json. `--check` only says whether it is up to date.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import l10n from "@vscode/l10n-dev";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const bundle = path.join(root, "l10n/bundle.l10n.json");

const sources = ["client", "server", "core", "cli", "runtime"].flatMap((room) =>
  fs
    .readdirSync(path.join(root, room), { recursive: true })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ extension: ".ts", contents: qualify(fs.readFileSync(path.join(root, room, name), "utf8")) })),
);
const found = await l10n.getL10nJson(sources);
const sorted = Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
const text = `${JSON.stringify(sorted, null, 2)}\n`;

if (!process.argv.includes("--check")) {
  fs.mkdirSync(path.dirname(bundle), { recursive: true });
  fs.writeFileSync(bundle, text);
  console.log(`${Object.keys(sorted).length} texts`);
} else if (!fs.existsSync(bundle) || fs.readFileSync(bundle, "utf8") !== text) {
  console.error("l10n/bundle.l10n.json is out of date. Run: npm run l10n");
  process.exitCode = 1;
}

/** l10n-dev overlooks calls of an imported `t`; it finds `l10n.t`. */
function qualify(source) {
  const named = 'import { t } from "@vscode/l10n";';
  return source.includes(named)
    ? source.replace(named, 'import * as l10n from "@vscode/l10n";').replace(/(?<![\w.$])t\(/g, "l10n.t(")
    : source;
}
