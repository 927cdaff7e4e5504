/**
 * Somebody who changes a tree while it is cleaned: `node adversary.ts <root> <outside>`. Swaps directories for links that lead
 * outside and back, and files for others of the same name. It never renames onto a name that exists, so it loses nothing itself.
 * Runs until it is killed.
 */
import fs from "node:fs";
import path from "node:path";

const [root = "", outside = ""] = process.argv.slice(2);
const directory = path.join(root, ".cache/audio/p1");
const above = path.join(root, ".cache/assembly");
const attempt = (act: () => void): void => {
  try {
    act();
  } catch {
    // The cleaner was quicker; the next round comes.
  }
};

const swaps: readonly (() => void)[] = [
  () => swap(directory, path.join(outside, "audio")),
  () => swap(above, path.join(outside, "assembly")),
  () => exchange(path.join(directory, "scene-1.mp3")),
  () => exchange(path.join(directory, "scene-2.mp3")),
  () => exchange(path.join(above, "p1/scene-1.mp4")),
];
const pool = path.join(root, "strangers");
let taken = 0;
for (;;) attempt(swaps[Math.floor(Math.random() * swaps.length)]!);

/** The directory makes room for a link to another one, and comes back. */
function swap(place: string, target: string): void {
  fs.renameSync(place, `${place}.away`);
  fs.symlinkSync(target, place);
  for (let spin = Math.random() * 2000; spin > 0; spin--);
  fs.unlinkSync(place);
  fs.renameSync(`${place}.away`, place);
}

/** The file goes to the strangers, and one of them takes its place, unless somebody else did. */
function exchange(place: string): void {
  fs.renameSync(place, path.join(pool, `${process.pid}-${taken++}`));
  const names = fs.readdirSync(pool);
  const stranger = path.join(pool, names[Math.floor(Math.random() * names.length)] ?? "");
  fs.linkSync(stranger, place);
  fs.unlinkSync(stranger);
}
