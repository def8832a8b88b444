import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";

/** The two ends of a hold's time are slept for in different processes, and must come in their order. */
test("a sleep is never over before its time, though timers count whole milliseconds", async () => {
  const early: number[] = [];
  for (let i = 0; i < 60; i++) {
    const ms = 0.4 + (i % 7) * 0.45;
    const beganMs = systemClock.monotonicMs();
    await systemClock.sleep(ms);
    const tookMs = systemClock.monotonicMs() - beganMs;
    if (tookMs < ms) early.push(tookMs - ms);
  }
  expect(early).toEqual([]);
});
