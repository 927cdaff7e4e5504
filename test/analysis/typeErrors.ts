/**
 * Whether changed files compile as well as they did: one program in memory holds the cases as they were and as they are, with the
 * types of Node, what Offcut's runtime exports, and no types for any other package.
 */
import fs from "node:fs";
import path from "node:path";
import { Project, ts } from "ts-morph";
import { sources } from "./expectations.ts";

export interface Change {
  /** Of the case and what was done to it. */
  readonly id: string;
  /** Where the case's other files are. */
  readonly folder: string;
  readonly file: string;
  /** `undefined`: the file was made. */
  readonly before: string | undefined;
  readonly after: string;
}

const MODULES = path.resolve(import.meta.dirname, "../../node_modules");
const RUNTIME = `declare module "offcut" {
  export function deleteLocalFileAfterUpload(file: string | readonly string[] | null | undefined, options?: object): Promise<boolean>;
  export function cleanupProjectFiles(projectId: string, options?: object): Promise<object>;
}
declare module "*";
declare const Bun: any;
`;

/** What is wrong with the files now and was not before, for people. */
export function addedErrors(changes: readonly Change[]): readonly string[] {
  const project = new Project({
    useInMemoryFileSystem: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
      module: ts.ModuleKind.Preserve,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      moduleDetection: ts.ModuleDetectionKind.Force,
      jsx: ts.JsxEmit.Preserve,
      experimentalDecorators: true,
      allowJs: true,
      checkJs: true,
      strict: true,
      noImplicitAny: false,
      esModuleInterop: true,
      allowUnreachableCode: true,
      skipLibCheck: true,
      noEmit: true,
      types: ["node"],
    },
  });
  const files = project.getFileSystem();
  for (const name of ["@types/node", "undici-types"]) copyTypes(name, (to, text) => files.writeFileSync(to, text));
  project.createSourceFile("/ambient.d.ts", RUNTIME);
  const cases = new Map<string, Change[]>();
  for (const change of changes) cases.set(change.id, [...(cases.get(change.id) ?? []), change]);
  [...cases.values()].forEach((changed, index) => {
    const folder = changed[0]?.folder ?? "";
    const names = new Set([...sources(folder), ...changed.map(({ file }) => file)]);
    for (const name of names) {
      const change = changed.find(({ file }) => file === name);
      const original = change ? change.before : fs.readFileSync(path.join(folder, name), "utf8");
      if (original !== undefined) project.createSourceFile(`/before/${index}/${name}`, original);
      project.createSourceFile(`/after/${index}/${name}`, change ? change.after : (original ?? ""));
    }
  });
  const program = project.getProgram().compilerObject;
  return [...cases.values()].flatMap((changed, index) =>
    changed.flatMap(({ id, file, after }) => {
      const before = errorsOf(program, `/before/${index}/${file}`);
      const added = errorsOf(program, `/after/${index}/${file}`).filter((error) => !before.includes(error));
      return added.map((error) => `${id}: ${file}: ${error}\n${after}`);
    }),
  );
}

function errorsOf(program: ts.Program, file: string): readonly string[] {
  const source = program.getSourceFile(file);
  if (!source) return [];
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
    ({ code, messageText }) => `TS${code} ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
  );
}

function copyTypes(name: string, write: (to: string, text: string) => void): void {
  const from = path.join(MODULES, name);
  for (const file of fs.readdirSync(from, { recursive: true, encoding: "utf8" })) {
    if (!/\.d\.[cm]?ts$|^package\.json$/.test(file)) continue;
    write(`/node_modules/${name}/${file.replaceAll(path.sep, "/")}`, fs.readFileSync(path.join(from, file), "utf8"));
  }
}
