import assert from "node:assert/strict";
import { formatPage, readPage } from "../../cli/check/rulePage.ts";
import { widthOf } from "../../cli/check/width.ts";
import { RULES } from "../../core/analysis/finding.ts";

const screen = (columns: number): Parameters<typeof formatPage>[0] => ({ columns, style: (style, text) => `<${String(style)}>${text}` });

describe("offcut check --explain: pages", () => {
  it("have no marks, and lines that fit", () => {
    const page = `# a-rule

**Warning** · [CWE-1](https://example.com/1), a *real* one

- One item that goes on
  in its second line: \`a ** b\`
- \`// keep this together\`

Before:

\`\`\`ts wrong
const long = "a line of code that is wider than the screen";

f();
\`\`\`
`;
    assert.equal(
      formatPage(screen(31), page).join("\n"),
      `<bold>a-rule

Warning · CWE-1
(https://example.com/1), a
real one

- One item that goes on in its
  second line: \`a ** b\`
- \`// keep this together\`

Before:

    const long = "a line of code that is wider than the screen";

    f();`,
    );
  });

  it("are there for every rule", () => {
    for (const rule of RULES) {
      const lines = formatPage(screen(Infinity), readPage(rule));
      assert.equal(lines[0], `<bold>${rule}`);
      assert.ok(lines.includes("<bold>Why") && lines.includes("<bold>Silence it"), rule);
      for (const line of lines) assert.ok(widthOf(line) <= 100 || /^ {4}|`/.test(line), line);
    }
  });
});
