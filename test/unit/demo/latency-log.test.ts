import { expect, test } from "vitest";
import { LatencyLog } from "../../../demo/latency-log.ts";

test("a wait counts for a switch if any part of it fell into the switch", () => {
  const log = new LatencyLog();
  log.record(0, 90);
  log.record(100, 130);
  log.record(190, 250);
  log.record(300, 999);
  expect(log.longestBetween(95, 200)).toBe(60);
  expect(log.longestBetween(85, 120)).toBe(90);
  expect(log.longestBetween(260, 290)).toBe(0);
  expect(log.longestOfLast(2)).toBe(699);
});
