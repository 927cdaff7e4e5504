/** Makes a workspace to try Offcut on: `node examples/clip-store/main.ts [directory]`. Run it again for another day's clips. */
import { resolve } from "node:path";
import { readConfig, writeMissing } from "../settings.ts";
import { startService } from "./service.ts";

const EVENTS = ["door", "yard", "gate", "roof"].flatMap((camera) => [1, 2, 3, 4].map((number) => `${camera}-${number}`));
const FETCHED = ["door-1", "door-2"];

try {
  await makeDemo();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function makeDemo(): Promise<void> {
  const root = resolve(process.argv[2] ?? "demo-clips");
  writeMissing(root, { "offcut.json": readConfig(new URL("offcut.json", import.meta.url), root), ".gitignore": ".offcut/\ndata/\n" });
  await using service = await startService(root, (message) => console.log(message));
  for (const event of EVENTS) await service.record(event);
  console.log(`recorded ${EVENTS.length} clips`);
  for (const event of FETCHED) if (await service.fetched(event)) console.log(`${event}: fetched, so it is gone`);
  console.log(`Workspace: ${root}`);
}
