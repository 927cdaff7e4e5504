/**
 * Makes a workspace to try Offcut on: `node examples/video-generator/main.ts [directory] [--projects sunrise,harbor,glacier]`.
 * Run it again to get back the files that a cleanup took.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { readConfig, writeMissing } from "../settings.ts";
import { createProject, openDatabase, renderProject, type ProjectDraft, type RenderOptions } from "./pipeline.ts";

interface Demo extends ProjectDraft {
  /** How its render goes. */
  readonly render: Pick<RenderOptions, "failAt" | "pauseAfter">;
}

const DEMOS: readonly Demo[] = [
  {
    id: "sunrise",
    name: "Sunrise from orbit",
    scenes: [
      { text: "Sixteen times a day the sun rises", provider: "nasa", video: "iss-0412" },
      { text: "over the rim of the Earth", provider: "nasa", video: "earth-limb" },
      { text: "and the station's wings begin to glow", provider: "dvids", video: "solar-array" },
      { text: "Below, the harbours are still asleep", provider: "youtube", video: "harbour-dawn" },
      { text: "A thin blue line is all", provider: "nasa", video: "airglow" },
      { text: "that stands between us and the night", provider: "dvids", video: "night-pass" },
    ],
    render: {},
  },
  {
    id: "harbor",
    name: "A harbour wakes",
    scenes: [
      // The same clip as in Sunrise: it must stay as long as this project is not done.
      { text: "Before the first ferry leaves", provider: "youtube", video: "harbour-dawn" },
      { text: "the cranes turn their heads", provider: "dvids", video: "crane-07" },
      { text: "gulls argue about the weather", provider: "youtube", video: "gulls" },
      { text: "and a door opens somewhere", provider: "youtube", video: "quay-door" },
    ],
    render: { pauseAfter: 2 },
  },
  {
    id: "glacier",
    name: "The glacier's clock",
    scenes: [
      { text: "Ice keeps time in layers", provider: "nasa", video: "ice-core" },
      { text: "one for each winter", provider: "dvids", video: "snowfield" },
      { text: "until the meltwater takes them", provider: "nasa", video: "withdrawn" },
    ],
    render: { failAt: 3 },
  },
];

const ENV = `# Read by the pipeline and by Offcut: "false" leaves every intermediate file in place.
AUTO_CLEANUP_ENABLED=true
`;

const GITIGNORE = `.env
.cache/
.offcut/
assets/cache/
data/
`;

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));

try {
  await makeDemo();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}

async function makeDemo(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { projects: { type: "string", multiple: true } } });
  const root = resolve(positionals[0] ?? "demo-workspace");
  const demos = chosen(values.projects);
  const offcut = readConfig(new URL("offcut.json", import.meta.url), root);
  writeMissing(root, { "offcut.json": offcut, ".env": ENV, ".gitignore": GITIGNORE });
  for (const demo of demos) {
    if (!hasProject(root, demo.id)) createProject(root, demo);
    await render(root, demo);
  }
  console.log(`Workspace: ${root}`);
}

function chosen(names: readonly string[] | undefined): readonly Demo[] {
  if (names === undefined) return DEMOS;
  return names
    .flatMap((name) => name.split(","))
    .map((name) => {
      const demo = DEMOS.find(({ id }) => id === name);
      if (demo === undefined) throw new Error(`no project "${name}": choose from ${DEMOS.map(({ id }) => id).join(", ")}`);
      return demo;
    });
}

async function render(root: string, demo: Demo): Promise<void> {
  try {
    await renderProject(root, demo.id, { ...demo.render, signal: interrupt.signal, log: (message) => console.log(message) });
  } catch (error) {
    // This one is meant to fail; any other failure ends the program.
    if (demo.render.failAt === undefined || interrupt.signal.aborted) throw error;
    console.log(`${demo.id}: ${messageOf(error)}`);
  }
}

function hasProject(root: string, id: string): boolean {
  const database = openDatabase(root);
  try {
    return database.prepare("SELECT 1 FROM projects WHERE id = ?").get(id) !== undefined;
  } finally {
    database.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
