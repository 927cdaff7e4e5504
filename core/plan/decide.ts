/**
 * The decision about one file. Pure: facts in, verdict out. The order of the questions is the precedence of SAFETY rules R26–R31,
 * first match wins: pinned, live, final output, failed and held, referenced, younger than grace, retention, policy. Pressure comes
 * last and sees a whole store: `pressure.ts`.
 */
import { t } from "@vscode/l10n";
import type { Policy } from "../config/config.ts";
import type { OwnerState, Reason, Role, UploadCheck, Verdict } from "../model.ts";
import { formatBytes, formatDuration } from "../words.ts";

/** A project that owns or uses the file. */
export interface OwnerFacts {
  readonly id: string;
  /** `absent`: no database knows it. */
  readonly state: OwnerState | "absent";
  readonly status: string;
  /** Where its state was read. */
  readonly source: string;
  /** Who holds its lease, in words. */
  readonly lease?: string;
  /** It failed, and somebody let its files go. */
  readonly released?: boolean;
  /** It says that it makes no final, so none proves that it is done. */
  readonly makesNoFinal?: boolean;
  /** Why it is said to own the file: the file's path, or a table that refers to it. */
  readonly by: "path" | { readonly table: string };
  /** What proves that the project is finished (R34): its outputs, checked. */
  readonly finals: readonly {
    readonly name: string;
    readonly status: "complete" | "incomplete" | "missing" | "unknown";
    readonly bytes: number;
    readonly detail: string;
    readonly work: boolean;
  }[];
}

export interface Facts {
  readonly role: Role;
  readonly store: string;
  readonly type: "file" | "link" | "other";
  readonly links: number;
  /** The word for an owner, e.g. `project`. */
  readonly ownerWord: string;
  readonly owners: readonly OwnerFacts[];
  /** Milliseconds since the youngest of event time, mtime and ctime; negative when that is in the future (R46). */
  readonly ageMs: number;
  /** How long ago an undo put it back, milliseconds; absent when none did lately. */
  readonly undoneAgoMs?: number;
  readonly pinned?: string;
  readonly gitTracked: boolean;
  /** A database, a settings file or the like. */
  readonly state: boolean;
  /** Another file that a database could mean by the same path (R11). */
  readonly twin?: string;
  /** Why nothing can be decided. */
  readonly unavailable?: string;
  /** The table that names this very file as an output, or the role of its store. */
  readonly output?: string;
  /** What is known of its remote copy, or why nothing is. */
  readonly upload?: UploadCheck | { readonly status: "unknown"; readonly detail: string };
}

export interface Circumstances {
  readonly policy: Policy;
  /** By hand, or by itself after a job or on a schedule. */
  readonly mode: "manual" | "automatic";
  /** Files without an owner were asked for by name (R30). */
  readonly orphans: boolean;
  /** Whether automatic cleaning may take files of the store (R33). */
  readonly automatic: boolean;
  /** Whether the policy's file types have the store; only automatic cleaning asks. */
  readonly listed: boolean;
  /** How old files of the store may become, milliseconds. */
  readonly maxAgeMs?: number;
  /** Whether the store has a limit of bytes. */
  readonly limited: boolean;
  /** Why ages cannot be trusted now (R48). */
  readonly clock?: string;
}

/** Clocks of other machines and of the filesystem differ by a little without being wrong. */
const CLOCK_SKEW_MS = 2000;

export function decide(facts: Facts, circumstances: Circumstances): Verdict {
  return protectedByItself(facts) ?? protectedByOwners(facts, circumstances.policy) ?? decideByRole(facts, circumstances);
}

function protectedByItself(facts: Facts): Verdict | undefined {
  if (facts.pinned !== undefined) return keep("pinned", t("pinned: {0}", facts.pinned));
  if (facts.type === "link") return keep("link", t("a symbolic link; Offcut neither follows nor removes links"));
  if (facts.type === "other") return keep("not-a-file", t("not a regular file"));
  if (facts.gitTracked) return keep("git-tracked", t("tracked by git"));
  if (facts.state) return keep("state-file", t("state of the workspace (a database, settings or the like), not media"));
  if (facts.twin !== undefined)
    return keep("ambiguous-path", t("{0} has the same name in another spelling, so a database row could mean either", facts.twin));
  if (facts.unavailable !== undefined) return keep("catalog-unavailable", facts.unavailable);
  return undefined;
}

function protectedByOwners(facts: Facts, policy: Policy): Verdict | undefined {
  const word = facts.ownerWord;
  const own = facts.owners.find((owner) => owner.by === "path");
  if (own?.state === "running")
    return keep("owner-running", t("{0} {1} is not finished ({2} = {3})", word, own.id, own.source, own.status), ...leaseOf(own));
  if (facts.output !== undefined) return keep("final-output", facts.output);
  const failed = facts.owners.find((owner) => owner.state === "failed" && owner.released !== true);
  if (failed && policy.preserveOnFailure)
    return keep(
      "failed-held",
      t(
        "{0} {1} failed ({2} = {3}); its files are kept for debugging (policy.preserveOnFailure)",
        word,
        failed.id,
        failed.source,
        failed.status,
      ),
      ...leaseOf(failed),
    );
  const user = facts.owners.find((owner) => owner.by !== "path" && owner.state === "running");
  if (user)
    return keep(
      "referenced",
      t("{0} {1} refers to it ({2}) and is not finished ({3} = {4})", word, user.id, tableOf(user), user.source, user.status),
      ...leaseOf(user),
    );
  // A project that only the path names is an orphan's; where a row names another one, the two contradict each other.
  const unknown = facts.owners.find(
    (owner) => owner.state === "unknown" || (owner.state === "absent" && (owner.by !== "path" || facts.owners.length > 1)),
  );
  if (unknown?.state === "unknown")
    return keep(
      "owner-unknown",
      t("the state of {0} {1} is not known ({2} = {3})", word, unknown.id, unknown.source, unknown.status || t("empty")),
      ...leaseOf(unknown),
    );
  if (unknown?.by === "path") return keep("owner-unknown", t("no database lists a {0} {1}", word, unknown.id));
  if (unknown)
    return keep(
      "owner-unknown",
      unknown.id === ""
        ? t("{0} refers to it without naming a {1}", tableOf(unknown), word)
        : t("{0} refers to it for {1} {2}, which no database lists", tableOf(unknown), word, unknown.id),
    );
  return undefined;
}

function tableOf(owner: OwnerFacts): string {
  return owner.by === "path" ? "" : owner.by.table;
}

function leaseOf(owner: OwnerFacts): readonly string[] {
  return owner.lease === undefined ? [] : [owner.lease];
}

function decideByRole(facts: Facts, circumstances: Circumstances): Verdict {
  if (facts.role === "upload") return decideUpload(facts, circumstances);
  if (facts.role === "clip") return decideClip(facts, circumstances);
  const known = facts.owners.filter((owner) => owner.state !== "absent");
  return known.length === 0 ? decideOrphan(facts, circumstances) : decideOwned(facts, known, circumstances);
}

/** A local copy goes when the remote one is proven (R35); nobody has to own it. */
function decideUpload(facts: Facts, circumstances: Circumstances): Verdict {
  const { upload } = facts;
  if (!upload || upload.status === "unknown") return keep("upload-unverified", upload?.detail ?? t("nothing is known of a remote copy"));
  if (upload.status !== "verified") return keep("upload-unverified", t("{0}: {1}", upload.url, upload.detail));
  const proof = t("the remote copy {0} is verified: {1}", upload.url, upload.detail);
  // Nobody has said that the job ended that made it, so it may still need it (R31); by hand somebody says it.
  const ended = circumstances.mode === "manual" || facts.owners.some((owner) => ["succeeded", "failed"].includes(owner.state));
  const young = ended
    ? undefined
    : tooYoung(facts, circumstances, circumstances.policy.graceMs, "too-young", t("its job may still need it"), proof);
  if (young) return young;
  const retained = tooYoung(facts, circumstances, circumstances.policy.retentionMs, "retention", t("retention"), proof);
  return retained ?? notAutomatic(facts, circumstances, proof) ?? reclaim("upload-verified", proof, ...certainty(facts));
}

/** Clips belong to the store, not to a project: its limits say how long they stay. */
function decideClip(facts: Facts, circumstances: Circumstances): Verdict {
  const { maxAgeMs, limited, policy } = circumstances;
  if (maxAgeMs === undefined && !limited)
    return keep("no-rule", t('the store "{0}" has no limits; set "maxAge" or "maxBytes"', facts.store));
  const young =
    tooYoung(facts, circumstances, policy.graceMs, "too-young", t("grace")) ??
    tooYoung(facts, circumstances, policy.retentionMs, "retention", t("retention")) ??
    notAutomatic(facts, circumstances);
  if (young) return young;
  if (maxAgeMs === undefined) return keep("within-limits", t("it goes when the store is too large and it is the oldest"));
  return (
    tooYoung(facts, circumstances, maxAgeMs, "within-limits", t("maxAge")) ??
    reclaim("max-age", tooOld(facts, maxAgeMs), ...certainty(facts))
  );
}

/** Many files in a row have the same age as people read it, and the same store: the last sentence often fits again. */
let lastTooOld = { key: "", words: "" };

function tooOld(facts: Facts, maxAgeMs: number): string {
  const key = `${Math.floor(facts.ageMs / 1000)} ${maxAgeMs} ${facts.store}`;
  if (key !== lastTooOld.key) lastTooOld = { key, words: wordTooOld(facts, maxAgeMs) };
  return lastTooOld.words;
}

function wordTooOld(facts: Facts, maxAgeMs: number): string {
  return t('{0} old; files of the store "{1}" may become {2} old', formatDuration(facts.ageMs), facts.store, formatDuration(maxAgeMs));
}

/** What automatic cleaning leaves to people (R33, P6). */
function notAutomatic(facts: Facts, circumstances: Circumstances, ...more: readonly string[]): Verdict | undefined {
  if (circumstances.mode !== "automatic") return undefined;
  if (!circumstances.listed)
    return keep("not-in-policy", t('the store "{0}" is not among policy.fileTypes, so it is cleaned by hand only', facts.store), ...more);
  if (circumstances.automatic) return wasPutBack(facts, circumstances, ...more);
  return keep(
    "opt-in",
    t(
      'automatic cleaning leaves the store "{0}" alone: making it again costs time and money (set "automatic": true to allow it)',
      facts.store,
    ),
    ...more,
  );
}

/**
 * Somebody wanted it back, so a day is theirs. Not where the store has limits: then something newer would have to go instead, and age
 * begins anew with an undo anyway.
 */
function wasPutBack(facts: Facts, circumstances: Circumstances, ...more: readonly string[]): Verdict | undefined {
  const { undoneAgoMs } = facts;
  if (undoneAgoMs === undefined || undoneAgoMs > PUT_BACK_MS || circumstances.limited || facts.role === "clip") return undefined;
  return keep("retention", t("an undo put it back {0} ago; automatic cleaning leaves it for a day", formatDuration(undoneAgoMs)), ...more);
}

const PUT_BACK_MS = 24 * 3_600_000;

function decideOrphan(facts: Facts, circumstances: Circumstances): Verdict {
  const absent = facts.owners[0];
  const who = absent ? t("no database lists a {0} {1}", facts.ownerWord, absent.id) : t("no {0} refers to it", facts.ownerWord);
  const { policy, maxAgeMs } = circumstances;
  const young = tooYoung(facts, circumstances, policy.graceMs, "too-young", t("a writer may not have registered it yet"), who);
  if (young) return young;
  if (circumstances.orphans && circumstances.mode === "manual")
    return reclaim("orphan-chosen", who, t("chosen by hand"), ...certainty(facts));
  if (maxAgeMs !== undefined || circumstances.limited) {
    // A limit of the store may take what nobody owns, so what protects from a limit is asked first.
    const kept =
      tooYoung(facts, circumstances, policy.retentionMs, "retention", t("retention"), who) ?? notAutomatic(facts, circumstances, who);
    if (kept) return kept;
  }
  if (maxAgeMs === undefined) return keep("orphan", who, t("files without an owner are taken by hand only (--orphans)"));
  return (
    tooYoung(facts, circumstances, maxAgeMs, "orphan", t("maxAge"), who) ??
    reclaim("max-age", tooOld(facts, maxAgeMs), who, ...certainty(facts))
  );
}

function decideOwned(facts: Facts, owners: readonly OwnerFacts[], circumstances: Circumstances): Verdict {
  const { policy } = circumstances;
  const word = facts.ownerWord;
  const finished = owners.map((owner) => {
    if (owner.state !== "failed") return t("{0} {1} succeeded ({2} = {3})", word, owner.id, owner.source, owner.status);
    return owner.released
      ? t("{0} {1} failed ({2} = {3}) and its files were released by hand", word, owner.id, owner.source, owner.status)
      : t("{0} {1} failed ({2} = {3}) and policy.preserveOnFailure is false", word, owner.id, owner.source, owner.status);
  });
  const proofs: string[] = [];
  for (const owner of owners) {
    if (owner.state !== "succeeded") continue;
    const { proof, doubt } = proofOf(owner, word);
    if (doubt !== undefined) return keep("final-unverified", doubt, ...finished);
    proofs.push(proof);
  }
  const shared = facts.role === "shared";
  if (shared) {
    const young = tooYoung(facts, circumstances, policy.graceMs, "too-young", t("a shared file must be idle for that long"), ...finished);
    if (young) return young;
  }
  const retained = tooYoung(facts, circumstances, policy.retentionMs, "retention", t("retention"), ...finished);
  if (retained) return retained;
  const left = notAutomatic(facts, circumstances, ...finished);
  if (left) return left;
  const reason: Reason = owners.some((owner) => owner.state === "failed") ? "owner-failed" : shared ? "unreferenced" : "owner-succeeded";
  return reclaim(reason, ...finished, ...proofs, t("no unfinished {0} refers to it", word), ...certainty(facts));
}

/** What proves that an owner is done, or why nothing does (R34). */
function proofOf(owner: OwnerFacts, word: string): { readonly proof: string; readonly doubt?: string } {
  const works = owner.finals.filter((final) => final.work);
  const bad = works.find((final) => final.status !== "complete");
  if (bad)
    return {
      proof: "",
      doubt: t(
        "{0} of {1} {2} is not verified: {3}",
        bad.name,
        word,
        owner.id,
        bad.status === "missing" ? t("it is not there") : bad.detail,
      ),
    };
  if (works.length === 0 && owner.makesNoFinal) return { proof: t("{0} {1} makes no final", word, owner.id) };
  if (works.length === 0) return { proof: "", doubt: t("no final of {0} {1} is recorded", word, owner.id) };
  return { proof: works.map((final) => t("{0} verified, {1}", final.name, formatBytes(final.bytes))).join(" · ") };
}

/** Kept while its age is at most `limitMs` (R50); 0 is no limit. Ages that cannot be trusted count as too young (R48). */
function tooYoung(
  facts: Facts,
  circumstances: Circumstances,
  limitMs: number,
  reason: Reason,
  why: string,
  ...more: readonly string[]
): Verdict | undefined {
  if (limitMs === 0) return undefined;
  if (circumstances.clock !== undefined) return keep("clock", circumstances.clock, ...more);
  if (facts.ageMs < -CLOCK_SKEW_MS)
    return keep("clock", t("its time stamp is {0} in the future, so its age is not known", formatDuration(-facts.ageMs)), ...more);
  if (facts.ageMs > limitMs) return undefined;
  return keep(reason, t("{0} old, kept for {1}: {2}", formatDuration(facts.ageMs), formatDuration(limitMs), why), ...more);
}

/** What is not sure about the bytes (R10). */
function certainty(facts: Facts): string[] {
  return facts.links > 1 ? [t("{0} hard links: removing this one frees nothing for certain", facts.links)] : [];
}

function keep(reason: Reason, ...evidence: readonly string[]): Verdict {
  return { verdict: "keep", reason, evidence };
}

function reclaim(reason: Reason, ...evidence: readonly string[]): Verdict {
  return { verdict: "reclaim", reason, evidence };
}
