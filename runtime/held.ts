/** Why a context may not write into the manifest of its job. */
import type { Manifest } from "../core/jobs/manifest.ts";

/** Somebody else is at work on the job, or another run of it began. */
export class Held extends Error {}

/** The run ended, by whomever. */
export class Ended extends Error {
  readonly state: Manifest["job"]["state"];

  constructor(state: Manifest["job"]["state"], message: string) {
    super(message);
    this.state = state;
  }
}
