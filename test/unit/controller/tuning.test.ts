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
  const DAY = 86_400_000;
  const HOUR = 3_600_000;
  const paused = { by: "ann", reason: "r", at: "2026-01-01T00:00:00.000Z", lagMs: 2000 };
  const later = { now: new Date("2026-01-01T01:00:00.000Z"), knownForMs: 0 };
  const kept = (retentionMs: number | undefined, spaceBytes?: number) => ({ retentionMs, spaceBytes });

  test("is later by the time of its pause, and its server keeps the log for at least that much less", () => {
    const status = { lagMs: HOUR + 2000, runwayMs: DAY - HOUR - 12_000 };
    expect(pausedStatus(paused, later, kept(DAY))).toEqual(status);
  });

  test("whose pause another controller's clock has dated into the future is as late as this process has seen it paused", () => {
    const ahead = { now: new Date("2025-12-31T23:00:00.000Z"), knownForMs: HOUR };
    expect(pausedStatus(paused, ahead, kept(DAY)).lagMs).toBe(HOUR + 2000);
  });

  test("has no runway that ends where the log is kept for ever", () => {
    expect(pausedStatus(paused, later, kept(undefined))).toEqual({ lagMs: HOUR + 2000 });
  });

  test.each<[string, Parameters<typeof pausedStatus>[0], Parameters<typeof pausedStatus>[2], string]>([
    ["the server has not answered", paused, undefined, "has not said yet"],
    ["the log is bounded by its size", paused, kept(DAY, 1000), "binlog_space_limit"],
    ["the log is bounded by its size alone", paused, kept(undefined, 1000), "binlog_space_limit"],
    ["it had not caught up when it was paused", { by: "ann", reason: "r", at: paused.at }, kept(DAY), "how late"],
    ["an earlier version has paused it", { by: "ann", reason: "r" }, kept(DAY), "how late"],
  ])("is promised nothing where %s", (_, pause, log, why) => {
    const status = pausedStatus(pause, later, log, "no answer");
    expect(status.runwayMs).toBeUndefined();
    expect(status).toMatchObject({ unsure: expect.stringContaining(why), problem: "no answer" });
  });
});
