/**
 * A process that cleans, so that a test can kill it or let two of them meet.
 * `node child.ts clean|mixed|undo|purge <root> [undoMs]` acts once and prints the result, or the refusal, as JSON;
 * `mixed` deletes what lies in `.cache/assembly` at once and holds the rest.
 * `node child.ts serve <root>` (forked) does what each message says: `plan`, `clean` (what was planned), `lock`; answers each.
 */
import { cleanUp } from "../../core/cleanUp.ts";
import { loadConfig } from "../../core/config/load.ts";
import { makePlan } from "../../core/makePlan.ts";
import type { Plan } from "../../core/model.ts";
import { Refusal } from "../../core/reclaim/home.ts";
import { acquireLocks } from "../../core/reclaim/lock.ts";
import { purge, undo } from "../../core/runs.ts";

const [verb = "", root = "", undoMs] = process.argv.slice(2);
const environment = {};
let plan: Plan | undefined;

if (verb === "serve") {
  process.on("message", (message) => void answer(String(message)).then((result) => process.send?.(result)));
  process.on("disconnect", () => process.exit());
  process.send?.("ready");
} else {
  process.stdout.write(`${JSON.stringify(await answer(verb))}\n`);
}

async function answer(wanted: string): Promise<unknown> {
  const config = loadConfig(root);
  try {
    switch (wanted) {
      case "plan":
        plan = await makePlan(config, { environment });
        return plan.totals;
      case "clean":
        return await cleanUp(config, plan ?? (await makePlan(config, { environment })), {
          environment,
          ...(undoMs !== undefined && { undoMs: Number(undoMs) }),
        });
      case "mixed": {
        const mixed = await makePlan(config, { environment, mode: "automatic" });
        const items = mixed.items.map((item) => (item.store === "assembly" ? { ...item, undoMs: 0 } : item));
        return await cleanUp(config, { ...mixed, items }, { environment, mode: "automatic" });
      }
      case "lock":
        await acquireLocks([root]); // Until this process ends.
        return {};
      case "undo":
        return await undo(config, undefined);
      default:
        return await purge(root);
    }
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.message };
    throw error;
  }
}
