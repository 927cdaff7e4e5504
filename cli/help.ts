/** `--help`. */
import { COMMANDS } from "./args.ts";

/** @internal Also read to make the table in the README. */
export const SUMMARIES: Readonly<Record<string, string>> = {
  scan: "count what lies in the stores",
  plan: "show what a cleanup would take and what it keeps, with reasons",
  clean: "clean up, after asking; can be undone",
  undo: "put a cleanup back, the newest by default",
  purge: "free the space that cleanups hold for undo",
  history: "list the cleanups, or the files of one",
  pin: "always keep a file, a project or a store",
  auto: "tell or change AUTO_CLEANUP_ENABLED",
  migrate: "add cleanup_status to the project database (status tracking)",
  doctor: "finish what a crash left, and check everything",
  lsp: "run the language server for an editor",
};

const OPTIONS: Readonly<Record<string, string>> = {
  json: "--json            machine-readable output (schema 1)",
  root: "--root DIR        the workspace; default: the working directory",
  project: "--project ID      only this project (again for more)",
  store: "--store NAME      only this kind of file (again for more)",
  path: "--path FILE       only this file of the run (again for more)",
  why: "--why             the evidence behind each verdict",
  all: "--all             every file, however many",
  orphans: "--orphans         take files without a known project too",
  auto: "--auto            behave as automatic cleaning does: obey AUTO_CLEANUP_ENABLED, leave downloads alone",
  "dry-run": "--dry-run         only show; nothing at all is written",
  plan: "--plan DIGEST     only if the plan is still this one; confirms an unusually large cleanup",
  yes: "-y, --yes         do not ask",
  permanently: "--permanently     delete at once, without undo",
  expired: "--expired         only what can no longer be undone anyway",
  remove: "--remove          take the pin off",
  note: "--note TEXT       say why",
  "exit-code": "--exit-code       exit with 1 when there is something to reclaim",
  stdio: "--stdio           talk over standard input and output",
};

const ARGUMENTS: Readonly<Record<string, string>> = { undo: " [RUN]", purge: " [RUN]", history: " [RUN]", pin: " [FILE]", auto: " [on|off]" };

export function helpFor(command: string): string {
  const known = COMMANDS[command];
  if (!known) return overview();
  const options = [...known.options, "root", "json"].map((option) => `  ${OPTIONS[option] ?? ""}`);
  return `Usage: offcut ${command}${ARGUMENTS[command] ?? ""} [options]\n\n  ${SUMMARIES[command] ?? ""}\n\nOptions:\n${options.join("\n")}`;
}

function overview(): string {
  const width = Math.max(...Object.keys(SUMMARIES).map((name) => name.length));
  const commands = Object.entries(SUMMARIES).map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: offcut COMMAND [options]

Shows which files a media pipeline left behind and why they can go, and cleans them up safely.

Commands:
${commands.join("\n")}

  offcut COMMAND --help   the options of a command
  offcut --version

Exit codes: 0 done · 1 something to reclaim (only with --exit-code) · 2 usage or configuration ·
            3 some items failed · 4 refused (brake, lock, expired plan) · 130 stopped by Ctrl-C`;
}
