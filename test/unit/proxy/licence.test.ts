import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { Licence } from "../../../src/proxy/licence.ts";
import type { Lease } from "../../../src/store/store.ts";

describe("the licence", () => {
  test("ends a margin before the lease, counted from when the answered keep-alive was sent", () => {
    let now = 0;
    let sentAt = 0;
    const lost = new AbortController();
    const lease: Lease = {
      id: "1",
      ttlMs: 5000,
      confirmedSentAtMs: () => sentAt,
      lost: lost.signal,
      revoke: () => Promise.resolve(),
    };
    const licence = new Licence({ ...systemClock, monotonicMs: () => now }, 1500);
    expect(licence.good).toBe(false);
    licence.use(lease);
    now = 3499;
    expect([licence.good, licence.leftMs]).toEqual([true, 1]);
    // A process that was stopped wakes up: no timer has told it anything, and it must not send.
    now = 3_600_000;
    expect(licence.good).toBe(false);
    sentAt = 3_599_000;
    expect(licence.good).toBe(true);
    lost.abort();
    expect(licence.good).toBe(false);
  });
});
