/** The thread that analyses: one analysis for each workspace folder, one question after the other. */
import fs from "node:fs";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { config as configureWords } from "@vscode/l10n";
import { LINE_END, lineEndOf } from "../../core/analysis/applyEdits.ts";
import { openAnalysis } from "../../core/analysis/analysis.ts";
import { applyBaseline } from "../../core/analysis/baseline.ts";
import type { Analysis, CheckProgress } from "../../core/analysis/check.ts";
import type { Finding, Fix } from "../../core/analysis/finding.ts";
import { commentAbove } from "../../core/analysis/typescript/commentAbove.ts";
import { fixAll } from "./fixAll.ts";
import type {
  Answer,
  Ask,
  AskMessage,
  Checked,
  FindingName,
  FolderSettings,
  FromThread,
  Question,
  ThreadData,
  ToThread,
} from "./messages.ts";

interface Folder {
  readonly root: string;
  readonly settings: FolderSettings;
  /** What the editor shows, by file. */
  readonly texts: Map<string, string>;
  /** Opened by the first question, so that what goes wrong is its answer. */
  analysis?: Analysis;
  /** Answers that hold until something is learned, by the files that were asked about: one light bulb asks about its file several times. */
  readonly checked: Map<string, Checked>;
}

/** How a question is told that it is not wanted any more, and tells how far it is. */
interface Work {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CheckProgress) => void;
}

/** Milliseconds between two reports of progress. */
const REPORT_MS = 100;

const given = workerData as ThreadData;
const stop = new Int32Array(given.stop);
const folders = new Map<string, Folder>();
if (given.l10n) configureWords({ contents: { ...given.l10n } });

parentPort?.on("message", (message: ToThread) => {
  if (message.say === "ask") reply(message);
  else learn(message);
});

function learn(message: Exclude<ToThread, AskMessage>): void {
  const { root } = message;
  folders.get(root)?.checked.clear();
  if (message.say === "folder") folders.set(root, { root, settings: message.settings, texts: new Map(), checked: new Map() });
  else if (message.say === "leave") folders.delete(root);
  else if (message.say === "changed") folders.get(root)?.analysis?.changed(message.files);
  else {
    const folder = folders.get(root);
    if (message.text === undefined) folder?.texts.delete(message.file);
    else folder?.texts.set(message.file, message.text);
    folder?.analysis?.setText(message.file, message.text);
  }
}

function analysisOf(folder: Folder): Analysis {
  if (folder.analysis) return folder.analysis;
  const analysis = openAnalysis({ root: folder.root, settings: folder.settings.settings });
  for (const [file, text] of folder.texts) analysis.setText(file, text);
  folder.analysis = analysis;
  return analysis;
}

function reply({ id, root, question, ask }: AskMessage): void {
  const isStopped = (): boolean => Atomics.load(stop, 0) === id;
  const say = (message: FromThread): void => parentPort?.postMessage(message, []);
  let reported = 0;
  const onProgress = ({ done, total }: CheckProgress): void => {
    const now = performance.now();
    if (now - reported < REPORT_MS) return;
    reported = now;
    say({ say: "progress", id, done, total });
  };
  try {
    const folder = folders.get(root);
    if (!folder) throw new Error(`the folder ${root} is not known`);
    const answer = answerTo(folder, question, ask, { signal: signalOf(isStopped), onProgress });
    say(isStopped() ? { say: "stopped", id } : { say: "answer", id, answer });
  } catch (error) {
    if (isStopped()) say({ say: "stopped", id });
    else if (error instanceof Error)
      say({ say: "failed", id, message: error.message, ...(error.stack !== undefined && { stack: error.stack }) });
    else say({ say: "failed", id, message: String(error) });
  }
}

/** No event reaches a thread that works, so its signal looks at the shared number whenever it is asked. */
function signalOf(isStopped: () => boolean): AbortSignal {
  const { signal } = new AbortController();
  const reason = (): DOMException => new DOMException("stopped", "AbortError");
  return Object.defineProperties(signal, {
    aborted: { get: isStopped },
    reason: { get: () => (isStopped() ? reason() : undefined) },
    throwIfAborted: {
      value: () => {
        if (isStopped()) throw reason();
      },
    },
  });
}

function answerTo(folder: Folder, question: Question, ask: Ask<Question>, work: Work): Answer<Question> {
  switch (question) {
    case "check":
      return check(folder, ask as Ask<"check">, work);
    case "fixes": {
      const finding = findFinding(folder, ask as FindingName, work);
      return finding ? withLineEnds(folder, finding.file, analysisOf(folder).fixes(finding)) : [];
    }
    case "fixAll":
      folder.checked.clear();
      return fixAll(
        analysisOf(folder),
        (ask as Ask<"fixAll">).file,
        (file) => checkNow(folder, { paths: [file] }, work).findings.filter((finding) => finding.file === file),
        (file) => textOf(folder, file),
        (file) => analysisOf(folder).setText(file, folder.texts.get(file)),
      );
    default: {
      const name = ask as FindingName;
      const finding = findFinding(folder, name, work);
      const text = textOf(folder, name.file);
      return finding && text !== undefined ? commentAbove(name.file, text, finding.range.start.line, name.rule) : undefined;
    }
  }
}

function check(folder: Folder, ask: Ask<"check">, work: Work): Checked {
  const key = JSON.stringify(ask.paths ?? []);
  const checked = folder.checked.get(key) ?? checkNow(folder, ask, work);
  folder.checked.set(key, checked);
  return checked;
}

function checkNow(folder: Folder, { paths }: Ask<"check">, { signal, onProgress }: Work): Checked {
  const { findings, sites, problems, files } = analysisOf(folder).check({ ...(paths && { paths }), signal, onProgress });
  const { baseline } = folder.settings;
  return { findings: baseline ? applyBaseline(findings, baseline).fresh : findings, sites, problems, files };
}

/** The finding as it is now: a question may be older than the newest text. */
function findFinding(folder: Folder, { file, rule, fingerprint, nth }: FindingName, work: Work): Finding | undefined {
  const { findings } = check(folder, { paths: [file] }, work);
  return findings.filter((one) => one.file === file && one.rule === rule && one.fingerprint === fingerprint)[nth];
}

/** Not every editor makes line ends equal when it applies an edit. A file that is made gets those of the file with the finding. */
function withLineEnds(folder: Folder, found: string, fixes: readonly Fix[]): readonly Fix[] {
  const change = ({ file, edits, create }: Fix["edits"][number]): Fix["edits"][number] => {
    const lineEnd = lineEndOf(textOf(folder, create ? found : file) ?? "");
    const converted = edits.map(({ range, text }) => ({ range, text: text.replaceAll(LINE_END, lineEnd) }));
    return { file, edits: converted, ...(create && { create }) };
  };
  return fixes.map(({ title, kind, preferred, edits }) => ({ title, kind, preferred, edits: edits.map(change) }));
}

function textOf(folder: Folder, file: string): string | undefined {
  const open = folder.texts.get(file);
  if (open !== undefined) return open;
  try {
    return fs.readFileSync(path.join(folder.root, file), "utf8");
  } catch {
    // What cannot be read is not changed either.
    return undefined;
  }
}
