import { describe, expect, test } from "vitest";
import { bytesFrom, growthPerSecond, type RunwayFacts, runwayMs } from "../../../src/replication/runway.ts";

const HOUR = 3_600_000;
const facts = (change: Partial<RunwayFacts>): RunwayFacts => ({
  atMs: 1000,
  purged: false,
  retentionMs: 2 * HOUR,
  spaceBytes: undefined,
  neededAgeMs: 0,
  neededBytes: 0,
  bytesPerSecond: 0,
  ...change,
});
const UNKNOWN = Number.POSITIVE_INFINITY;

describe("the time for which a source keeps what a stream needs", () => {
  test.each<[number | undefined, Partial<RunwayFacts>, number, string]>([
    [2 * HOUR, {}, UNKNOWN, "all of the retention, where nothing is needed yet"],
    [HOUR, { neededAgeMs: HOUR }, UNKNOWN, "less by the age of what is needed"],
    [2 * HOUR - 500, { neededAgeMs: HOUR }, 500, "the lag is newer, where it is known"],
    [HOUR, { neededAgeMs: HOUR }, 3 * HOUR, "and no more than what the log itself says"],
    [-HOUR, { neededAgeMs: 3 * HOUR }, UNKNOWN, "over, where only the server's lack of haste has kept it"],
    [undefined, { retentionMs: undefined }, UNKNOWN, "for ever"],
    [0, { retentionMs: undefined, purged: true }, UNKNOWN, "gone by hand"],
    [10_000, { spaceBytes: 3000, neededBytes: 2000, bytesPerSecond: 100 }, UNKNOWN, "until its space is used up"],
    [undefined, { retentionMs: undefined, spaceBytes: 3000 }, UNKNOWN, "by space, without a rate yet"],
  ])("%s ms: %j, lag %s: %s", (left, change, lagMs) => {
    expect(runwayMs(facts(change), 1000, lagMs)).toBe(left);
  });

  test("shrinks while nobody asks the source", () => {
    expect(runwayMs(facts({}), 1000 + HOUR, UNKNOWN)).toBe(HOUR);
    const space = { retentionMs: undefined, spaceBytes: 3000, bytesPerSecond: 100 };
    expect(runwayMs(facts(space), 11_000, UNKNOWN)).toBe(20_000);
  });
});

test("the log's growth is told over its rotation, and not where it was emptied", () => {
  const files = (...sizes: readonly (readonly [string, number])[]) => sizes.map(([name, bytes]) => ({ name, bytes }));
  const before = { files: files(["b.1", 100], ["b.2", 50]), atMs: 0 };
  expect(growthPerSecond(undefined, before)).toBe(0);
  expect(growthPerSecond(before, { files: files(["b.2", 70], ["b.3", 30]), atMs: 2000 })).toBe(25);
  expect(growthPerSecond(before, { files: files(["b.1", 10]), atMs: 2000 })).toBe(0);
  expect(bytesFrom(before.files, "b.2")).toBe(50);
  expect(bytesFrom(before.files, "purged"), "an unknown file counts all").toBe(150);
});
