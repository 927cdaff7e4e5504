/**
 * The analysis of damaged code. It runs in the thread that the language server uses, so that a run that does not end is ended and
 * told like any other failure, with its seed.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { applyEdits } from "../../core/analysis/applyEdits.ts";
import type { AnalysisSettings } from "../../core/analysis/check.ts";
import type { Finding, Range } from "../../core/analysis/finding.ts";
import type { Answer, Ask, Question } from "../../server/analysis/messages.ts";
import { createThread, type Thread } from "../../server/analysis/thread.ts";
import { withTree } from "../scan/collect.ts";
import { readCases, settingsOf, sources } from "./expectations.ts";
import { type Mutation, mutate, mutation } from "./mutations.ts";

interface Sample {
  readonly id: string;
  readonly files: readonly (readonly [file: string, text: string])[];
  readonly settings: AnalysisSettings;
}

const SAMPLES: readonly Sample[] = readCases().map(({ id, folder }) => ({
  id,
  files: sources(folder).map((file) => [file, readFileSync(join(folder, file), "utf8")]),
  settings: settingsOf(folder),
}));

/** Far beyond what any of these small files takes, even on a busy machine. */
const LONGEST_MS = 20_000;
const FIXES_ASKED = 2;

const damaged = fc.record({
  sample: fc.nat(SAMPLES.length - 1),
  file: fc.nat(),
  other: fc.nat(SAMPLES.length - 1),
  otherFile: fc.nat(),
  mutations: fc.array(mutation, { minLength: 1, maxLength: 6 }),
});

describe("analysis of damaged code", () => {
  let thread: Thread;
  let settings: AnalysisSettings;
  const texts = new Map<string, string>();

  before(() => {
    thread = createThread({
      textOf: (_root, file) => texts.get(file),
      openFiles: () => [...texts.keys()],
      settingsOf: () => ({ settings }),
      onCrash: () => undefined,
    });
  });
  after(() => thread.dispose());

  /** Fails when the answer takes too long, too. */
  async function ask<Q extends Question>(root: string, question: Q, what: Ask<Q>): Promise<Answer<Q>> {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Error(`no answer within ${LONGEST_MS} ms`)), LONGEST_MS);
    try {
      return await thread.ask(root, question, what, { signal: stop.signal });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Loads the files into a session that knows nothing else. */
  function open(root: string, sample: Sample, changed: readonly (readonly [string, string])[]): void {
    texts.clear();
    for (const [file, text] of [...sample.files, ...changed]) texts.set(file, text);
    settings = sample.settings;
    thread.configure(root);
  }

  async function inspect(root: string): Promise<void> {
    const { findings } = await ask(root, "check", {});
    for (const finding of findings) {
      assertInside(finding.file, finding.range);
      for (const step of finding.related) assertInside(step.file, step.range);
    }
    for (const finding of findings.filter(({ fixable }) => fixable).slice(0, FIXES_ASKED)) {
      for (const fix of await ask(root, "fixes", nameOf(finding, findings)))
        for (const { file, edits } of fix.edits) applyEdits(texts.get(file) ?? "", edits);
    }
  }

  function assertInside(file: string, range: Range): void {
    const text = texts.get(file);
    assert.ok(text !== undefined, `${file} is not there`);
    assert.equal(typeof applyEdits(text, [{ range, text: "" }]), "string");
  }

  it("bears every case as it is", async () => {
    await withTree(async (root) => {
      for (const sample of SAMPLES) {
        open(root, sample, []);
        await inspect(root);
      }
    });
  }).timeout(60_000);

  it("never throws, never hangs, and points into the text", async () => {
    await withTree(async (root) => {
      const property = fc.asyncProperty(damaged, async ({ sample, file, other, otherFile, mutations }) => {
        const chosen = SAMPLES[sample] as Sample;
        open(root, chosen, [damage(chosen, file, mutations, SAMPLES[other] as Sample, otherFile)]);
        await inspect(root);
      });
      await fc.assert(property, { numRuns: 2500, interruptAfterTimeLimit: 240_000, markInterruptAsFailure: true });
    });
  }).timeout(300_000);
});

function damage(
  { files }: Sample,
  file: number,
  mutations: readonly Mutation[],
  other: Sample,
  otherFile: number,
): readonly [string, string] {
  const [name, text] = files[file % files.length] ?? ["a.ts", ""];
  const [, material] = other.files[otherFile % other.files.length] ?? ["", ""];
  return [name, mutate(text, mutations, material)];
}

function nameOf({ file, rule, fingerprint, range }: Finding, findings: readonly Finding[]): Ask<"fixes"> {
  const same = findings.filter((one) => one.file === file && one.rule === rule && one.fingerprint === fingerprint);
  return { file, rule, fingerprint, nth: same.findIndex((one) => one.range === range) };
}
