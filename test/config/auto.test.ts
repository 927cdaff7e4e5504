import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { AUTO_CLEANUP, type AutoInput, parseSwitch, resolveAutoCleanup, writeAutoCleanup } from "../../core/config/auto.ts";
import { findAssignment } from "../../core/config/dotenv.ts";

const AUTO = new URL("../../core/config/auto.ts", import.meta.url).href;
const RUNS = { numRuns: 220 };

describe("AUTO_CLEANUP_ENABLED", () => {
  let root: string;
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "offcut-auto-")));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const write = (name: string, text: string | Uint8Array): void => writeFileSync(join(root, name), text);
  const bytes = (name = ".env"): Buffer => readFileSync(join(root, name));
  const resolve = (input: Partial<AutoInput> = {}) => resolveAutoCleanup({ root, environment: {}, debugModeDisables: true, ...input });

  describe("the value", () => {
    it("R78, S0.10: unset is on", () => {
      assert.deepEqual(resolve(), { auto: { enabled: true, source: "default", kind: "default" }, problems: [] });
    });

    it("R78: true 1 yes on and false 0 no off, in any case", () => {
      const word = fc.constantFrom(
        ...(["true", "1", "yes", "on"].map((text) => [text, true]) as [string, boolean][]),
        ...(["false", "0", "no", "off"].map((text) => [text, false]) as [string, boolean][]),
      );
      fc.assert(
        fc.property(word, fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), ([text, enabled], upper) => {
          const value = [...text].map((letter, i) => (upper[i] ? letter.toUpperCase() : letter)).join("");
          assert.equal(parseSwitch(value), enabled);
          write(".env", `${AUTO_CLEANUP}=${value}\n`);
          const { auto, problems } = resolve();
          assert.deepEqual([auto.enabled, auto.value, problems], [enabled, value, []]);
        }),
        RUNS,
      );
    });

    it("R78: anything else is off, with a warning that names the place and the words", () => {
      for (const value of ["", "ture", "2", "-1", "y", "enabled", "null", "undefined", "tru", "on off", "1.0", "０"]) {
        const { auto, problems } = resolve({ environment: { [AUTO_CLEANUP]: value } });
        assert.equal(auto.enabled, false, value);
        assert.match(
          `${problems[0]?.severity} ${problems[0]?.source}: ${problems[0]?.message}`,
          /^warning environment: AUTO_CLEANUP_ENABLED is ".*", which is neither on nor off, so automatic cleanup is off; write true or false$/,
        );
      }
      write(".env", `\n${AUTO_CLEANUP}=\n`);
      assert.deepEqual([resolve().auto.enabled, resolve().problems[0]?.source], [false, ".env:2"]);
      fc.assert(
        fc.property(
          fc.string(),
          (value) => parseSwitch(value) !== undefined || !resolve({ environment: { [AUTO_CLEANUP]: value } }).auto.enabled,
        ),
        RUNS,
      );
    });

    it("S0.10: default < .env < .env.local < environment < database < debug mode", () => {
      const steps: readonly (readonly [source: string, act: (input: Partial<AutoInput>) => Partial<AutoInput>])[] = [
        [".env:1", (input) => (write(".env", `${AUTO_CLEANUP}=true`), input)],
        [".env.local:2", (input) => (write(".env.local", `X=1\nexport ${AUTO_CLEANUP}='on'`), input)],
        ["environment", (input) => ({ ...input, environment: { [AUTO_CLEANUP]: "yes" } })],
        ["user_preferences", (input) => ({ ...input, override: { value: "1", source: "user_preferences" } })],
        ["debug mode (DEBUG)", (input) => ({ ...input, environment: { ...input.environment, DEBUG: "true" } })],
      ];
      let input: Partial<AutoInput> = {};
      for (const [source, act] of steps) {
        input = act(input);
        const { auto } = resolve(input);
        assert.deepEqual([auto.source, auto.enabled], [source, !source.startsWith("debug")]);
      }
      assert.equal(resolve({ ...input, debugModeDisables: false }).auto.source, "user_preferences");
      assert.equal(
        resolve({ ...input, override: { value: "0", source: "user_preferences" } }).auto.source,
        "user_preferences",
        "off is off already",
      );
      assert.equal(
        resolve({ environment: { DEBUG: "app:*", OFFCUT_DEBUG: "0" } }).auto.source,
        ".env.local:2",
        "what is no true value is no debug mode",
      );
      assert.equal(resolve({ environment: { OFFCUT_DEBUG: "1" } }).auto.source, "debug mode (OFFCUT_DEBUG)");
    });

    it("R19: an environment file that cannot be read might say off", function () {
      if (process.getuid?.() !== 0) return this.skip();
      chmodSync(root, 0o755);
      write(".env.local", `${AUTO_CLEANUP}=false`);
      chmodSync(join(root, ".env.local"), 0o600);
      const program = `const { resolveAutoCleanup } = await import(${JSON.stringify(AUTO)}); console.log(JSON.stringify(resolveAutoCleanup({ root: ${JSON.stringify(root)}, environment: {}, debugModeDisables: true })));`;
      const { stdout, stderr } = spawnSync(
        "setpriv",
        ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, "--input-type=module", "-e", program],
        { encoding: "utf8", cwd: "/" },
      );
      assert.match(stdout, /^\{"auto":\{"enabled":false,"source":"\.env\.local".*cannot be read \(EACCES\)/, stderr);
    });
  });

  describe("the grammar of dotenv", () => {
    const cases: readonly (readonly [text: string, value: string | undefined])[] = [
      ["V=true", "true"],
      ["  export  V = true  # why", "true"],
      ["V: true", "true"],
      ["V:true", undefined],
      ["V=", ""],
      ["V=\nW=1", ""],
      ["V= # only a comment", ""],
      ["V='true' # why", "true"],
      ["V=`true`", "true"],
      [`V="true" and more`, `"true" and more`],
      [`V="true`, `"true`],
      ["V='a\nW=b' ", "a\nW=b"],
      ["W='a\nV=false\n'\nV=true", "true"],
      ["W='a\nV=false\n'", undefined],
      [`W="it's"\nV=1`, "1"],
      ["# V=false", undefined],
      ["#W='\nV=1\n#'", "1"],
      ["W=it's\nV=1\nX=it's", "1"],
      ["V=true#no", "true"],
      ["V=a=b", "a=b"],
      ["MY_V=1\nV.x=2\nV-x=3\nxV=4", undefined],
      ["V=1\nV=0", "0"],
      ["\uFEFFV=1", "1"],
      ["V=1\r\nW=2\r\n", "1"],
      ["V=1\rW=2", "1"],
      ["V=\n'next line'", "next line"],
      [`V='it\\'s'`, "it\\'s"],
      [`V='C:\\'`, "C:\\"],
      ["V", undefined],
      ["V 1", undefined],
      ["", undefined],
    ];
    it("every construct has the value and the place that dotenv gives it", () => {
      for (const [text, value] of cases) {
        assert.equal(dotenv(text)["V"], value, `the oracle: ${JSON.stringify(text)}`);
        const found = findAssignment(Buffer.from(text).toString("latin1"), "V");
        assert.equal(found?.value, value, JSON.stringify(text));
        if (found) assert.equal(Buffer.from(text).toString("latin1").slice(found.start, found.end), value);
      }
    });

    it("random files read as dotenv reads them", () => {
      const piece = fc.constantFrom("V", "W", "=", ": ", " ", "\n", "\r\n", "'", '"', "`", "#", "true", "\\", "export ", "a b", "x");
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
          const text = pieces.join("");
          assert.equal(normal(findAssignment(text, "V")?.value), normal(dotenv(text)["V"]), JSON.stringify(text));
        }),
        { numRuns: 5000 },
      );
    });
  });

  describe("the switch", () => {
    const word = fc.constantFrom(
      "true",
      "false",
      "TRUE",
      "FALSE",
      "True",
      "False",
      "1",
      "0",
      "yes",
      "no",
      "Yes",
      "NO",
      "on",
      "off",
      "ON",
      "Off",
    );
    const around = fc.constantFrom("", " ", "  ");
    const newline = fc.constantFrom("\n", "\r\n");
    const foreign = fc.oneof(
      fc.constantFrom(
        "",
        "# a comment",
        "# it's AUTO_CLEANUP_ENABLED=false",
        "A=1",
        "export B='x y'",
        'C="two\nAUTO_CLEANUP_ENABLED=false\nlines"',
        "D=`a\r\nb`",
        "X_AUTO_CLEANUP_ENABLED=1",
        "AUTO_CLEANUP_ENABLEDX=0",
        "no assignment",
        "E=it''s",
        "F=a#b",
      ),
      fc
        .uint8Array({ maxLength: 12 })
        .map((raw) => `G=${Buffer.from(raw.filter((byte) => ![10, 13, 34, 39, 96].includes(byte))).toString("latin1")}`),
    );
    const line = fc
      .record({
        word,
        lead: around,
        exported: fc.boolean(),
        before: around,
        after: around,
        quote: fc.constantFrom("", "'", '"', "`"),
        inside: around,
        tail: fc.constantFrom("", " ", " # why", "\t# it is true"),
      })
      .map((o) => ({
        word: o.word,
        head: `${o.lead}${o.exported ? "export " : ""}${AUTO_CLEANUP}${o.before}=${o.after}${o.quote}${o.quote && o.inside}`,
        rest: `${o.quote && o.inside}${o.quote}${o.tail}`,
      }));
    const file = fc.record({
      mark: fc.constantFrom("", "\xEF\xBB\xBF"),
      above: fc.array(foreign, { maxLength: 4 }),
      earlier: fc.option(word),
      line,
      below: fc.array(foreign, { maxLength: 4 }),
      newline,
      last: fc.boolean(),
    });

    it("S0.10: changes the value's bytes and no other; twice gives the file as it was", () => {
      fc.assert(
        fc.property(file, ({ mark, above, earlier, line, below, newline, last }) => {
          const head = `${mark}${[...above, ...(earlier === null ? [] : [`${AUTO_CLEANUP}=${earlier}`]), line.head].join(newline)}`;
          const tail = `${[line.rest, ...below].join(newline)}${last ? newline : ""}`;
          const original = Buffer.from(head + line.word + tail, "latin1");
          write(".env", original);
          const before = resolve().auto;
          assert.equal(before.enabled, parseSwitch(line.word), "the last assignment counts");
          const edit = writeAutoCleanup(root, !before.enabled);
          const changed = bytes().toString("latin1");
          assert.equal(changed, head + edit.after + tail);
          assert.deepEqual([resolve().auto.enabled, edit.before, resolve().auto.source], [!before.enabled, line.word, `.env:${edit.line}`]);
          writeAutoCleanup(root, before.enabled);
          assert.deepEqual(bytes(), original);
          assert.deepEqual(readdirSync(root), [".env"], "no temporary file is left");
        }),
        RUNS,
      );
    });

    it("S0.10: where no file has it, a line is added and nothing else changes", () => {
      fc.assert(
        fc.property(fc.array(foreign, { maxLength: 4 }), newline, fc.boolean(), (lines, newline, last) => {
          const text = lines.join(newline) + (last ? newline : "");
          write(".env", Buffer.from(text, "latin1"));
          const edit = writeAutoCleanup(root, false);
          const changed = bytes().toString("latin1");
          assert.ok(changed.startsWith(text));
          assert.match(changed.slice(text.length), /^(\r?\n)?AUTO_CLEANUP_ENABLED=false\r?\n$/);
          assert.deepEqual([resolve().auto.enabled, resolve().auto.source], [false, `.env:${edit.line}`]);
        }),
        RUNS,
      );
    });

    it("S0.10: writes where it stands, else to .env.local when that is there, else to .env", () => {
      assert.deepEqual(writeAutoCleanup(root, false), { file: ".env", line: 1, before: "", after: "false" });
      assert.equal(bytes().toString(), "AUTO_CLEANUP_ENABLED=false\n");
      write(".env.local", "X=1");
      assert.equal(writeAutoCleanup(root, true).file, ".env", "that is where it stands");
      rmSync(join(root, ".env"));
      assert.equal(writeAutoCleanup(root, true).file, ".env.local");
      assert.equal(bytes(".env.local").toString(), "X=1\nAUTO_CLEANUP_ENABLED=true\n");
      write(".env", "AUTO_CLEANUP_ENABLED=true\n");
      assert.equal(writeAutoCleanup(root, false).file, ".env.local", "the one that wins");
    });

    it("S0.10: a word that is neither is replaced whole, whatever its bytes are", () => {
      for (const odd of ["maybe", "voil\u00e0", "\u3042\u00a0", ""]) {
        write(".env", `A=1\n${AUTO_CLEANUP}=${odd}\nB=2\n`);
        writeAutoCleanup(root, true);
        assert.equal(bytes().toString(), `A=1\n${AUTO_CLEANUP}=true\nB=2\n`);
      }
    });

    it("S0.10: the file keeps its mode, and a link to it stays a link", () => {
      mkdirSync(join(root, "shared"));
      write("shared/env", "AUTO_CLEANUP_ENABLED=on\n");
      chmodSync(join(root, "shared/env"), 0o640);
      symlinkSync("shared/env", join(root, ".env"));
      const umask = process.umask(0o077);
      try {
        writeAutoCleanup(root, false);
      } finally {
        process.umask(umask);
      }
      assert.ok(lstatSync(join(root, ".env")).isSymbolicLink());
      assert.equal(bytes("shared/env").toString(), "AUTO_CLEANUP_ENABLED=off\n");
      assert.equal(lstatSync(join(root, "shared/env")).mode & 0o7777, 0o640);
      assert.deepEqual(readdirSync(join(root, "shared")), ["env"]);
    });

    it("S0.10: no reader ever sees half a file, not even when the writer is killed", async () => {
      const filler = "# filler\n".repeat(50_000);
      write(".env", `${filler}AUTO_CLEANUP_ENABLED=true\n${filler}`);
      const size = bytes().length;
      const program = `const fs = await import("node:fs"); const file = ${JSON.stringify(join(root, ".env"))}; const { writeAutoCleanup } = await import(${JSON.stringify(AUTO)}); for (let i = 0; ; i++) { writeAutoCleanup(${JSON.stringify(root)}, i % 2 === 1); if (i === 0) fs.writeSync(1, "go"); }`;
      const writer = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
      const exited = once(writer, "exit");
      const assertWhole = (): string => {
        const seen = bytes();
        assert.ok(Math.abs(seen.length - size) <= 1, `${seen.length} of ${size} bytes`);
        const word = /^AUTO_CLEANUP_ENABLED=(true|false)\n/.exec(seen.subarray(filler.length, filler.length + 28).toString())?.[1];
        return word ?? assert.fail("the line is torn");
      };
      try {
        await once(writer.stdout, "data");
        const words = new Set<string>();
        for (let i = 0; i < 150 || words.size < 2; i++) words.add(assertWhole());
      } finally {
        writer.kill("SIGKILL");
        await exited;
      }
      assertWhole();
    }).timeout(10_000);
  });
});

const normal = (value: string | undefined): string | undefined => value?.replaceAll(/\r\n?/g, "\n");

/** What dotenv 16 and 17 do (lib/main.js, `parse`), without the escapes that double quotes expand. */
function dotenv(source: string): Record<string, string> {
  const lines =
    /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$/gm;
  const result: Record<string, string> = {};
  for (const match of source.replaceAll(/\r\n?/gm, "\n").matchAll(lines)) {
    result[match[1] ?? ""] = (match[2] ?? "").trim().replaceAll(/^(['"`])([\s\S]*)\1$/gm, "$2");
  }
  return result;
}
