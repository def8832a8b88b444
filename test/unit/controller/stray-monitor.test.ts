import { describe, expect, test } from "vitest";
import { executedIn, fencedServer, untold } from "../../../src/controller/stray-monitor.ts";

const server = { source: "old", target: "new", fenceToken: "t" };

describe("the look for writes that are not ours", () => {
  test.each([
    ["switched", "old"],
    ["running", "new"],
    ["switching", undefined],
    ["rolling-back", undefined],
    ["completed", undefined],
  ] as const)("is at the server that the tables have left last: %s", (phase, expected) => {
    expect(fencedServer({ ...server, phase })).toBe(expected);
  });

  test("is at none before the tables have moved for the first time", () => {
    const { source, target } = server;
    expect(fencedServer({ source, target, phase: "running" })).toBeUndefined();
  });

  test("tells of those that the history does not name yet, whoever has written it", () => {
    const strays = ["u:1", "u:2", "u:21", "u:22"].map((gtid) => ({ gtid, table: "s.t", what: "insert" }));
    const entry = (last: string) => ({ at: "", who: "", what: `2 writes, the first: insert, the last in ${last}` });
    expect(untold(strays, [])).toEqual(strays);
    expect(untold(strays, [entry("u:2")])).toEqual(strays.slice(2));
    expect(untold(strays, [entry("u:22"), entry("u:2")])).toEqual([]);
    expect(untold([], [entry("u:2")])).toEqual([]);
  });
});

const OLD = "6fc2505b-ebb2-11f1-bf6d-02fc00000001";

/**
 * 1. The monitor of the old home reads what is executed there, and the log up to that.
 * 2. A rollback makes the server the home again, and clients write to it.
 * 3. The log hands on what they write, before the monitor has found that it has read far enough.
 */
test("what clients write behind the position that a look is about is no stray of that look", () => {
  const stray = (gno: number) => ({ gtid: `${OLD}:${gno}`, table: "shop.orders", what: "insert" });
  expect(executedIn(`${OLD}:1-2438:2440`, [2438, 2439, 2440, 2441].map(stray))).toEqual([2438, 2440].map(stray));
});
