/** What a configuration must be refused for. */
import assert from "node:assert/strict";
import { ConfigError } from "../../core/config/config.ts";
import { parseConfig } from "../../core/config/load.ts";

export const ROOT = "/ws";

export function problemsOf(text: string): ConfigError["problems"] {
  try {
    parseConfig(ROOT, text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  assert.fail(`no mistake was found in ${text}`);
}

export function assertProblem(text: string, line: number, message: RegExp): void {
  const problems = problemsOf(text);
  const found = problems.find((problem) => message.test(problem.message));
  assert.ok(found, `${message.source} is not among: ${problems.map((problem) => `${problem.line}: ${problem.message}`).join(" | ")}`);
  assert.deepEqual([found.source, found.line, found.severity], ["offcut.json", line, "error"]);
}
