/**
 * What source text is lowered to: cases in `lowered/<topic>.<extension>.txt`, each a title, the code and the dumped graph.
 * `UPDATE=1` writes the graphs as they are now; they are read before they are committed.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { lowerFile } from "../../core/analysis/typescript/lower.ts";
import { dump } from "./dump.ts";

const FOLDER = path.join(import.meta.dirname, "lowered");

interface Case {
  readonly title: string;
  readonly code: string;
  readonly graph: string;
}

function readCases(file: string): Case[] {
  const cases = readFileSync(path.join(FOLDER, file), "utf8").replaceAll("\r\n", "\n").split(/^### /mu).slice(1);
  return cases.map((text) => {
    const [head = "", graph = ""] = text.split(/\n--(?:\n|$)/u);
    const [title = "", ...code] = head.trimEnd().split("\n");
    return { title, code: code.join("\n"), graph: graph.trimEnd() };
  });
}

function lowered(file: string, code: string): string {
  return dump(lowerFile(file.replace(/^.*\.(\w+)\.txt$/u, "a.$1"), code));
}

describe("lowering TypeScript", () => {
  for (const file of readdirSync(FOLDER)) {
    describe(file.replace(/\.txt$/u, ""), () => {
      const cases = readCases(file);
      if (process.env["UPDATE"] === "1" && !process.env["CI"]) {
        const texts = cases.map(({ title, code }) => `### ${title}\n${code}\n--\n${lowered(file, code)}\n`);
        writeFileSync(path.join(FOLDER, file), texts.join("\n"));
      }
      for (const { title, code, graph } of readCases(file)) {
        it(title, () => assert.equal(lowered(file, code), graph));
      }
    });
  }
});
