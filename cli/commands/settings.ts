/** Pins and the switch. */
import fs from "node:fs";
import path from "node:path";
import { t } from "@vscode/l10n";
import { readCatalog } from "../../core/catalog/catalog.ts";
import { writeOverride } from "../../core/catalog/write.ts";
import { AUTO_CLEANUP, parseSwitch, resolveAutoCleanup, writeAutoCleanup } from "../../core/config/auto.ts";
import type { Config } from "../../core/config/config.ts";
import type { AutoCleanup } from "../../core/model.ts";
import type { Pin } from "../../core/plan/pins.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { addPin, readPins, removePin } from "../../core/reclaim/records.ts";
import { walkStores } from "../../core/scan/walk.ts";
import { UsageError } from "../args.ts";
import { type Context, configOf, noOwner } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { formatProblem, table, visible } from "../terminal.ts";
import { isOf } from "./scan.ts";

/** Lists, adds or removes what is always kept (R29). */
export async function pin(context: Context): Promise<ExitCode> {
  const { args, terminal, root } = context;
  const config = configOf(context);
  const wanted = pinsWanted(context, config);
  if (!args.has("remove")) for (const id of args.projects ?? []) await checkProject(context, config, id);
  for (const one of wanted) {
    if (!args.has("remove")) addPin(root, one);
    else if (!removePin(root, one.kind, one.value)) throw new UsageError(t("there is no pin on {0} {1}", one.kind, one.value));
  }
  const { list } = readPins(root);
  if (args.json) terminal.printJson({ root, pins: list });
  else if (list.length === 0) terminal.print(t("Nothing is pinned."));
  else
    terminal.print(
      ...table(
        terminal,
        [{ title: t("ALWAYS KEEP") }, { title: "" }, { title: t("SINCE") }, { title: t("NOTE"), flexible: true }],
        list.map((one) => [one.kind, one.value, one.added.slice(0, 10), one.note ?? ""]),
      ),
    );
  return EXIT.done;
}

function pinsWanted({ args, root }: Context, config: Config): Pin[] {
  const added = new Date().toISOString();
  const note = args.note === undefined ? {} : { note: args.note };
  const files = args.positionals.map((file) => {
    const relative = path.relative(root, path.resolve(root, file)).split(path.sep).join("/");
    if (relative === "" || relative === ".." || relative.startsWith("../") || path.isAbsolute(relative))
      throw new UsageError(t("{0} is not below {1}", file, root));
    if (!args.has("remove") && !fs.lstatSync(path.join(root, relative), { throwIfNoEntry: false }))
      throw new UsageError(t("{0} is not there; give the path as it is below {1}", file, root));
    return relative;
  });
  const unknown = args.stores?.find((store) => !config.stores.some((known) => known.name === store));
  if (unknown !== undefined && !args.has("remove"))
    throw new UsageError(
      t('there is no store "{0}"; the stores are {1}', unknown, config.stores.map((store) => store.name).join(", ") || t("none")),
    );
  const toPin =
    (kind: Pin["kind"]) =>
    (value: string): Pin => ({ kind, value, added, ...note });
  return [...files.map(toPin("file")), ...(args.projects ?? []).map(toPin("project")), ...(args.stores ?? []).map(toPin("store"))];
}

/** A pin on a mistyped project would protect nothing, in silence. */
async function checkProject({ terminal, signal }: Context, config: Config, id: string): Promise<void> {
  const { owners, unavailable } = await readCatalog(config, { checkPages: false, signal });
  if (owners.has(id)) return;
  for await (const { files } of walkStores(config.stores, { signal })) {
    if (files.some((file) => isOf([id], config.stores, file))) return;
  }
  if (unavailable !== undefined)
    return terminal.warn(visible(t('note: whether there is a project or job "{0}" is not known: {1}', id, unavailable)));
  throw new UsageError(noOwner(id, [...owners.keys()]));
}

/** Tells or changes AUTO_CLEANUP_ENABLED. */
export async function auto(context: Context): Promise<ExitCode> {
  const { args, terminal } = context;
  const config = configOf(context);
  const [word] = args.positionals;
  const wanted = word === undefined ? undefined : parseSwitch(word);
  if (word !== undefined && wanted === undefined) throw new UsageError(t('"{0}" is neither on nor off', word));
  const changed = wanted === undefined ? undefined : await change(context, config, wanted);
  const now = await resolve(context, config);
  if (wanted !== undefined && now.enabled !== wanted)
    terminal.warn(t("note: {0} still decides: {1}", now.source, now.enabled ? t("on") : t("off")));
  if (args.json) terminal.printJson({ ...now, ...(changed !== undefined && { changed }) });
  else
    terminal.print(
      ...(changed === undefined ? [] : [changed]),
      t(
        "{0} is {1} ({2}).",
        AUTO_CLEANUP,
        now.enabled ? t("on") : t("off"),
        now.value === undefined ? now.source : `${now.source}: ${now.value}`,
      ),
    );
  return EXIT.done;
}

async function change(context: Context, config: Config, wanted: boolean): Promise<string> {
  const { args, terminal } = context;
  const now = await resolve(context, config);
  if (now.kind === "environment")
    throw new Refusal(t("{0} is set in the environment, which counts more than any file; change it there (unset {0})", AUTO_CLEANUP));
  if (now.kind === "database") {
    const database = config.databases.find((one) => one.autoCleanup !== undefined);
    if (!database) throw new Refusal(t("no database overrides {0} any more; try again", AUTO_CLEANUP));
    if (now.enabled === wanted) return t("{0} says so already; nothing was changed.", now.source);
    if (!args.has("yes")) {
      if (!terminal.interactive)
        throw new UsageError(t("{0} decides, so the database would have to be written; add --yes to do that", now.source));
      const answer = await terminal.ask(t("{0} decides, so the database {1} has to be written. Go on? [y/N] ", now.source, database.label));
      if (!/^y(es)?$/i.test(answer)) return t("Nothing was changed.");
    }
    writeOverride(database, wanted);
    return t("Changed {0}.", now.source);
  }
  const edit = writeAutoCleanup(config.root, wanted);
  return edit.before === ""
    ? t("Added line {0} to {1}.", edit.line, edit.file)
    : t("Changed {0}:{1} from {2} to {3}.", edit.file, edit.line, edit.before, edit.after);
}

async function resolve(context: Context, config: Config): Promise<AutoCleanup> {
  const { override } = await readCatalog(
    {
      ...config,
      stores: [],
      databases: config.databases.map(({ owners: _owners, outputs: _outputs, ...database }) => ({ ...database, references: {} })),
    },
    { checkPages: false },
  );
  const { auto: value, problems } = resolveAutoCleanup({
    root: config.root,
    environment: context.environment,
    ...(override && { override }),
    debugModeDisables: config.policy.debugModeDisables,
    enabled: config.policy.enabled,
  });
  for (const problem of problems) context.terminal.warn(formatProblem(problem));
  return value;
}
