/** `offcut check --explain RULE`: the page about a rule, which lies in the package, as a terminal can show it. */
import fs from "node:fs";
import { DEFAULT_SEVERITY, type RuleId } from "../../core/analysis/finding.ts";
import type { Terminal } from "../terminal.ts";
import { explainRules } from "./ruleTexts.ts";
import { HARD_SPACE, wrap } from "./width.ts";

/** Beside the sources, or beside the bundle's directory. */
const PAGES = new URL(import.meta.url.endsWith(".ts") ? "../../docs/rules/" : "../docs/rules/", import.meta.url);
const WIDEST = 100;
const CODE_INDENT = "    ";

/** Where the page is. Undefined where it was not installed. */
export function addressOf(rule: RuleId): string | undefined {
  const page = new URL(`${rule}.md`, PAGES);
  return fs.existsSync(page) ? page.href : undefined;
}

/** Markdown whose links lead somewhere from anywhere. Of a page that was not installed there is what it says in short. */
export function readPage(rule: RuleId): string {
  try {
    return withoutRelativeLinks(fs.readFileSync(new URL(`${rule}.md`, PAGES), "utf8").replaceAll("\r\n", "\n"));
  } catch {
    return `# ${rule}\n\n${explainRules()[rule].full}\n`;
  }
}

/** As `--json` prints it. */
export function toJsonPage(rule: RuleId): object {
  const { short, full } = explainRules()[rule];
  return { rule, severity: DEFAULT_SEVERITY[rule], short, full, markdown: readPage(rule) };
}

/** The page without its marks, broken into lines. Code stays as it is, to be copied. */
export function formatPage({ style, columns }: Pick<Terminal, "style" | "columns">, markdown: string): readonly string[] {
  const width = Math.min(columns - 1, WIDEST);
  return blocksOf(markdown).flatMap((block, i) => {
    const lines = block.kind === "code" ? block.lines.map((line) => (line === "" ? "" : CODE_INDENT + line)) : layOut(block, width);
    const shown = lines.map((line) => (block.kind === "heading" ? style("bold", line) : line));
    return i === 0 || block.follows === true ? shown : [""].concat(shown);
  });
}

interface Block {
  readonly kind: "heading" | "text" | "item" | "code";
  readonly lines: readonly string[];
  /** An item right after another one. */
  readonly follows?: boolean;
}

function blocksOf(markdown: string): readonly Block[] {
  const blocks: { kind: Block["kind"]; lines: string[]; follows?: boolean }[] = [];
  let open: (typeof blocks)[number] | undefined;
  const begin = (kind: Block["kind"], line?: string): void => {
    open = { kind, lines: line === undefined ? [] : [line], follows: kind === "item" && open?.kind === "item" };
    blocks.push(open);
  };
  for (const line of markdown.split("\n")) {
    if (line.startsWith("```")) {
      if (open?.kind === "code") open = undefined;
      else begin("code");
    } else if (open?.kind === "code") open.lines.push(line);
    else if (line.trim() === "") open = undefined;
    else if (/^#+ /.test(line)) {
      begin("heading", line.replace(/^#+ /, ""));
      open = undefined;
    } else if (line.startsWith("- ")) begin("item", line.slice(2));
    else if (open) open.lines.push(line.trim());
    else begin("text", line);
  }
  return blocks;
}

function layOut({ kind, lines }: Block, width: number): readonly string[] {
  const [first, next] = kind === "item" ? ["- ", "  "] : ["", ""];
  return wrap(withoutMarks(lines.join(" ")), width - first.length).map((line, i) => (i === 0 ? first : next) + line);
}

/** What stands between backticks stays together and as it is. */
function withoutMarks(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part, i) => (i % 2 === 1 ? part.replaceAll(" ", HARD_SPACE) : withoutEmphasis(part)))
    .join("");
}

function withoutEmphasis(text: string): string {
  return text
    .replace(/\[([^\]]*)\]\(([^)]*)\)/g, "$1 ($2)")
    .replace(/\*\*([^*]+)\*\*/g, "$1")
    .replace(/\*(\S[^*]*)\*/g, "$1");
}

function withoutRelativeLinks(markdown: string): string {
  return markdown.replace(/\[([^\]]*)\]\((?!\w+:)[^)]*\)/g, "$1");
}
