/** The programs that the code check is measured against: ast-grep and typescript-eslint, from `tools/contenders`. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { COMPILER_OPTIONS } from "./codeTree.ts";

/** A command to be run in the directory that is looked at, and how its output tells how many files it looked at. */
export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  readonly codes: readonly number[];
}

const SOURCE = resolve(import.meta.dirname, "../tools/contenders");
const CATALOGUE = resolve(import.meta.dirname, "../core/analysis/catalogue");
const SINKS = new Set(["upload", "assembly", "command"]);

/** Where they are installed: in the project, or where `OFFCUT_CONTENDERS` says. Installs them when they are missing; undefined: cannot. */
export function installContenders(): string | undefined {
  const home = resolve(process.env["OFFCUT_CONTENDERS"] ?? SOURCE);
  if (existsSync(join(home, "node_modules/eslint")) && findAstGrep(home) !== undefined) return home;
  mkdirSync(home, { recursive: true });
  if (home !== SOURCE) for (const file of ["package.json", "package-lock.json"]) copyFileSync(join(SOURCE, file), join(home, file));
  try {
    execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: home,
      stdio: "inherit",
      shell: process.platform === "win32",
    });
    return home;
  } catch (error) {
    console.error(`The contenders cannot be installed, so Offcut is measured alone: ${String(error)}`);
    return undefined;
  }
}

/** Writes their configuration into `scratch`. Every file is looked at as if it were TSX, so that one rule is enough for all. */
export function astGrep(home: string, scratch: string): readonly Contender[] {
  const program = findAstGrep(home);
  if (program === undefined) throw new Error(`ast-grep is not in ${home}`);
  const patterns = sinkPatterns();
  const configure = (name: string, chosen: readonly string[]): string => {
    const folder = join(scratch, name);
    mkdirSync(join(folder, "rules"), { recursive: true });
    const globs = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"].map((extension) => `"*.${extension}"`).join(", ");
    writeFileSync(join(folder, "sgconfig.yml"), `ruleDirs: [rules]\nlanguageGlobs: { tsx: [${globs}] }\n`);
    const rules = chosen.map((pattern, n) => `id: sink${n}\nlanguage: tsx\nseverity: warning\nrule: { pattern: '${pattern}' }\n`);
    writeFileSync(join(folder, "rules/sinks.yml"), rules.join("---\n"));
    return join(folder, "sgconfig.yml");
  };
  const scan = (config: string): readonly string[] => [program, "scan", "--config", config, "--json=stream", "."];
  return [
    { name: `ast-grep, one pattern rule per sink (${patterns.length})`, command: scan(configure("all", patterns)), codes: [0, 1] },
    { name: "ast-grep, one rule", command: scan(configure("one", ["$X.upload($$$)"])), codes: [0, 1] },
  ];
}

/** typescript-eslint with `no-floating-promises` and nothing else, over one program of all files, whether they resolve or not. */
export function eslint(home: string, scratch: string, root: string): Contender {
  const folder = join(scratch, "eslint");
  mkdirSync(folder, { recursive: true });
  const files = "**/*.{ts,tsx,mts,cts,js,jsx,mjs,cjs}";
  const ignores = ["node_modules", "dist", "build", "out", "coverage", "vendor", ".*"].map((name) => `**/${name}/**`);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: COMPILER_OPTIONS,
      include: [`${root}/**/*`],
      exclude: ignores.map((pattern) => `${root}/${pattern}`),
    }),
  );
  writeFileSync(
    join(folder, "eslint.config.mjs"),
    `import { createRequire } from "node:module";
const { plugin, parser } = createRequire(${JSON.stringify(join(home, "package.json"))})("typescript-eslint");
export default [
  { ignores: ${JSON.stringify(ignores)} },
  {
    files: [${JSON.stringify(files)}],
    plugins: { "@typescript-eslint": plugin },
    languageOptions: { parser, parserOptions: { project: ${JSON.stringify(join(folder, "tsconfig.json"))} } },
    linterOptions: { reportUnusedDisableDirectives: "off" },
    rules: { "@typescript-eslint/no-floating-promises": "error" },
  },
];
`,
  );
  return {
    name: "typescript-eslint, typed `no-floating-promises`",
    command: [
      process.execPath,
      "--max-old-space-size=8192",
      join(home, "node_modules/eslint/bin/eslint.js"),
      "--config",
      join(folder, "eslint.config.mjs"),
      "--no-inline-config",
      "--format",
      "json",
      ".",
    ],
    codes: [0, 1],
  };
}

/** Of every name of a sink in the catalogue the pattern of a call of it. */
function sinkPatterns(): readonly string[] {
  const patterns = new Set<string>();
  for (const file of readdirSync(CATALOGUE).filter((name) => /^(?:uploads|assemblies).*\.json$/.test(name))) {
    const entries = JSON.parse(readFileSync(join(CATALOGUE, file), "utf8")) as { symbol: string | string[]; role: string }[];
    for (const { symbol } of entries.filter(({ role }) => SINKS.has(role)))
      for (const one of [symbol].flat().filter((path) => path !== "default")) {
        const name = one.slice(one.lastIndexOf(".") + 1);
        patterns.add(`${one.includes(".") ? "$X." : /^[A-Z]/.test(name) ? "new " : ""}${name}($$$)`);
      }
  }
  return [...patterns].filter((pattern) => !pattern.includes("*"));
}

function findAstGrep(home: string): string | undefined {
  const folder = join(home, "node_modules/@ast-grep");
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .flatMap((name) => [join(folder, name, "ast-grep"), join(folder, name, "ast-grep.exe")])
    .find((program) => !program.includes("/cli/") && existsSync(program));
}
