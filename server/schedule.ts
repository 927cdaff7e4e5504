/** Who enforces the policy of a folder, and when, for the client. */
import os from "node:os";
import path from "node:path";
import { type Config, ConfigError } from "../core/config/config.ts";
import { loadConfig } from "../core/config/load.ts";
import { homeOf } from "../core/reclaim/home.ts";
import { roundIntervalMs } from "../core/rounds.ts";
import { readSchedule } from "../core/schedule.ts";
import { uriOf } from "./convert.ts";
import { type Schedule, scheduleNotification, type ScheduleParams } from "./protocol.ts";
import type { Session } from "./session.ts";

export function scheduleOf(config: Config): Schedule {
  const { running, last, next } = readSchedule(config.root);
  const { pid, host } = running?.process ?? {};
  return {
    everyMs: running?.everyMs ?? roundIntervalMs(config),
    ...(running &&
      pid !== undefined && {
        running: { by: running.by, pid, here: running.here, ...(host !== undefined && host !== os.hostname() && { host }) },
      }),
    ...(last && { last: { ...last, message: last.message.replaceAll(config.root + path.sep, "") } }),
    ...(next !== undefined && { next }),
  };
}

/** Where other processes note what they do. */
export function scheduleFile(root: string): string {
  return path.join(homeOf(root), "watch.json");
}

const told = new WeakMap<Session, Map<string, string>>();

/** Tells the client; signs of life alone, which touch the file, are no news. */
export function tellSchedule(session: Session, root: string): void {
  let schedule: Schedule;
  try {
    schedule = scheduleOf(loadConfig(root));
  } catch (error) {
    // Whoever plans hears what is wrong with the configuration.
    if (error instanceof ConfigError) return;
    throw error;
  }
  const known = told.get(session) ?? new Map<string, string>();
  told.set(session, known);
  const key = JSON.stringify({
    ...schedule,
    next: schedule.next === undefined ? undefined : Math.round(Date.parse(schedule.next) / 10_000),
  });
  if (known.get(root) === key) return;
  known.set(root, key);
  const params: ScheduleParams = { folder: uriOf(root), schedule };
  void session.connection.sendNotification(scheduleNotification, params);
}
