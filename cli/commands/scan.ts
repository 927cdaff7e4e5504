import { t } from "@vscode/l10n";
import type { TemplatedStore } from "../../core/config/config.ts";
import { matchTemplate } from "../../core/config/template.ts";
import type { FileEntry, Problem } from "../../core/model.ts";
import { walkStores } from "../../core/scan/walk.ts";
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
  for await (const batch of walkStores(stores, {
    signal,
    onProgress: (seen) => terminal.progress(t("Looking … {0}, {1}", countFiles(seen.files), formatBytes(seen.bytes))),
  })) {
    problems.push(...batch.problems);
    for (const file of batch.files) {
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
  );
  return EXIT.done;
}
