/** Makes the trees that the benchmarks look at: many small files in the layout of a video generator. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The templates that together match every file of {@link makeTree}. */
export const TREE_STORES = [
  { name: "audio", role: "intermediate", path: ".cache/audio/{project}/scene-{n}.mp3" },
  { name: "videos", role: "intermediate", path: ".cache/videos/{project}/scene-{n}-*.mp4" },
  { name: "provider", role: "shared", path: "assets/cache/{provider}/{video}.mp4" },
  { name: "assembly", role: "temp", path: ".cache/assembly/{project}/" },
  { name: "final", role: "final", path: ".cache/output/{project}/final.mp4" },
  { name: "thumb", role: "final", path: ".cache/output/{project}/final-thumb.jpg" },
] as const;

const SCENES = 10;
const PROVIDERS = ["pexels", "pixabay", "youtube", "coverr"];

/** Writes exactly `files` files of a few bytes below `root`; a project has 30, two of them in the shared cache. */
export function makeTree(root: string, files: number): void {
  const scenes = Array.from({ length: SCENES }, (_, n) => n + 1);
  let left = files;
  for (let i = 0; left > 0; i++) {
    const project = `project-${i.toString(36).padStart(6, "0")}`;
    const directories: [string, string[]][] = [
      [`.cache/audio/${project}`, scenes.map((n) => `scene-${n}.mp3`)],
      [`.cache/videos/${project}`, scenes.map((n) => `scene-${n}-clip.mp4`)],
      [`.cache/assembly/${project}`, ["concat.txt", "filter.txt", "mix.wav", "joined.mp4"]],
      [`.cache/assembly/${project}/parts`, ["0.ts", "1.ts"]],
      [`.cache/output/${project}`, ["final.mp4", "final-thumb.jpg"]],
      [`assets/cache/${PROVIDERS[i % PROVIDERS.length]}`, [`${project}-a.mp4`, `${project}-b.mp4`]],
    ];
    for (const [directory, names] of directories) left -= plant(join(root, directory), names.slice(0, left));
  }
}

function plant(directory: string, names: readonly string[]): number {
  if (names.length > 0) mkdirSync(directory, { recursive: true });
  for (const name of names) writeFileSync(join(directory, name), "x");
  return names.length;
}
