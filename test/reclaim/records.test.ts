import assert from "node:assert/strict";
import fs from "node:fs";
import { enforce } from "../../core/enforce.ts";
import { ensureHome, Refusal } from "../../core/reclaim/home.ts";
import { addPin, compareRecords, noteTime, readPins, removePin, writeRecords } from "../../core/reclaim/records.ts";
import { makeLayout } from "../layout.ts";
import { makeWorkspace, type Workspace } from "../workspace.ts";
import { environment } from "./world.ts";

const HOUR = 3_600_000;

describe("records", () => {
  let workspace: Workspace;
  let records: string;
  let pins: string;

  beforeEach(() => {
    workspace = makeWorkspace({ schema: false });
    ensureHome(workspace.root);
    records = workspace.path(".offcut/records.json");
    pins = workspace.path(".offcut/pins.json");
  });
  afterEach(() => workspace.dispose());

  const roots = (): Record<string, { mount: string }> =>
    (JSON.parse(fs.readFileSync(records, "utf8")) as { roots: Record<string, { mount: string }> }).roots;
  const unreachable = (root: string): string => compareRecords(workspace.root, [root], Date.now()).unreachable ?? "";

  describe("where the roots were", () => {
    it("R76: a root that is on another mount than recorded stays unreachable, round after round, until somebody says so", async () => {
      using layout = makeLayout({ stores: { clips: { path: "clips/{e}.mp4", role: "clip", maxAge: "1h" } } });
      layout.write("clips/a.mp4");
      await enforce(layout.root, { environment });
      const file = layout.path(".offcut/records.json");
      fs.writeFileSync(file, fs.readFileSync(file, "utf8").replaceAll(/"mount": "[^"]+"/g, '"mount": "/mnt/drive"'));
      // In steps below an hour, so that the clock is believed; the file is older than an hour from the second on.
      for (const hours of [0.9, 1.8, 2.7]) {
        const round = await enforce(layout.root, { environment, now: () => Date.now() + hours * HOUR });
        assert.ok(round.problems.some((problem) => problem.message.includes("was on the filesystem mounted at /mnt/drive")));
        assert.ok(fs.existsSync(layout.path("clips/a.mp4")), `${hours} hours`);
        assert.match(fs.readFileSync(file, "utf8"), /"mount": "\/mnt\/drive"/);
        assert.ok(
          round.problems.some((problem) => problem.message.includes(`move ${file} away`)),
          "the way out is named",
        );
      }
      fs.rmSync(file);
      const round = await enforce(layout.root, { environment, now: () => Date.now() + 3 * HOUR });
      assert.deepEqual([round.problems, round.result?.deletedFiles], [[], 1]);
    });

    it("R76: an empty root keeps its record, and the roots that are fine are noted", () => {
      const [drive, other] = [workspace.path("drive"), workspace.path("other")];
      for (const root of [drive, other]) fs.mkdirSync(root);
      workspace.write("drive/one.bin");
      writeRecords(workspace.root, [drive], Date.now());
      const before = roots()[drive];
      assert.ok(before);
      fs.writeFileSync(records, fs.readFileSync(records, "utf8").replace(/"mount": "[^"]+"/, '"mount": "/mnt/drive"'));
      fs.rmSync(workspace.path("drive/one.bin"));
      writeRecords(workspace.root, [drive, other], Date.now());
      assert.deepEqual(roots(), { [drive]: { mount: "/mnt/drive" }, [other]: before });
      assert.match(unreachable(drive), /is empty, and was not before/);
    });

    it("R76: a root that is not there is not noted, and the time is", async () => {
      const missing = workspace.path("not-there");
      await noteTime(workspace.root, [workspace.root, missing], Date.now());
      assert.deepEqual(Object.keys(roots()), [workspace.root]);
      workspace.write("not-there/one.bin");
      await noteTime(workspace.root, [missing], Date.now());
      const before = roots();
      fs.rmSync(missing, { recursive: true });
      await noteTime(workspace.root, [missing], Date.now());
      assert.deepEqual(roots(), before);
    });
  });

  describe("what cannot be understood", () => {
    const clock = { wallMs: 0, uptimeMs: 0, boot: "" };

    it("R71: records are refused by name, with what to do, and stay as they are", () => {
      for (const text of [
        '{"schema":1}',
        '{"schema":0,"roots":{},"clock":{"wallMs":0,"uptimeMs":0,"boot":""}}',
        JSON.stringify({ schema: 1, roots: {} }),
        JSON.stringify({ schema: 1, roots: [], clock }),
        JSON.stringify({ schema: 1, roots: { [workspace.root]: null }, clock }),
        JSON.stringify({ schema: 1, roots: { [workspace.root]: {} }, clock }),
        JSON.stringify({ schema: 1, roots: {}, clock: { ...clock, wallMs: "now" } }),
        JSON.stringify({ schema: 1, roots: {}, clock, doubt: {} }),
        JSON.stringify({ schema: 1, roots: {}, clock, doubt: { before: clock, since: null, why: "" } }),
        JSON.stringify({ schema: 2, paths: {} }),
        "[]",
        "{",
      ]) {
        fs.writeFileSync(records, text);
        const refused = (error: Error): boolean =>
          error instanceof Refusal && error.message.startsWith(records) && error.message.includes("move it away");
        assert.throws(() => compareRecords(workspace.root, [workspace.root], Date.now()), refused, text);
        assert.throws(() => writeRecords(workspace.root, [workspace.root], Date.now()), refused, text);
        assert.equal(fs.readFileSync(records, "utf8"), text);
      }
      fs.rmSync(records);
      fs.mkdirSync(records);
      assert.throws(() => compareRecords(workspace.root, [], Date.now()), Refusal, "a directory in its place");
    });

    it("R71: records of a newer version count and are not written", () => {
      const text = JSON.stringify({
        schema: 2,
        roots: { [workspace.root]: { mount: "/mnt/drive", more: 1 } },
        clock: { ...clock, wallMs: Date.now() },
      });
      fs.writeFileSync(records, text);
      assert.match(unreachable(workspace.root), /was on the filesystem mounted at \/mnt\/drive/);
      assert.throws(() => writeRecords(workspace.root, [workspace.root], Date.now()), /newer version of Offcut/);
      assert.equal(fs.readFileSync(records, "utf8"), text);
    });

    it("R29 R71: pins are refused by name, with what to do, and stay as they are", () => {
      const pin = { kind: "file", value: "a.mp4", added: "" } as const;
      for (const [value, words] of [
        [{ schema: 1 }, /mend it, or move it away/],
        [{ schema: 0, pins: [pin] }, /mend it, or move it away/],
        [{ schema: 1, pins: {} }, /mend it, or move it away/],
        [{ schema: 1, pins: "a.mp4" }, /mend it, or move it away/],
        ...[null, "a.mp4", [], { ...pin, kind: "folder" }, { ...pin, value: 1 }, { kind: "file", added: "" }, { ...pin, note: 1 }].map(
          (one) => [{ schema: 1, pins: [pin, one] }, /mend it, or move it away/] as const,
        ),
        [{ schema: 2, globs: ["*.mp4"] }, /newer version of Offcut \(schema 2\); update this one/],
      ] as const) {
        const text = JSON.stringify(value);
        fs.writeFileSync(pins, text);
        const refused = (error: Error): boolean => error instanceof Refusal && error.message.startsWith(pins) && words.test(error.message);
        assert.throws(() => readPins(workspace.root), refused, text);
        assert.throws(() => addPin(workspace.root, pin), refused, text);
        assert.throws(() => removePin(workspace.root, "file", "a.mp4"), refused, text);
        assert.equal(fs.readFileSync(pins, "utf8"), text);
      }
      fs.writeFileSync(pins, JSON.stringify({ schema: 1, pins: [pin] }));
      assert.deepEqual(readPins(workspace.root).list, [pin]);
      assert.deepEqual(addPin(workspace.root, { ...pin, kind: "store", note: "why" }).list.length, 2);
    });
  });
});
