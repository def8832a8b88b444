import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../../src/config/limits.ts";
import { throttleSettings } from "../../../src/controller/migration-throttle.ts";
import { pausedStatus } from "../../../src/controller/paused-watch.ts";
import { provesHome } from "../../../src/controller/run-diff.ts";
import { withTuning } from "../../../src/controller/run-tune.ts";
import { migrationDocument } from "../cutover/memory-store.ts";

const running = migrationDocument();

describe("what was said of a migration's speed", () => {
  test("wins over the configuration, a limit at a time; 0 leaves a signal out", () => {
    const tuned = withTuning(running, { limits: { throttleCommitMs: 80, throttleHistoryMax: 0 } }, false);
    const { ceilings, shareMax } = throttleSettings(DEFAULT_LIMITS, tuned);
    expect(ceilings).toEqual({ "source-threads": 50, "target-threads": 50, "target-commit": 80 });
    expect(shareMax).toBe(1);
  });

  test("stays where more is said, until it is reset", () => {
    const first = withTuning(running, { limits: { throttleCommitMs: 80 }, replicas: ["r1"] }, false);
    const second = withTuning(first, { limits: { throttleSpeedPercent: 30 } }, false);
    expect(throttleSettings(DEFAULT_LIMITS, second)).toMatchObject({
      ceilings: { "target-commit": 80, "replica-lag": 10_000 },
      shareMax: 0.3,
    });
    const reset = withTuning(second, { limits: { throttleProxyP99Ms: 40 } }, true);
    expect(reset.tuning).toEqual({ limits: { throttleProxyP99Ms: 40 } });
  });
});

describe("a diff that reads a replica", () => {
  const uuids: Record<string, string> = { r1: "uuid-1", "r1-by-dns": "uuid-1", r2: "uuid-2" };
  const uuidOf = async (backend: string): Promise<string | undefined> => uuids[backend];

  test("proves nothing of the source where rows were copied from there, even if the copy read elsewhere in the end", async () => {
    const copying = { ...running, phase: "copying" as const };
    const first = withTuning(copying, { readFrom: "r1" }, false);
    const back = withTuning(first, { readFrom: "" }, false);
    expect(back.tuning?.readFrom).toBeUndefined();
    expect(await provesHome(back, "r1", uuidOf)).toBe(false);
    expect(await provesHome(back, "r2", uuidOf)).toBe(true);
    expect(await provesHome(back, undefined, uuidOf)).toBe(true);
  });

  test("proves nothing where that replica is read under another name, or cannot be told apart", async () => {
    const copied = { copiedFrom: ["r1"] };
    expect(await provesHome(copied, "r1-by-dns", uuidOf)).toBe(false);
    expect(await provesHome(copied, "silent", uuidOf)).toBe(false);
    expect(await provesHome({ copiedFrom: ["r1", "silent"] }, "r2", uuidOf)).toBe(false);
  });

  test("proves what it says where it was named after the copy", async () => {
    const tuned = withTuning(running, { readFrom: "r1" }, false);
    expect(tuned.tuning?.readFrom).toBe("r1");
    expect(await provesHome(tuned, "r1", uuidOf)).toBe(true);
  });
});

describe("a paused stream", () => {
  const paused = { by: "ann", reason: "r", at: "2026-01-01T00:00:00.000Z", lagMs: 2000 };
  const later = new Date("2026-01-01T01:00:00.000Z");

  test("is later by the time of its pause, and its server keeps the log for that much less", () => {
    expect(pausedStatus(paused, later, 86_400_000)).toEqual({ lagMs: 3_602_000, runwayMs: 82_798_000 });
  });

  test("has no runway that ends where the log is kept for ever, and none that is known before the server has answered", () => {
    expect(pausedStatus(paused, later, 0)).toEqual({ lagMs: 3_602_000 });
    expect(pausedStatus(paused, later, undefined, "no answer")).toEqual({ lagMs: 3_602_000, problem: "no answer" });
  });

  test("of an earlier version, or that had not caught up, is late by an unknown time", () => {
    expect(pausedStatus({ by: "ann", reason: "r" }, later, 86_400_000)).toEqual({});
  });
});
