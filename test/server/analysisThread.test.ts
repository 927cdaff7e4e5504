import assert from "node:assert/strict";
import { createThread, type Thread, NoAnswer, type ThreadOptions } from "../../server/analysis/thread.ts";
import { poll } from "../editor/poll.ts";

/**
 * A program that answers every question with all that it was told before; `paths` say what else it does: "hang" never ends,
 * "wait" ends when the shared number says so, "die" throws outside of any answer.
 */
const SCRIPT = `
  import { parentPort, workerData } from "node:worker_threads";
  const stop = new Int32Array(workerData.stop);
  const told = [];
  parentPort.on("message", (message) => {
    if (message.say !== "ask") return told.push(message);
    const { id, ask: { paths: [what] } } = message;
    const isStopped = () => Atomics.load(stop, 0) === id;
    if (what === "die") throw new Error("out of its mind");
    if (what === "fail") return parentPort.postMessage({ say: "failed", id, message: "cannot" });
    if (what === "hang" || what === "wait") {
      parentPort.postMessage({ say: "progress", id, done: 1, total: 2 });
      for (;;) if (what === "wait" && isStopped()) return parentPort.postMessage({ say: "stopped", id });
    }
    parentPort.postMessage({ say: "answer", id, answer: { what, told: told.splice(0) } });
  });
`;
const PROGRAM = new URL(`data:text/javascript,${encodeURIComponent(SCRIPT)}`);

interface Told {
  readonly what: string;
  readonly told: readonly { readonly say: string; readonly file?: string; readonly text?: string; readonly files?: readonly string[] }[];
}

describe("server: the thread that analyses", () => {
  let texts: Map<string, string>;
  let crashes: string[];
  let thread: Thread;

  const start = (options: Partial<ThreadOptions> = {}): Thread => {
    thread = createThread({
      textOf: (_root, file) => texts.get(file),
      openFiles: () => [...texts.keys()],
      settingsOf: () => ({ settings: { uploads: [], assemblies: [], cleanups: [], rules: {}, exclude: [] } }),
      onCrash: (message) => void crashes.push(message),
      program: PROGRAM,
      ...options,
    });
    return thread;
  };
  const ask = (what: string, options: Parameters<Thread["ask"]>[3] = {}): Promise<Told> =>
    thread.ask("/w", "check", { paths: [what] }, options) as unknown as Promise<Told>;
  const textsOf = ({ told }: Told) => told.filter(({ say }) => say === "text").map(({ file, text }) => [file, text]);

  beforeEach(() => {
    texts = new Map();
    crashes = [];
  });
  afterEach(() => thread.dispose());

  it("does not run before the first question", async () => {
    start();
    thread.textChanged("/w", "a.ts");
    assert.equal(thread.running, false);
    assert.equal((await ask("x")).what, "x");
    assert.equal(thread.running, true);
  });

  it("sends the newest text only, and what changed on the disk, with the next question", async () => {
    start();
    texts.set("a.ts", "first");
    assert.deepEqual(textsOf(await ask("1")), [["a.ts", "first"]]);
    assert.deepEqual((await ask("2")).told, []);
    for (const text of ["s", "se", "second"]) {
      texts.set("a.ts", text);
      thread.textChanged("/w", "a.ts");
    }
    thread.filesChanged("/w", ["b.ts"]);
    thread.filesChanged("/w", ["b.ts", "c.ts"]);
    const third = await ask("3");
    assert.deepEqual(textsOf(third), [["a.ts", "second"]]);
    assert.deepEqual(
      third.told.filter(({ say }) => say === "changed").map(({ files }) => files),
      [["b.ts", "c.ts"]],
    );
    texts.delete("a.ts");
    thread.textChanged("/w", "a.ts");
    assert.deepEqual(textsOf(await ask("4")), [["a.ts", undefined]]);
  });

  it("lets what somebody waits for go before the background, which is asked again", async () => {
    start();
    const seen: string[] = [];
    const end = new AbortController();
    const background = ask("wait", { background: true, signal: end.signal, onProgress: () => void seen.push("background") });
    await poll("the background to begin", () => seen.length > 0);
    const later = ask("later", { background: true }).then(() => seen.push("later"));
    seen.push((await ask("now")).what);
    await poll("the background to begin again", () => seen.length > 2);
    end.abort();
    await assert.rejects(background, { name: "AbortError" });
    await later;
    assert.deepEqual(seen, ["background", "now", "background", "later"]);
  });

  it("stops a question that is not wanted any more and keeps the thread", async () => {
    start();
    texts.set("a.ts", "text");
    await ask("1");
    const controller = new AbortController();
    const gone = assert.rejects(ask("wait", { signal: controller.signal, onProgress: () => controller.abort() }), { name: "AbortError" });
    await gone;
    assert.deepEqual((await ask("2")).told, [], "the same thread would have forgotten nothing");
  });

  it("ends the thread when a question does not listen, and starts another with all it has to know", async () => {
    start({ patienceMs: 20 });
    texts.set("a.ts", "text");
    const controller = new AbortController();
    await assert.rejects(ask("hang", { signal: controller.signal, onProgress: () => controller.abort() }), { name: "AbortError" });
    const next = await ask("2");
    assert.deepEqual(
      next.told.map(({ say }) => say),
      ["folder", "text"],
    );
    assert.deepEqual(crashes, []);
  });

  it("forgets a question that is taken back before its turn", async () => {
    start();
    const controller = new AbortController();
    const first = new AbortController();
    const running = ask("wait", { signal: first.signal, onProgress: () => controller.abort() });
    const waiting = ask("never", { signal: controller.signal });
    await assert.rejects(waiting, { name: "AbortError" });
    first.abort();
    await assert.rejects(running, { name: "AbortError" });
    await assert.rejects(ask("x", { signal: AbortSignal.abort() }), { name: "AbortError" });
  });

  it("gives its memory back when nobody asks, and knows open texts when somebody does", async () => {
    start({ idleMs: 1 });
    texts.set("a.ts", "unsaved");
    await ask("1");
    await poll("the thread's end", () => !thread.running);
    const again = await ask("2");
    assert.deepEqual(textsOf(again), [["a.ts", "unsaved"]]);
    assert.equal(again.told[0]?.say, "folder");
    assert.deepEqual(crashes, []);
  });

  it("tells of a crash once, starts again, and does not go on for ever", async () => {
    start();
    await assert.rejects(ask("die"), NoAnswer);
    assert.equal(crashes.length, 1);
    assert.match(crashes[0] ?? "", /out of its mind/);
    assert.equal((await ask("fine")).what, "fine");
    for (let i = 0; i < 5; i++) await assert.rejects(ask("die"), NoAnswer);
    assert.equal(thread.running, false);
    await assert.rejects(ask("fine"), NoAnswer);
    assert.match(crashes.at(-1) ?? "", /stays off until the configuration changes/);
    assert.equal(crashes.length, 3);
    thread.configure("/w");
    assert.equal((await ask("fine")).what, "fine");
  });

  it("passes on what a question failed with, and answers the next", async () => {
    start();
    await assert.rejects(ask("fail"), /cannot/);
    assert.equal((await ask("fine")).what, "fine");
  });

  it("is configured anew", async () => {
    start();
    await ask("1");
    thread.configure("/w");
    assert.deepEqual(
      (await ask("2")).told.map(({ say }) => say),
      ["folder"],
    );
    thread.leave("/w");
    assert.deepEqual(
      (await ask("3")).told.map(({ say }) => say),
      ["leave", "folder"],
    );
  });

  it("rejects what waits when it is disposed of", async () => {
    start();
    const waiting = [ask("wait"), ask("x")];
    const ends = waiting.map((one) => assert.rejects(one, NoAnswer));
    await thread.dispose();
    await Promise.all(ends);
    assert.equal(thread.running, false);
  });
});
