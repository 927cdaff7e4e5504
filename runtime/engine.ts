/** What the light classes load when they need it: everything that plans, cleans, and reads settings and manifests. */
export { recordUpload } from "../core/uploads.ts";
export { heartbeatFile, myLease, readHeartbeat, startHeartbeat } from "../core/jobs/lease.ts";
export { lockManifests, manifestFile, readManifest, removeManifest, updateManifest } from "../core/jobs/manifests.ts";
export { refuseEntryPath } from "../core/jobs/manifest.ts";
export { refuseManifestTree } from "../core/jobs/owners.ts";
export { clean, type CleanRequest, type Cleaned } from "./clean.ts";
export { clipConfig, configOf, isRetained, layoutProblems, narrowTo, withPolicy } from "./configOf.ts";
export { loadConfig } from "../core/config/load.ts";
export { readPolicyFile } from "./policyFile.ts";
export { whyProtected } from "./whyProtected.ts";
export { placeOf, settingsSignature } from "./place.ts";
export { beginAfter, isRunOf, whoElse } from "./whoElse.ts";
export { isEnabled } from "./isEnabled.ts";
