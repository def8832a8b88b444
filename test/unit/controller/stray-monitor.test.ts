import { expect, test } from "vitest";
import { executedIn } from "../../../src/controller/stray-monitor.ts";

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
