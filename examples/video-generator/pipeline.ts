/**
 * A small video generator: every scene of a project gets a voice and a picture, the scenes become one video.
 * The files it leaves behind on the way are what this example is about.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { concatenate, cutSegment, downloadClip, mux, narrate, speakingSeconds, takeThumbnail, type Studio } from "./media.ts";

export type ProjectStatus = "draft" | "rendering" | "complete" | "failed";

/** What is said in a scene, and which clip of which provider is shown. */
export interface SceneDraft {
  readonly text: string;
  readonly provider: string;
  readonly video: string;
}

export interface ProjectDraft {
  readonly id: string;
  readonly name?: string;
  readonly scenes: readonly SceneDraft[];
}

export interface RenderOptions {
  readonly signal?: AbortSignal;
  readonly log?: (message: string) => void;
  /** Width × height, `320x180` unless told. */
  readonly size?: string;
  /** For demonstrations: the provider has no clip for the scene of this number. */
  readonly failAt?: number;
  /** For demonstrations: stop after this many scenes and leave the project as a render that is still going on looks. */
  readonly pauseAfter?: number;
}

interface Scene extends SceneDraft {
  readonly id: string;
  readonly number: number;
}

const SCHEMA_VERSION = 7;
const SCENES_AT_ONCE = 2;

/** Opens `data/app.db` and makes it when it is not there yet. The caller closes it. */
export function openDatabase(root: string): DatabaseSync {
  mkdirSync(join(root, "data"), { recursive: true });
  const database = new DatabaseSync(join(root, "data", "app.db"));
  database.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON");
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version < SCHEMA_VERSION) {
    transact(database, () => {
      database.exec(readFileSync(new URL("schema.sql", import.meta.url), "utf8"));
      database.exec(`INSERT INTO user_preferences (id) VALUES ('default'); PRAGMA user_version = ${SCHEMA_VERSION}`);
    });
  }
  return database;
}

/** Writes the rows of a new project in status `draft`. Throws when the id is taken or cannot be part of a path. */
export function createProject(root: string, project: ProjectDraft): void {
  for (const part of [project.id, ...project.scenes.flatMap((scene) => [scene.provider, scene.video])]) {
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(part)) throw new Error(`"${part}" cannot be part of a path: use letters, digits, - and _`);
  }
  const database = openDatabase(root);
  try {
    transact(database, () => {
      database.prepare("INSERT INTO projects (id, name) VALUES (?, ?)").run(project.id, project.name ?? project.id);
      const scenes = database.prepare("INSERT INTO scenes (id, project_id, scene_number, text) VALUES (?, ?, ?, ?)");
      const visuals = database.prepare("INSERT INTO visual_suggestions (id, scene_id, provider, video_id) VALUES (?, ?, ?, ?)");
      for (const [index, { text, provider, video }] of project.scenes.entries()) {
        const scene = `${project.id}-s${index + 1}`;
        scenes.run(scene, project.id, index + 1, text);
        visuals.run(`${scene}-visual`, scene, provider, video);
      }
    });
  } finally {
    database.close();
  }
}

/**
 * Renders a project, new or once more, and leaves it `complete`; when a step fails or the signal aborts, `failed`, and rejects.
 */
export async function renderProject(root: string, id: string, options: RenderOptions = {}): Promise<void> {
  const log = options.log ?? (() => {});
  const database = openDatabase(root);
  try {
    const scenes = readScenes(database, id);
    if (scenes.length === 0) throw new Error(`project ${id} has no scenes`);
    setStatus(database, id, "rendering");
    try {
      await renderScenes(root, database, id, scenes.slice(0, options.pauseAfter), { ...options, log });
      if (options.pauseAfter !== undefined) return;
      await assemble({ root, size: sizeOf(options), signal: options.signal }, database, id, scenes);
      log(`${id}: complete`);
    } catch (error) {
      setStatus(database, id, "failed");
      log(`${id}: failed`);
      throw error;
    }
    // From here on only the final video and its thumbnail are needed. The scenes' audio, the segments, the assembly directory and
    // the downloaded clips that no unfinished project uses stay on disk: this is the place where the pipeline would clean up
    // after project `id`. A failure to clean up must not make the project fail: the video is made.
  } finally {
    database.close();
  }
}

/** Renders a few scenes at a time. The first failure stops the others, and nothing runs on once this has settled. */
async function renderScenes(
  root: string,
  database: DatabaseSync,
  id: string,
  scenes: readonly Scene[],
  options: RenderOptions & { readonly log: (message: string) => void },
): Promise<void> {
  const failure = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failure.signal]) : failure.signal;
  const studio: Studio = { root, size: sizeOf(options), signal };
  const queue = scenes.values();
  const started: Promise<void>[] = [];

  const work = async (): Promise<void> => {
    for (const scene of queue) {
      signal.throwIfAborted();
      if (scene.number === options.failAt) {
        // A demonstration looks the same each time: what was begun before is done.
        await Promise.allSettled(started);
        throw new Error(`${scene.provider} has no clip ${scene.video} (scene ${scene.number} of ${id})`);
      }
      const rendering = renderScene(studio, database, id, scene);
      started.push(rendering);
      await rendering;
      options.log(`${id}: scene ${scene.number}`);
    }
  };
  await Promise.allSettled(Array.from({ length: SCENES_AT_ONCE }, () => work().catch((error: unknown) => failure.abort(error))));
  signal.throwIfAborted();
}

async function renderScene(studio: Studio, database: DatabaseSync, id: string, scene: Scene): Promise<void> {
  const { number, text, provider, video } = scene;
  const audio = `.cache/audio/${id}/scene-${number}.mp3`;
  const clip = `assets/cache/${provider}/${video}.mp4`;
  const segment = `.cache/videos/${id}/scene-${number}-${provider}-${video}.mp4`;
  const seconds = speakingSeconds(text);

  await narrate(studio, text, audio);
  database
    .prepare("INSERT OR REPLACE INTO audio_files (id, project_id, scene_id, file_path, duration) VALUES (?, ?, ?, ?, ?)")
    .run(`${scene.id}-audio`, id, scene.id, audio, seconds);

  await downloadClip(studio, clip);
  await cutSegment(studio, clip, seconds, segment);
  database.prepare("UPDATE visual_suggestions SET default_segment_path = ? WHERE scene_id = ?").run(segment, scene.id);

  await mux(studio, segment, audio, `.cache/assembly/${id}/scene-${number}.mp4`);
}

async function assemble(studio: Studio, database: DatabaseSync, id: string, scenes: readonly Scene[]): Promise<void> {
  const final = `.cache/output/${id}/final.mp4`;
  const thumbnail = `.cache/output/${id}/final-thumb.jpg`;
  const parts = scenes.map((scene) => `scene-${scene.number}.mp4`);

  await concatenate(studio, `.cache/assembly/${id}`, parts, final);
  await takeThumbnail(studio, final, thumbnail);
  const { size } = await stat(join(studio.root, final));
  transact(database, () => {
    database
      .prepare("INSERT OR REPLACE INTO rendered_videos (id, project_id, file_path, thumbnail_path, file_size) VALUES (?, ?, ?, ?, ?)")
      .run(`${id}-final`, id, final, thumbnail, size);
    setStatus(database, id, "complete");
  });
}

function readScenes(database: DatabaseSync, id: string): Scene[] {
  const rows = database
    .prepare(
      `SELECT scenes.id, scene_number, text, provider, video_id FROM scenes
       JOIN visual_suggestions ON visual_suggestions.scene_id = scenes.id
       WHERE project_id = ? ORDER BY scene_number`,
    )
    .all(id);
  return rows.map((row) => ({
    id: String(row["id"]),
    number: Number(row["scene_number"]),
    text: String(row["text"]),
    provider: String(row["provider"]),
    video: String(row["video_id"]),
  }));
}

function setStatus(database: DatabaseSync, id: string, status: ProjectStatus): void {
  const completed = status === "complete" ? "datetime('now')" : "NULL";
  database.prepare(`UPDATE projects SET status = ?, completed_at = ${completed} WHERE id = ?`).run(status, id);
}

function transact(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function sizeOf(options: RenderOptions): string {
  return options.size ?? "320x180";
}
