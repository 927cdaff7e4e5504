/**
 * Makes the repository that the code check is measured on: TypeScript and JavaScript in the proportions of real ones (half of the
 * files below 50 lines, one in a hundred beyond 1,500), in packages that import each other. One file in forty uploads or
 * assembles; some others only use the words. The same number of files is always the same repository.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

type Random = (below: number) => number;
type Snippet = (name: string, random: Random) => string;

const NOUNS = ["order", "invoice", "customer", "session", "report", "article", "region", "ticket", "channel", "device", "member", "quota"];
const VERBS = ["load", "merge", "format", "sort", "validate", "group", "describe", "count", "parse", "publish", "archive", "compare"];
const FILES_A_PACKAGE = 120;

/** Writes `files` source files below `root`, with `package.json` and `tsconfig.json`. */
export function makeCodeTree(root: string, files: number): void {
  const random = startRandom(files);
  const packages = Math.ceil(files / FILES_A_PACKAGE);
  write(root, "package.json", JSON.stringify({ name: "generated", private: true, workspaces: ["packages/*"] }));
  write(root, "tsconfig.json", JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include: ["packages"] }));
  for (let n = 0; n < packages; n++)
    write(
      root,
      `packages/p${n}/package.json`,
      JSON.stringify({ name: `@generated/p${n}`, exports: "./src/index.ts", dependencies: DEPENDENCIES }),
    );
  for (let n = 0; n < files; n++) {
    const home = `packages/p${Math.floor(n / FILES_A_PACKAGE)}`;
    const inPackage = n % FILES_A_PACKAGE;
    if (inPackage === 0) write(root, `${home}/src/index.ts`, indexOf(Math.min(FILES_A_PACKAGE, files - n)));
    else write(root, `${home}/${placeOf(inPackage)}`, textOf(inPackage, random));
  }
}

/** A file of exactly `lines` lines that uploads and assembles here and there. */
export function makeLongFile(lines: number): string {
  const random = startRandom(lines);
  let text = MEDIA_HEAD;
  for (let n = 0; ; n++) {
    const next = text + (n % 8 === 3 ? pick(MEDIA, n) : pick(ORDINARY, random(ORDINARY.length)))(`task${n}`, random);
    if (countLines(next) > lines) return text + "// The end.\n".repeat(lines - countLines(text));
    text = next;
  }
}

function countLines(text: string): number {
  return text.split("\n").length - 1;
}

/** For a checker that takes any file, whether its imports resolve or not. */
export const COMPILER_OPTIONS = {
  target: "es2022",
  module: "preserve",
  moduleResolution: "bundler",
  jsx: "preserve",
  allowJs: true,
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  types: [],
};
const DEPENDENCIES = { "@aws-sdk/client-s3": "3", cloudinary: "2", "fluent-ffmpeg": "2", react: "19", express: "5" };

/** A linear congruential generator (Numerical Recipes), so that every machine makes the same tree. */
function startRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function placeOf(n: number): string {
  if (n % 40 === 7) return n % 80 === 7 ? `src/media/media${n}.ts` : `src/media/media${n}.js`;
  if (n % 7 === 0) return `src/views/view${n}.tsx`;
  if (n % 11 === 0) return `test/part${n}.test.ts`;
  return n % 9 === 0 ? `src/part${n}.js` : `src/part${n}.ts`;
}

function indexOf(files: number): string {
  return Array.from({ length: Math.max(0, files - 1) }, (_, n) => placeOf(n + 1))
    .filter((place) => place.startsWith("src/part") || place.startsWith("src/media"))
    .map((place) => `export * from "./${place.slice("src/".length).replace(/\.ts$/, "")}";\n`)
    .join("");
}

function textOf(n: number, random: Random): string {
  const place = placeOf(n);
  const isMedia = place.includes("/media/");
  const parts = isMedia ? 2 + random(10) : countParts(random);
  const names = Array.from({ length: parts }, (_, part) => `${pick(VERBS, random(12))}${capital(pick(NOUNS, random(12)))}${n}x${part}`);
  const bodies = names.map((name, part) => {
    if (isMedia && part % 3 === 0) return pick(MEDIA, n + part)(name, random);
    if (place.endsWith(".tsx") && part % 2 === 0) return VIEW(name, random);
    if (place.includes(".test.")) return TEST(name, random);
    return pick(ORDINARY, random(ORDINARY.length))(name, random);
  });
  const text = (isMedia ? MEDIA_HEAD : headOf(n, place)) + bodies.join("\n");
  return place.endsWith(".js") ? withoutTypes(text) : text;
}

/** Most files are short, a few are very long. */
function countParts(random: Random): number {
  const chance = random(100);
  if (chance < 50) return 2 + random(2);
  if (chance < 80) return 4 + random(6);
  if (chance < 96) return 12 + random(20);
  return chance < 99 ? 40 + random(30) : 160;
}

function headOf(n: number, place: string): string {
  const before = placeOf(n - 1 || 1);
  const to = before.replace(/^src\//, "").replace(/\.(ts|tsx)$/, "");
  const up = place.startsWith("test/") ? "../src/" : place.includes("views/") ? "../" : "./";
  return before.startsWith("src/part") ? `import * as before from "${up}${to}";\nexport const earlier = Object.keys(before);\n` : "";
}

/** The snippets annotate parameters and results only, in a form that this finds. */
function withoutTypes(text: string): string {
  return text
    .replaceAll(/: (?:Promise<\w+>|Record<string, \w+>|\w+\[\]|string|number|boolean|unknown)(?=[,)]| \{| =)/g, "")
    .replaceAll(/^export interface \w+ \{[^}]+\}\n/gm, "");
}

const ORDINARY: readonly Snippet[] = [
  (name, random) => `
export interface ${capital(name)}Options {
  readonly limit: number;
  readonly label: string;
  readonly ${pick(NOUNS, random(12))}s: string[];
}
`,
  (name, random) => `
/** Picks what counts, and leaves the rest for the next round. */
export function ${name}(values: number[], limit: number): number[] {
  const kept = [];
  for (const value of values) {
    if (value > limit * ${random(90)}) continue;
    kept.push(value % 2 === 0 ? value / 2 : value * 3 + 1);
  }
  return kept.sort((a, b) => a - b);
}
`,
  (name, random) => `
export const ${name} = {
${Array.from({ length: 4 + random(12) }, (_, n) => `  ${pick(NOUNS, random(12))}${n}: { title: "${name} ${n}", width: ${random(900)}, tags: ["a${n}", "b"] },`).join("\n")}
};
`,
  (name) => `
export class ${capital(name)}Service {
  constructor(store, clock) {
    this.store = store;
    this.clock = clock;
  }
  async find(id: string): Promise<unknown> {
    const found = await this.store.findOne({ where: { id } });
    if (!found) throw new Error(\`no ${name} \${id}\`);
    return found;
  }
  async rename(id: string, title: string): Promise<unknown> {
    const entry = await this.find(id);
    entry.title = title.trim();
    return this.store.save(entry);
  }
  async removeAll(ids: string[]): Promise<void> {
    await this.store.transaction(async (store) => {
      for (const id of ids) await store.delete({ id, at: this.clock() });
    });
  }
}
`,
  (name, random) => `
export async function ${name}(request: unknown, response: unknown): Promise<void> {
  try {
    const { ${pick(NOUNS, random(12))}, page = "1" } = request.query;
    const rows = await request.app.locals.database.run("select * from entries limit ?", [Number(page) * ${10 + random(40)}]);
    response.json({ rows, next: Number(page) + 1 });
  } catch (error) {
    response.status(500).json({ message: String(error) });
  }
}
`,
  (name, random) => `
export function ${name}(text: string): Record<string, string> {
  const pattern = /^(\\w+)\\s*[:=]\\s*"?([^"]*)"?$/;
  const found = {};
  for (const line of text.split("\\n")) {
    const match = pattern.exec(line.trim());
    if (match?.[1]) found[match[1]] = match[2] ?? "";
    else if (line.startsWith("#${random(10)}")) break;
  }
  return found;
}
`,
  (name, random) => `
// Whoever wants to upload a file finds the button in the menu "${pick(NOUNS, random(12))}".
export const ${name} = async (url: string, retries: number): Promise<unknown> => {
  for (let attempt = 0; attempt < retries; attempt++) {
    const answer = await fetch(url, { headers: { accept: "application/json" } });
    if (answer.ok) return answer.json();
    await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));
  }
  return undefined;
};
`,
];

const VIEW: Snippet = (name, random) => `
export function ${capital(name)}({ items, onSelect }: { items: string[]; onSelect: (item: string) => void }) {
  const shown = items.slice(0, ${5 + random(20)});
  return (
    <section className="panel">
      <h2>{"${name}"}</h2>
      <ul>
        {shown.map((item) => (
          <li key={item} onClick={() => onSelect(item)}>
            {item.length > 20 ? item.slice(0, 20) + "…" : item}
          </li>
        ))}
      </ul>
    </section>
  );
}
`;

const TEST: Snippet = (name, random) => `
describe("${name}", () => {
  it("keeps what it is given", async () => {
    const values = [${Array.from({ length: 6 }, () => random(100)).join(", ")}];
    expect(values.filter((value) => value > ${random(100)}).length).toBeLessThan(7);
  });
});
`;

const MEDIA_HEAD = `import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { v2 as cloudinary } from "cloudinary";

const s3 = new S3Client({});
`;

const MEDIA: readonly Snippet[] = [
  (name) => `
export async function ${name}(id: string, bytes: string): Promise<string> {
  const path = join(tmpdir(), \`\${id}.png\`);
  await writeFile(path, bytes);
  const { secure_url } = await cloudinary.uploader.upload(path);
  return secure_url;
}
`,
  (name) => `
async function store${capital(name)}(path: string, key: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: "media", Key: key, Body: createReadStream(path) }));
}
export async function ${name}(id: string, bytes: string): Promise<void> {
  const path = \`/tmp/${name}-\${id}.json\`;
  await writeFile(path, bytes);
  try {
    await store${capital(name)}(path, \`${name}/\${id}\`);
  } finally {
    await unlink(path).catch(() => undefined);
  }
}
`,
  (name) => `
export async function ${name}(inputs: string[], output: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "${name}-"));
  const list = join(folder, "list.txt");
  await writeFile(list, inputs.map((input) => \`file '\${input}'\`).join("\\n"));
  await new Promise((resolve, reject) => {
    const child = spawn("ffmpeg", ["-y", "-f", "concat", "-safe", "0", "-i", list, "-c", "copy", output]);
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve(output) : reject(new Error(\`ffmpeg ended with \${code}\`))));
  });
  await rm(folder, { recursive: true, force: true });
}
`,
  (name) => `
export async function ${name}(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  const wav = path.replace(".txt", ".wav");
  await writeFile(wav, text);
  const { url } = await cloudinary.uploader.upload(wav, { resource_type: "video" });
  if (url.startsWith("https:")) await unlink(wav);
  return url;
}
`,
];

function pick<T>(list: readonly T[], at: number): T {
  return list[at % list.length] as T;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function write(root: string, file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}
