/**
 * What pipelines import. Nothing in here throws into a pipeline but for a mistake of the caller, which is a TypeError (R88): a video
 * that was made stays made, whatever happens here.
 */
export { type CleanupOptions, cleanupProjectFiles } from "./cleanupProjectFiles.ts";
export { type DeleteOptions, deleteLocalFileAfterUpload } from "./deleteLocalFileAfterUpload.ts";
export { CleanupPolicy, type PolicyOptions, type WatchOptions } from "./cleanupPolicy.ts";
export { CleanupService, type CleanupServiceOptions, type ManualOptions, type ManualResult } from "./cleanupService.ts";
export { ClipStore, type ClipStoreOptions } from "./clipStore.ts";
export { DirectoryManager, type DirectoryManagerOptions, type JobDirectories } from "./directoryManager.ts";
export type { JobContext, StartOptions } from "./jobContext.ts";
export { JobManager, type JobManagerOptions } from "./jobManager.ts";
export { JOB_TYPES, type JobStatus, type JobTypes, LAYOUT, type Layout } from "./layout.ts";
export type { LogFields, Logger } from "./logger.ts";
export { type EntryRole, ManifestTracker, type TrackerOptions } from "./manifestTracker.ts";
export type { Manifest, ManifestEntry } from "../core/jobs/manifest.ts";
export { DEFAULT_POLICY, type PolicyValues } from "./policyValues.ts";
export type { CleanupResult } from "./result.ts";
export type { VerifiedUpload } from "./verifiedUpload.ts";
export type { ItemError, Skipped } from "../core/model.ts";
