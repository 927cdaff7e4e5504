import assert from "node:assert/strict";
import fc from "fast-check";
import type { Reason } from "../../core/model.ts";
import { type Circumstances, decide, type Facts, type OwnerFacts } from "../../core/plan/decide.ts";

const HOUR = 3_600_000;
const BRAKE = { share: 0.5, floor: 50, files: 10_000, bytes: 1e11 };

const final = fc.record({
  name: fc.constantFrom("final.mp4", "thumb.jpg"),
  status: fc.constantFrom("complete", "complete", "complete", "incomplete", "missing", "unknown"),
  bytes: fc.nat(),
  detail: fc.constant("moov box missing"),
  work: fc.boolean(),
});
const owner: fc.Arbitrary<OwnerFacts> = fc.record({
  id: fc.constantFrom("p1", "p2", "p3"),
  state: fc.constantFrom("running", "succeeded", "succeeded", "succeeded", "failed", "unknown", "absent"),
  status: fc.constantFrom("complete", ""),
  source: fc.constant("projects.status"),
  by: fc.oneof(fc.constant("path" as const), fc.constant({ table: "audio_files" })),
  finals: fc.array(final, { maxLength: 3 }),
  released: fc.boolean(),
  makesNoFinal: fc.boolean(),
});
/** As the planner makes them: each id once, the one that the path names first. */
const owners = fc
  .uniqueArray(owner, { maxLength: 3, selector: ({ id }) => id })
  .map((list) => list.map((one, i): OwnerFacts => (i > 0 && one.by === "path" ? { ...one, by: { table: "scenes" } } : one)));
const rarely = <T>(value: T) => fc.oneof({ arbitrary: fc.constant(undefined), weight: 9 }, { arbitrary: fc.constant(value), weight: 1 });
const facts: fc.Arbitrary<Facts> = fc
  .record({
    role: fc.constantFrom("intermediate", "temp", "shared", "shared", "shared", "upload", "clip", "final"),
    store: fc.constant("audio"),
    type: fc.constantFrom("file", "file", "file", "file", "file", "link", "other"),
    links: fc.integer({ min: 1, max: 3 }),
    ownerWord: fc.constant("project"),
    owners,
    ageMs: fc.constantFrom(-HOUR, -2001, -2000, -1, 0, 1, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR, 2 * HOUR + 1, 1e12),
    gitTracked: fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, { arbitrary: fc.constant(true), weight: 1 }),
    state: fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, { arbitrary: fc.constant(true), weight: 1 }),
    undoneAgoMs: fc.option(fc.constantFrom(0, HOUR, 24 * HOUR, 24 * HOUR + 1), { nil: undefined }),
    pinned: rarely("file x"),
    twin: rarely("y"),
    unavailable: rarely("the database is locked"),
    output: rarely("an output of p1"),
    upload: fc.option(
      fc.record({
        status: fc.constantFrom("verified", "verified", "different", "missing", "unproven", "unreachable", "unknown"),
        url: fc.constant("s3://b/k"),
        detail: fc.constant("so it is"),
      }),
      { nil: undefined },
    ),
  })
  .map((all) =>
    present<Facts>([...Object.entries(all), ...(all.role === "final" && all.output === undefined ? [["output", "a final"]] : [])]),
  );
const circumstances: fc.Arbitrary<Circumstances> = fc
  .record({
    policy: fc.record({
      retentionMs: fc.constantFrom(0, HOUR, 2 * HOUR),
      graceMs: fc.constantFrom(0, HOUR),
      undoMs: fc.constant(0),
      preserveOnFailure: fc.boolean(),
      debugModeDisables: fc.boolean(),
      enabled: fc.boolean(),
      everyMs: fc.constant(HOUR),
      brake: fc.constant(BRAKE),
    }),
    mode: fc.constantFrom("manual", "automatic"),
    orphans: fc.boolean(),
    automatic: fc.boolean(),
    listed: fc.boolean(),
    limited: fc.boolean(),
    maxAgeMs: fc.option(fc.constantFrom(HOUR, 2 * HOUR), { nil: undefined }),
    clock: rarely("the clock was set"),
  })
  .map((all) => present<Circumstances>(Object.entries(all)));

/** SAFETY C as a list, first match wins. What is not in it is reclaimed. */
const order: readonly (readonly [reason: Reason, holds: (f: Facts, c: Circumstances) => boolean])[] = [
  ["pinned", (f) => f.pinned !== undefined],
  ["link", (f) => f.type === "link"],
  ["not-a-file", (f) => f.type === "other"],
  ["git-tracked", (f) => f.gitTracked],
  ["state-file", (f) => f.state],
  ["ambiguous-path", (f) => f.twin !== undefined],
  ["catalog-unavailable", (f) => f.unavailable !== undefined],
  ["owner-running", (f) => f.owners.some((o) => o.by === "path" && o.state === "running")],
  ["final-output", (f) => f.output !== undefined],
  ["failed-held", (f, c) => c.policy.preserveOnFailure && f.owners.some((o) => o.state === "failed" && !o.released)],
  ["referenced", (f) => states(f).includes("running")],
  ["owner-unknown", (f) => states(f).includes("unknown")],
  ["owner-unknown", (f) => f.owners.some((o) => o.state === "absent" && (o.by !== "path" || f.owners.length > 1))],
  ["upload-unverified", (f) => f.role === "upload" && f.upload?.status !== "verified"],
  ["clock", (f, c) => mayStillBeNeeded(f, c) && clockIsOff(f, c, c.policy.graceMs)],
  ["too-young", (f, c) => mayStillBeNeeded(f, c) && isYoung(f, c.policy.graceMs)],
  ["no-rule", (f, c) => f.role === "clip" && c.maxAgeMs === undefined && !c.limited],
  ["clock", (f, c) => f.role === "clip" && clockIsOff(f, c, c.policy.graceMs)],
  ["too-young", (f, c) => f.role === "clip" && isYoung(f, c.policy.graceMs)],
  ["clock", (f, c) => isOrphan(f) && clockIsOff(f, c, c.policy.graceMs)],
  ["too-young", (f, c) => isOrphan(f) && isYoung(f, c.policy.graceMs)],
  ["clock", (f, c) => isLimitedOrphan(f, c) && clockIsOff(f, c, c.policy.retentionMs)],
  ["retention", (f, c) => isLimitedOrphan(f, c) && isYoung(f, c.policy.retentionMs)],
  ["not-in-policy", (f, c) => isLimitedOrphan(f, c) && c.mode === "automatic" && !c.listed],
  ["opt-in", (f, c) => isLimitedOrphan(f, c) && c.mode === "automatic" && !c.automatic],
  ["retention", (f, c) => isLimitedOrphan(f, c) && wasPutBack(f, c)],
  ["orphan", (f, c) => isOrphan(f) && !isChosen(c) && c.maxAgeMs === undefined],
  ["clock", (f, c) => isOrphan(f) && !isChosen(c) && clockIsOff(f, c, c.maxAgeMs ?? 0)],
  ["orphan", (f, c) => isOrphan(f) && !isChosen(c) && isYoung(f, c.maxAgeMs ?? 0)],
  ["final-unverified", (f) => isOwned(f) && f.owners.some((o) => o.state === "succeeded" && !isProven(o))],
  ["clock", (f, c) => isOwned(f) && f.role === "shared" && clockIsOff(f, c, c.policy.graceMs)],
  ["too-young", (f, c) => isOwned(f) && f.role === "shared" && isYoung(f, c.policy.graceMs)],
  ["clock", (f, c) => !isOrphan(f) && clockIsOff(f, c, c.policy.retentionMs)],
  ["retention", (f, c) => !isOrphan(f) && isYoung(f, c.policy.retentionMs)],
  ["not-in-policy", (_f, c) => c.mode === "automatic" && !c.listed],
  ["opt-in", (_f, c) => c.mode === "automatic" && !c.automatic],
  ["retention", (f, c) => !isOrphan(f) && wasPutBack(f, c)],
  ["within-limits", (f, c) => f.role === "clip" && c.maxAgeMs === undefined],
  ["clock", (f, c) => f.role === "clip" && clockIsOff(f, c, c.maxAgeMs ?? 0)],
  ["within-limits", (f, c) => f.role === "clip" && isYoung(f, c.maxAgeMs ?? 0)],
];

/** A fact that is not so is absent, not undefined. */
function present<T>(entries: Iterable<readonly unknown[]>): T {
  return Object.fromEntries([...entries].filter(([, value]) => value !== undefined)) as T;
}

const states = (f: Facts): string[] => f.owners.map((o) => o.state);
/** Uploads and clips need no owner: their remote copy, or their store, speaks for them. */
const isLoose = (f: Facts): boolean => f.role === "upload" || f.role === "clip";
const isOrphan = (f: Facts): boolean => !isLoose(f) && f.owners.every((o) => o.state === "absent");
const isOwned = (f: Facts): boolean => !isLoose(f) && !isOrphan(f);
const isChosen = (c: Circumstances): boolean => c.orphans && c.mode === "manual";
const isLimitedOrphan = (f: Facts, c: Circumstances): boolean => isOrphan(f) && !isChosen(c) && (c.maxAgeMs !== undefined || c.limited);
/** An upload of which nobody says that its job ended. */
const mayStillBeNeeded = (f: Facts, c: Circumstances): boolean =>
  f.role === "upload" && c.mode === "automatic" && !f.owners.some((o) => o.state === "succeeded" || o.state === "failed");
/** By an undo of the last day, and automatic cleaning leaves it alone. */
const wasPutBack = (f: Facts, c: Circumstances): boolean =>
  c.mode === "automatic" && f.role !== "clip" && !c.limited && f.undoneAgoMs !== undefined && f.undoneAgoMs <= 24 * HOUR;
const isYoung = (f: Facts, limit: number): boolean => limit > 0 && f.ageMs <= limit;
const clockIsOff = (f: Facts, c: Circumstances, limit: number): boolean => limit > 0 && (c.clock !== undefined || f.ageMs < -2000);
const isProven = (o: OwnerFacts): boolean =>
  (o.finals.some((one) => one.work) || o.makesNoFinal === true) && o.finals.every((one) => !one.work || one.status === "complete");

describe("decide", () => {
  it("R19, R26, R28, R29, R34, R37, R50: verdict and reason follow the order of precedence of SAFETY C", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(facts, circumstances, (f, c) => {
        const { verdict, reason, evidence } = decide(f, c);
        seen.set(reason, (seen.get(reason) ?? 0) + 1);
        const expected = order.find(([, holds]) => holds(f, c))?.[0];
        assert.equal(
          reason,
          expected ??
            (isOrphan(f)
              ? isChosen(c)
                ? "orphan-chosen"
                : "max-age"
              : f.role === "upload"
                ? "upload-verified"
                : f.role === "clip"
                  ? "max-age"
                  : states(f).includes("failed")
                    ? "owner-failed"
                    : f.role === "shared"
                      ? "unreferenced"
                      : "owner-succeeded"),
        );
        assert.equal(verdict, expected === undefined ? "reclaim" : "keep");
        assert.ok(evidence.length > 0 && evidence.every((sentence) => sentence !== ""), "every verdict has its evidence");
      }),
      { numRuns: 20_000 },
    );
    for (const [reason] of order) assert.ok((seen.get(reason) ?? 0) > 0, `the random facts never led to ${reason}`);
    for (const reason of ["owner-succeeded", "owner-failed", "unreferenced", "orphan-chosen", "upload-verified", "max-age"])
      assert.ok((seen.get(reason) ?? 0) > 0, reason);
  });

  it("R19, R26, R29: whatever is added to protect a file, what is kept stays kept", () => {
    const protections: readonly ((f: Facts, c: Circumstances) => readonly [Facts, Circumstances])[] = [
      (f, c) => [{ ...f, pinned: "file x" }, c],
      (f, c) => [{ ...f, gitTracked: true }, c],
      (f, c) => [{ ...f, state: true }, c],
      (f, c) => [{ ...f, twin: "y" }, c],
      (f, c) => [{ ...f, unavailable: "locked" }, c],
      (f, c) => [{ ...f, output: "an output" }, c],
      (f, c) => [{ ...f, type: "link" }, c],
      (f, c) => [{ ...f, owners: [...f.owners, user("running")] }, c],
      (f, c) => [{ ...f, owners: [...f.owners, user("unknown")] }, c],
      (f, c) => [{ ...f, owners: [...f.owners, user("absent")] }, c],
      (f, c) => [
        { ...f, owners: f.owners.map((o) => ({ ...o, finals: o.finals.map((one) => ({ ...one, status: "unknown" as const })) })) },
        c,
      ],
      (f, c) => [{ ...f, ageMs: Math.min(f.ageMs, 0) }, c],
      (f, c) => [f, { ...c, clock: "the clock was set forward" }],
      (f, c) => [f, { ...c, mode: "automatic" }],
      (f, c) => [f, { ...c, orphans: false }],
      (f, c) => [f, { ...c, automatic: false }],
      (f, c) => [f, { ...c, policy: { ...c.policy, preserveOnFailure: true } }],
      (f, c) => [f, { ...c, policy: { ...c.policy, retentionMs: c.policy.retentionMs + HOUR } }],
      (f, c) => [f, { ...c, policy: { ...c.policy, graceMs: c.policy.graceMs + HOUR } }],
    ];
    fc.assert(
      fc.property(facts, circumstances, fc.constantFrom(...protections), (f, c, add) => {
        if (decide(f, c).verdict === "keep") assert.equal(decide(...add(f, c)).verdict, "keep");
      }),
      { numRuns: 4000 },
    );
    const reclaimable = reclaimableFacts();
    assert.equal(decide(reclaimable, calm()).verdict, "reclaim");
    for (const add of protections.slice(0, 10)) assert.equal(decide(...add(reclaimable, calm())).verdict, "keep", add.toString());
  });

  it("R50: exactly at the limit is kept, a millisecond later it is not", () => {
    const cases = [
      [{ ...reclaimableFacts(), role: "shared" as const }, { graceMs: HOUR }],
      [reclaimableFacts(), { retentionMs: HOUR }],
      [{ ...reclaimableFacts(), owners: [] }, { graceMs: HOUR }],
    ] as const;
    for (const [f, limit] of cases) {
      const c: Circumstances = { ...calm(), orphans: true, policy: { ...calm().policy, graceMs: 0, ...limit } };
      const verdicts = [HOUR - 1, HOUR, HOUR + 1].map((ageMs) => decide({ ...f, ageMs }, c).verdict);
      assert.deepEqual(verdicts, ["keep", "keep", "reclaim"], JSON.stringify(limit));
    }
  });

  it("R14: evidence says what is and what would be, never what was done", () => {
    fc.assert(
      fc.property(facts, circumstances, (f, c) => {
        assert.doesNotMatch(decide(f, c).evidence.join("\n"), /\b(deleted|freed|removed|cleaned up)\b/i);
      }),
      { numRuns: 500 },
    );
  });
});

function user(state: OwnerFacts["state"]): OwnerFacts {
  return { id: "p9", state, status: "x", source: "projects.status", by: { table: "scenes" }, finals: [] };
}

function reclaimableFacts(): Facts {
  const proof = [{ name: "final.mp4", status: "complete" as const, bytes: 1, detail: "", work: true }];
  return {
    role: "intermediate",
    store: "audio",
    type: "file",
    links: 1,
    ownerWord: "project",
    owners: [{ ...user("succeeded"), id: "p1", by: "path", finals: proof }],
    ageMs: 1e9,
    gitTracked: false,
    state: false,
  };
}

function calm(): Circumstances {
  return {
    policy: {
      retentionMs: 0,
      graceMs: HOUR,
      undoMs: 0,
      preserveOnFailure: true,
      debugModeDisables: true,
      enabled: true,
      everyMs: HOUR,
      brake: BRAKE,
    },
    mode: "manual",
    orphans: false,
    automatic: true,
    listed: true,
    limited: false,
  };
}
