/** `--help`. */
import { t } from "@vscode/l10n";
import { COMMANDS, type OptionName } from "./args.ts";
import { explainRules } from "./check/ruleTexts.ts";

function summarise(): Readonly<Record<string, string>> {
  return {
    scan: t("count what lies in the stores"),
    plan: t("show what a cleanup would take and what it keeps, with reasons"),
    clean: t("clean up, after asking; can be undone"),
    undo: t("put a cleanup back, the newest by default"),
    purge: t("free the space that cleanups hold for undo"),
    history: t("list the cleanups, or the files of one"),
    watch: t("clean by itself, on schedule, as automatic cleaning does"),
    jobs: t("list the jobs; release or hold what a failed one left; forget one that is damaged or lost"),
    pin: t("always keep a file, a project or a store"),
    auto: t("tell or change AUTO_CLEANUP_ENABLED"),
    migrate: t("add cleanup_status to the project database (status tracking)"),
    doctor: t("finish what a crash left, and check everything"),
    check: t("find the code that leaves files behind, and mend it"),
    lsp: t("run the language server for an editor"),
  };
}

/** @internal Read to make the table in the README, in English: no language is set when this file is loaded. */
export const SUMMARIES = summarise();

const OPTION_WIDTH = 19;

function explainOptions(): Readonly<Partial<Record<OptionName, readonly [option: string, meaning: string]>>> {
  return {
    json: ["--json", t("machine-readable output (schema 1)")],
    root: ["--root DIR", t("the workspace; default: the working directory")],
    project: ["--project ID", t("only this project (again for more)")],
    job: ["--job ID", t("only this job; the same as --project")],
    store: ["--store NAME", t("only this kind of file (again for more)")],
    path: ["--path FILE", t("only this file of the run (again for more)")],
    why: ["--why", t("the evidence behind each verdict")],
    all: ["--all", t("every file, however many")],
    orphans: ["--orphans", t("take files without a known project too")],
    auto: ["--auto", t("behave as automatic cleaning does: obey AUTO_CLEANUP_ENABLED, leave downloads alone")],
    "dry-run": ["--dry-run", t("only show; nothing at all is written")],
    plan: ["--plan DIGEST", t("only if the plan is still this one; confirms an unusually large cleanup")],
    yes: ["-y, --yes", t("do not ask")],
    permanently: ["--permanently", t("delete at once, without undo")],
    expired: ["--expired", t("only what can no longer be undone anyway")],
    remove: ["--remove", t("take the pin off")],
    note: ["--note TEXT", t("say why")],
    "exit-code": ["--exit-code", t("exit with 1 when there is something to reclaim, 2 when nothing can be decided")],
    format: ["--format FORMAT", t("text, json, sarif (2.1.0) or github (annotations); --json is --format json")],
    rule: ["--rule ID", t("only findings of this rule (again, or with commas, for more)")],
    sort: ["--sort ORDER", t("file, or bytes: what leaves the most on the disk first")],
    "max-warnings": ["--max-warnings N", t("exit with 0 as long as there are no more warnings, and no errors")],
    fix: ["--fix", t("change the code: apply the fixes and show what remains")],
    baseline: ["--baseline FILE", t("leave out what is in this file; default: offcut-baseline.json, if it is there")],
    "update-baseline": ["--update-baseline", t("write what is found to the baseline")],
    explain: ["--explain RULE", t("show the page about a rule: why it matters, what is wrong and what is right")],
    once: ["--once", t("one round and no more, for cron and systemd")],
    every: ["--every TIME", t("how often, e.g. 5m; default: what offcut.json says (policy.every, stores.NAME.every)")],
    verbose: ["--verbose", t("tell every round, also where nothing was to be done")],
    stdio: ["--stdio", t("talk over standard input and output, as it does anyway")],
  };
}

/** Options that mean something else to a command. */
function explainOtherwise(): Readonly<Record<string, ReturnType<typeof explainOptions>>> {
  return {
    pin: {
      project: ["--project ID", t("always keep this project (again for more)")],
      job: ["--job ID", t("always keep this job; the same as --project")],
      store: ["--store NAME", t("always keep this kind of file (again for more)")],
    },
    jobs: { yes: ["-y, --yes", t("forget without being asked")] },
  };
}

const ARGUMENTS: Readonly<Record<string, string>> = {
  undo: " [RUN]",
  purge: " [RUN]",
  history: " [RUN]",
  jobs: " [release ID | hold ID | forget ID]",
  pin: " [FILE]",
  auto: " [on|off]",
  check: " [PATH...]",
};

/** What a command's options don't tell. */
function explainFurther(): Readonly<Record<string, readonly string[]>> {
  return {
    watch: [
      t("There is one per workspace. A round begins at once and then every 15 minutes, unless offcut.json says otherwise; offcut.json is"),
      t("read anew each time. Only what changed is told, and whatever needs somebody's attention; on a terminal every round is."),
      t("With --once what stays wrong is told once a day, because cron mails whatever is told."),
      "",
      t("Signals: SIGHUP begins a round now; SIGINT and SIGTERM stop between two files, a second one at once."),
      t("Exit codes: 0 stopped; with --once: done, nothing to do, or automatic cleanup is off · 2 usage or configuration ·"),
      `            ${t("3 some items failed · 4 refused: the brake, a lock, or another process watches · 130 stopped with --once, or at once")}`,
    ],
    jobs: [
      t("release ID  the job (or project) failed and its files are held for debugging: let them go with the next cleanup"),
      t("hold ID     take that back"),
      t("forget ID   set a damaged manifest aside; what only it protects is nobody's then, and stays until somebody takes it by hand;"),
      t("            or forget that a job was started when that could not be noted and its process is gone;"),
      t("            or count a job as failed that says it is running, where nobody can see its process and it gives no signs of life"),
    ],
    check: [
      t("A PATH is a file or a directory below the workspace, from the working directory or from the workspace; default: all of it."),
      "",
      t("Exit codes: 0 no errors or warnings beside those in the baseline · 1 some · 2 usage or configuration ·"),
      `            ${t("130 stopped by Ctrl-C")}`,
      "",
      t("Rules (--explain RULE has the page of one):"),
      ...explainShortly(),
    ],
  };
}

function explainShortly(): readonly string[] {
  const rules = Object.entries(explainRules());
  const width = Math.max(...rules.map(([rule]) => rule.length));
  return rules.map(([rule, { short }]) => `  ${rule.padEnd(width)}  ${short}`);
}

export function helpFor(command: string): string {
  const known = COMMANDS[command];
  if (!known) return overview();
  const meanings = { ...explainOptions(), ...explainOtherwise()[command] };
  const options = [...known.options, "root" as const, "json" as const].map((name) => {
    const [option, meaning] = meanings[name] ?? [name, ""];
    return `  ${option.padEnd(OPTION_WIDTH)}${meaning}`;
  });
  const further = explainFurther()[command];
  const usage = t("Usage: offcut {0} [options]", `${command}${ARGUMENTS[command] ?? ""}`);
  return [usage, "", `  ${summarise()[command] ?? ""}`, "", t("Options:"), ...options, ...(further ? ["", ...further] : [])].join("\n");
}

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const commands = Object.entries(summarise()).map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    t("Usage: offcut COMMAND [options]"),
    "",
    t("Shows which files a media pipeline left behind and why they can go, and cleans them up safely."),
    "",
    t("Commands:"),
    ...commands,
    "",
    `  ${t("offcut COMMAND --help   the options of a command")}`,
    "  offcut --version",
    "",
    t("Exit codes: 0 done · 1 something to reclaim (only with --exit-code), or findings (check) · 2 usage or configuration ·"),
    `            ${t("3 some items failed · 4 refused (brake, lock, expired plan) · 130 stopped by Ctrl-C")}`,
  ].join("\n");
}
