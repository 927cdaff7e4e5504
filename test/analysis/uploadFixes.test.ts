/** What the fix of a forgotten upload does when it runs, with a storage that works and with one that fails. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import { applyEdits } from "../../core/analysis/applyEdits.ts";
import type { AnalysisSettings } from "../../core/analysis/check.ts";
import type { Finding } from "../../core/analysis/finding.ts";

const SETTINGS: AnalysisSettings = { uploads: [], assemblies: [], cleanups: [], rules: {}, exclude: [] };

const IMPORTS = `import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Storage } from "@google-cloud/storage";
import { note } from "records";

const bucket = new Storage().bucket("videos");
`;

/** The record needs the address only. */
const RECORDED = `
export async function deliver(id: string): Promise<void> {
  const file = join(".cache/renders", \`\${id}.mp4\`);
  await writeFile(file, id);
  try {
    await bucket.upload(file);
    await note(id, "uploaded");
  } catch (error) {
    await note(id, "failed");
    throw error;
  }
}
`;

/** The record needs the file. */
const MEASURED = `
export async function measure(id: string): Promise<void> {
  const file = join(".cache/renders", \`\${id}.mp4\`);
  await writeFile(file, id);
  try {
    await bucket.upload(file);
    await note(id, \`uploaded, \${(await stat(file)).size} bytes\`);
  } catch (error) {
    await note(id, "failed");
    throw error;
  }
}
`;

const TEMPORARY = `
export async function deliverFromTemporary(id: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "deliver-"));
  try {
    const file = join(directory, "video.mp4");
    await writeFile(file, id);
    await bucket.upload(file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
`;

/** Says whether the local file is there when something is recorded. A package, so that the analysis does not see that it looks. */
const RECORDS = `import { existsSync } from "node:fs";

export async function note(id, what) {
  console.log(\`\${what}; the file is \${existsSync(\`.cache/renders/\${id}.mp4\`) ? "there" : "gone"}\`);
}
`;

const STORAGE = `export class Storage {
  bucket() {
    return { upload: async () => { if (process.env.BROKEN) throw new Error("the connection broke"); return [{}]; } };
  }
}
`;

describe("the fix of a forgotten upload", () => {
  let root: string;
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "offcut-upload-fixes-"));
    write("package.json", JSON.stringify({ type: "module" }));
    for (const [name, text] of [
      ["records", RECORDS],
      ["@google-cloud/storage", STORAGE],
    ] as const) {
      write(`node_modules/${name}/package.json`, JSON.stringify({ type: "module", exports: "./index.js" }));
      write(`node_modules/${name}/index.js`, text);
    }
    fs.mkdirSync(path.join(root, ".cache/renders"), { recursive: true });
  });
  afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

  const write = (name: string, text: string): void => {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  };
  const read = (): string => fs.readFileSync(path.join(root, "deliver.ts"), "utf8");
  const check = (): readonly Finding[] => openAnalysis({ root, settings: SETTINGS }).check().findings;
  /** Applies the preferred fix of the only finding. */
  const fix = (): void => {
    const analysis = openAnalysis({ root, settings: SETTINGS });
    const { findings } = analysis.check();
    assert.deepEqual(
      findings.map(({ rule }) => rule),
      ["missing-cleanup-after-upload"],
    );
    const [preferred] = analysis.fixes(findings[0]!);
    assert.ok(preferred?.preferred);
    for (const { file, edits, create } of preferred.edits)
      write(file, applyEdits(create ? "" : fs.readFileSync(path.join(root, file), "utf8"), edits));
    assert.deepEqual(check(), []);
  };
  /** What was recorded, how it ended, and whether the file is there afterwards. */
  const run = (name: string, broken: boolean): readonly string[] => {
    const program = `const end = await (await import("./deliver.ts")).${name}("film").then(() => "done", (error) => error.message); console.log(end);`;
    const env = { ...process.env, BROKEN: broken ? "1" : "" };
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd: root, env, stdio: "pipe" }).toString();
    const lines = printed.split("\n").filter((line) => /^(uploaded|failed;|done|the )/.test(line));
    return [...lines, fs.existsSync(path.join(root, ".cache/renders/film.mp4")) ? "left" : "nothing left"];
  };

  it("S1.3, S1.4, R87: deletes right after the upload, before the record that does without the file, and not when the upload failed", () => {
    write("deliver.ts", IMPORTS + RECORDED);
    fix();
    assert.match(read(), /await bucket\.upload\(file\);\n    await \w+\(file\b.*\);\n    await note\(id, "uploaded"\);\n  \} catch/);
    assert.deepEqual(run("deliver", false), ["uploaded; the file is gone", "done", "nothing left"]);
    assert.deepEqual(run("deliver", true), ["failed; the file is there", "the connection broke", "left"]);
  });

  it("S1.3, S1.4, R87: deletes after the record that needs the file, and not when the upload failed", () => {
    write("deliver.ts", IMPORTS + MEASURED);
    fix();
    assert.match(read(), /await bucket\.upload\(file\);\n    await note\(.*\);\n    await \w+\(file\b.*\);\n  \} catch/);
    assert.deepEqual(run("measure", false), ["uploaded, 4 bytes; the file is there", "done", "nothing left"]);
    assert.deepEqual(run("measure", true), ["failed; the file is there", "the connection broke", "left"]);
  });

  it("S1.5, R87: a finally that removes the temporary directory is not flagged, and stays as it is when its neighbour is fixed", () => {
    write("deliver.ts", IMPORTS + TEMPORARY);
    assert.deepEqual(check(), []);
    write("deliver.ts", IMPORTS + TEMPORARY + RECORDED);
    fix();
    assert.ok(read().includes(TEMPORARY), read());
    assert.notEqual(read(), IMPORTS + TEMPORARY + RECORDED);
  });
});
