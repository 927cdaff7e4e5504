// The manifest, the code and the documents must agree. `--write` fills the generated tables of README.md.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { SUMMARIES } from "../cli/help.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const read = (file) => fs.readFileSync(path.join(root, file), "utf8");
const manifest = JSON.parse(read("package.json"));
const strings = JSON.parse(read("package.nls.json"));
const faults = [];

const sourceOf = (room) =>
  fs
    .readdirSync(path.join(root, room), { recursive: true })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => read(path.join(room, file)))
    .join("\n");
const client = sourceOf("client");
const server = sourceOf("server");

const localise = (text) => text.replace(/^%(.+)%$/, (_, key) => strings[key] ?? `%${key}%`);
const commands = manifest.contributes?.commands ?? [];
for (const { command } of commands)
  if (!client.includes(`"${command}"`)) faults.push(`package.json contributes the command ${command}, and client/ never names it`);
for (const [, id] of client.matchAll(/registerCommand\(\s*"(offcut\.[\w.]+)"/g)) {
  if (!commands.some(({ command }) => command === id)) faults.push(`client/ registers ${id}, and package.json does not contribute it`);
}
const settings = Object.keys(manifest.contributes?.configuration?.properties ?? {});
for (const setting of settings) {
  const short = setting.replace(/^offcut\./, "");
  if (!client.includes(`"${short}"`) && !server.includes(`"${setting}"`) && !setting.includes(".trace."))
    faults.push(`package.json contributes the setting ${setting}, and neither client/ nor server/ reads it`);
}

const used = new Set([...JSON.stringify(manifest).matchAll(/"%([\w.-]+)%"/g)].map((match) => match[1]));
for (const key of used) if (!(key in strings)) faults.push(`package.nls.json has no "${key}"`);
for (const key of Object.keys(strings)) if (!used.has(key)) faults.push(`package.nls.json has "${key}", and package.json does not use it`);

const { devDependencies } = manifest;
if (`^${devDependencies["@types/vscode"]}` !== manifest.engines.vscode)
  faults.push("@types/vscode and engines.vscode differ: the types would promise what the oldest editor lacks");
if (devDependencies["vscode-languageclient"] !== devDependencies["vscode-languageserver"])
  faults.push("vscode-languageclient and vscode-languageserver differ");
for (const lock of ["package-lock.json", "tools/vscode/package-lock.json"])
  if (read(lock).includes('"resolved"')) faults.push(`${lock} names a download address`);

const tables = {
  commands: ["| command |", "|---|", ...commands.map(({ title }) => `| ${localise(title)} |`)],
  cli: ["| command | does |", "|---|---|"].concat(
    Object.entries(SUMMARIES).map(([name, summary]) => `| \`offcut ${name}\` | ${summary} |`),
  ),
};
let readme = read("README.md");
for (const [name, lines] of Object.entries(tables)) {
  const pattern = new RegExp(`(<!-- ${name}:start -->\n)[\\s\\S]*?(<!-- ${name}:end -->)`);
  readme = readme.replace(pattern, `$1${lines.join("\n")}\n$2`);
}
if (process.argv.includes("--write")) fs.writeFileSync(path.join(root, "README.md"), readme);
else if (readme !== read("README.md")) faults.push("README.md: a generated table is out of date: node scripts/manifest.mjs --write");

for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
