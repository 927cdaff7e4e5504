/** A function of the project's own that deletes a file after its upload, for want of a helper, `fs` and the runtime. */
import { posix } from "node:path";
import type { ts } from "ts-morph";
import type { HelperHome } from "../fix/plan.ts";
import { isCommonJs } from "./printScope.ts";
import { block, type PrintStyle } from "./printStyle.ts";

export const HELPER = "deleteLocalFileAfterUpload";

interface HelperFile {
  readonly file: string;
  /** Undefined: it is there already. */
  readonly text?: string;
}

/** The module of the helper, with the words of the file that is going to use it. */
export function helperFile(source: ts.SourceFile, style: PrintStyle, home: HelperHome): HelperFile {
  const name = fileName(source, home);
  const file = posix.join(home.directory, name);
  return home.names.includes(name) ? { file } : { file, text: helperText(source, style) };
}

export function helperSpecifier(source: ts.SourceFile, home: HelperHome): string {
  const name = fileName(source, home);
  const path = posix.relative(posix.dirname(source.fileName), posix.join(home.directory, name));
  const relative = path.startsWith(".") ? path : `./${path}`;
  return relative.replace(/\.[cm]?[jt]s$/, "") + extensionIn(source, posix.extname(name));
}

/** `delete-local-file-after-upload.ts` where the files beside it are named so. */
function fileName(source: ts.SourceFile, { names }: HelperHome): string {
  const stems = names.map((name) => name.replace(/\..*$/, ""));
  const count = (pattern: RegExp): number => stems.filter((stem) => pattern.test(stem)).length;
  const [dashes, underscores, humps] = [count(/[a-z]-[a-z]/), count(/[a-z]_[a-z]/), count(/[a-z][A-Z]/)];
  const separator = dashes > humps && dashes >= underscores ? "-" : underscores > humps ? "_" : "";
  const stem = separator === "" ? HELPER : HELPER.replaceAll(/[A-Z]/g, (letter) => separator + letter.toLowerCase());
  return `${stem}${posix.extname(source.fileName).replace("x", "")}`;
}

/** What the relative imports of the file end in; else what Node asks for. */
function extensionIn(source: ts.SourceFile, extension: string): string {
  const compiled = extension.replace("ts", "js");
  for (const [, , specifier = ""] of source.text.matchAll(/(?:from|require\(|import)\s*(["'])(\.{1,2}\/[^"']*)\1/g)) {
    const end = /\.[cm]?[jt]sx?$/.exec(specifier)?.[0];
    if (end === undefined) return "";
    return /ts/.test(end) ? extension : compiled;
  }
  return extension === ".ts" || (extension === ".js" && isCommonJs(source)) ? "" : compiled;
}

function helperText(source: ts.SourceFile, style: PrintStyle): string {
  const { quote, lineEnd } = style;
  const end = style.semicolon;
  const typed = /\.[cm]?tsx?$/.test(source.fileName);
  const common = isCommonJs(source);
  const quoted = (text: string): string => quote + text + quote;
  const body = [
    `const stats = await stat(path).catch(() => undefined)${end}`,
    `try ${block(
      [`await unlink(path)${end}`, `console.info(${quoted("local_file_deleted")}, { path, size: stats?.size })${end}`, `return true${end}`],
      style,
    )} catch (error) ${block(
      [
        `if (stats) console.error(${quoted("failed_to_delete_local_file")}, { path, error })${end}`,
        `else console.warn(${quoted("local_file_not_found")}, { path })${end}`,
        `return !stats${end}`,
      ],
      style,
    )}`,
  ];
  const head = `async function ${HELPER}(path${typed ? ": string" : ""})${typed ? ": Promise<boolean>" : ""} `;
  const lines = [
    common
      ? `const { stat, unlink } = require(${quoted("node:fs/promises")})${end}`
      : `import { stat, unlink } from ${quoted("node:fs/promises")}${end}`,
    "",
    "/**",
    " * Deletes a local file that was uploaded, and returns whether it is gone. Never throws: the work is done, and a file that stays",
    " * must not fail it.",
    " */",
    `${common ? "" : "export "}${head}${block(body, style)}`,
    ...(common ? ["", `module.exports = { ${HELPER} }${end}`] : []),
    "",
  ];
  return lines.join("\n").replaceAll("\n", lineEnd);
}
