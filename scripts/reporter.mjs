// A mocha reporter: what "spec" prints, plus one line per test in the file COUNT_FILE names. Written test by test, so that the counts
// survive a crash of the test process; the last line "end" tells a finished run from one that died.
import fs from "node:fs";
import Mocha from "mocha";

const { EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } = Mocha.Runner.constants;

export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const file = process.env.COUNT_FILE;
    if (!file) throw new Error("COUNT_FILE is not set: this reporter is for scripts/test.mjs.");
    const count = (line) => fs.appendFileSync(file, `${line}\n`);
    runner.on(EVENT_TEST_PASS, () => count("passed"));
    runner.on(EVENT_TEST_FAIL, () => count("failed")); // (failing hooks come here, too)
    runner.on(EVENT_TEST_PENDING, () => count("skipped"));
    runner.once(EVENT_RUN_END, () => count("end"));
  }
}
