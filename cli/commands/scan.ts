import { t } from "@vscode/l10n";
import type { TemplatedStore } from "../../core/config/config.ts";
import { matchTemplate, parseTemplate } from "../../core/config/template.ts";
import type { FileEntry, Problem, Totals } from "../../core/model.ts";
import { walkStores, type WalkStore } from "../../core/scan/walk.ts";
import { countFiles, formatBytes, formatDuration } from "../../core/words.ts";
import { UsageError } from "../args.ts";
import { type Context, configOf } from "../context.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { formatProblem, table } from "../terminal.ts";

interface StoreCount {
  files: number;
  bytes: number;
  newestMs: number;
  oldestMs: number;
}

/** By the path alone: who else uses a file, only the database knows. */
export function isOf(projects: readonly string[] | undefined, stores: readonly TemplatedStore[], file: FileEntry): boolean {
  if (projects === undefined) return true;
  const store = stores.find((one) => one.name === file.store);
  const owner = store?.ownerCapture === undefined ? undefined : matchTemplate(store.template, file.path)?.[store.ownerCapture];
  return owner !== undefined && projects.includes(owner);
}

/** A directory of stores: what lies in it and no store takes is managed by nobody. */
interface Rest {
  readonly root: string;
  readonly path: string;
  files: number;
  bytes: number;
}

/** By the name of a store that takes everything in there; the deepest first, and each comes after all that are written. */
function restsOf(stores: readonly TemplatedStore[]): ReadonlyMap<string, Rest> {
  const rests = new Map<string, Rest>();
  for (const { root, template } of stores.toSorted((a, b) => b.template.prefix.length - a.template.prefix.length))
    if (template.prefix !== "") rests.set(`\0${root}\0${template.prefix}`, { root, path: template.prefix, files: 0, bytes: 0 });
  return rests;
}

/** Other stores may take what lies in the same directories. */
function withNeighbours(chosen: readonly TemplatedStore[], all: readonly TemplatedStore[]): readonly TemplatedStore[] {
  const isIn = (inner: TemplatedStore, outer: TemplatedStore): boolean =>
    inner.root === outer.root && `${inner.template.prefix}/`.startsWith(`${outer.template.prefix}/`);
  return all.filter((one) => chosen.some((store) => isIn(one, store) || isIn(store, one)));
}

/** Counts what lies in the stores; decides nothing, and reads no database. */
export async function scan(context: Context): Promise<ExitCode> {
  const { args, terminal, signal } = context;
  const config = configOf(context);
  const unknown = args.stores?.find((name) => !config.stores.some((store) => store.name === name));
  if (unknown !== undefined)
    throw new UsageError(
      t('there is no store "{0}"; the stores are {1}', unknown, config.stores.map((store) => store.name).join(", ") || t("none")),
    );
  const stores = config.stores.filter((store) => args.stores === undefined || args.stores.includes(store.name));
  const counts = new Map<string, StoreCount>(
    stores.map((store) => [store.name, { files: 0, bytes: 0, newestMs: -Infinity, oldestMs: Infinity }]),
  );
  const problems: Problem[] = [...config.problems];
  // Nobody knows whose files those are, so of a project there are none.
  const rests = args.projects === undefined ? restsOf(stores) : new Map<string, Rest>();
  const takeRest = [...rests].map(([name, { root, path }]): WalkStore => ({
    name,
    role: "temp",
    root,
    template: parseTemplate(`${path}/`),
  }));
  for await (const batch of walkStores([...withNeighbours(stores, config.stores), ...takeRest], {
    signal,
    onProgress: (seen) => terminal.progress(t("Looking … {0}, {1}", countFiles(seen.files), formatBytes(seen.bytes))),
  })) {
    problems.push(...batch.problems);
    for (const file of batch.files) {
      const rest = rests.get(file.store);
      if (rest && file.type === "file") {
        rest.files++;
        rest.bytes += file.bytes;
      }
      const count = counts.get(file.store);
      if (!count || !isOf(args.projects, stores, file)) continue;
      count.files++;
      count.bytes += file.bytes;
      count.newestMs = Math.max(count.newestMs, file.mtimeMs);
      count.oldestMs = Math.min(count.oldestMs, file.mtimeMs);
    }
  }
  terminal.progress(undefined);
  const total = [...counts.values()].reduce((sum, count) => ({ files: sum.files + count.files, bytes: sum.bytes + count.bytes }), {
    files: 0,
    bytes: 0,
  });
  const unmatched = [...rests.values()].filter(({ files }) => files > 0);
  if (args.json) {
    terminal.printJson({
      root: config.root,
      stores: stores.map((store) => ({
        name: store.name,
        role: store.role,
        path: store.path,
        files: counts.get(store.name)?.files ?? 0,
        bytes: counts.get(store.name)?.bytes ?? 0,
      })),
      total,
      unmatched: unmatched.map(({ root, path, files, bytes }) => ({ ...(root !== config.root && { root }), path, files, bytes })),
      problems,
    });
    return EXIT.done;
  }
  for (const problem of problems) if (problem.severity !== "info" || args.has("why")) terminal.warn(formatProblem(problem));
  const now = Date.now();
  terminal.print(
    ...table(
      terminal,
      [
        { title: t("KIND") },
        { title: t("ROLE") },
        { title: t("FILES"), align: "right" },
        { title: t("BYTES"), align: "right" },
        { title: t("NEWEST"), align: "right" },
        { title: t("OLDEST"), align: "right" },
        { title: t("PATH"), flexible: true },
      ],
      stores.map((store) => {
        const count = counts.get(store.name);
        const age = (ms: number | undefined): string => (ms === undefined || !Number.isFinite(ms) ? "-" : formatDuration(now - ms));
        return [
          store.name,
          store.role,
          String(count?.files ?? 0),
          formatBytes(count?.bytes ?? 0),
          age(count?.newestMs),
          age(count?.oldestMs),
          store.path,
        ];
      }),
    ),
    "",
    terminal.style("bold", t("{0} in {1}", formatBytes(total.bytes), countFiles(total.files))),
    ...unmatched.map((rest) => terminal.style("dim", sayRest(rest))),
  );
  return EXIT.done;
}

function sayRest({ path, files, bytes }: Totals & { readonly path: string }): string {
  return files === 1
    ? t("1 file in {0} ({1}) matches no store, so it always stays", path, formatBytes(bytes))
    : t("{0} in {1} ({2}) match no store, so they always stay", countFiles(files), path, formatBytes(bytes));
}
