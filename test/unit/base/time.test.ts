import { describe, expect, test } from "vitest";
import { backoffMs } from "../../../src/base/backoff.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { deadlineIn, within } from "../../../src/base/deadline.ts";

describe("waiting", () => {
  test("ends at once with CANCELLED when its signal has aborted, before or during the wait", async () => {
    const controller = new AbortController();
    const wait = systemClock.sleep(60_000, controller.signal);
    controller.abort();
    await expect(wait).rejects.toThrow(/CANCELLED/);
    await expect(systemClock.sleep(60_000, controller.signal)).rejects.toThrow(/CANCELLED/);
  });

  test("a step that never ends is given up with the step's name and limit", async () => {
    await expect(within(new Promise(() => undefined), 5, "reading the lock")).rejects.toThrow(
      /TIMEOUT: reading the lock did not end within 5 ms/,
    );
  });

  test("a step that ends in time gives its value, and its own error passes unchanged", async () => {
    expect(await within(Promise.resolve(7), 1000, "x")).toBe(7);
    await expect(within(Promise.reject(new Error("own")), 1000, "x")).rejects.toThrow("own");
  });

  test("a deadline counts on the monotonic clock", () => {
    let now = 100;
    const clock = { ...systemClock, monotonicMs: () => now };
    const deadline = deadlineIn(clock, 50);
    expect([deadline.leftMs(), deadline.passed]).toEqual([50, false]);
    now = 150;
    expect([deadline.leftMs(), deadline.passed]).toEqual([0, true]);
    now = 1000;
    expect(deadline.leftMs()).toBe(0);
  });

  test("retries spread out and never exceed their limit, however many there were", () => {
    const limits = { firstMs: 100, maxMs: 5000 };
    expect(backoffMs(0, limits, 0)).toBe(50);
    expect(backoffMs(3, limits, 0)).toBe(400);
    for (const attempt of [0, 5, 50, 5000]) expect(backoffMs(attempt, limits, 0.999)).toBeLessThanOrEqual(5000);
  });
});
