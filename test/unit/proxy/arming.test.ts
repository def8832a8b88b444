import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { Arming } from "../../../src/proxy/arming.ts";
import type { Traffic } from "../../../src/proxy/traffic.ts";
import type { TrafficSession } from "../../../src/proxy/traffic-session.ts";

/**
 * 1. Sessions that cannot follow are to be ended 150 ms after the arming.
 * 2. Node's timer fires a fraction of a millisecond before that, by the clock.
 * 3. Nobody looks again: whoever was found to be too early then would be left, and the switch abort.
 */
test("a session that cannot follow is ended when its time is over, by whatever clock", async () => {
  const ended: string[] = [];
  const session = {
    id: "7",
    user: "app",
    hasUsed: () => true,
    prepareFor: () => Promise.resolve({ kind: "pinned", reason: "why" }),
    endPinned: ({ reason }: { reason: string }) => ended.push(reason),
  } as unknown as TrafficSession;
  const rule = { token: "t", tables: ["shop.orders"], newHome: "new", endPinnedAfterMs: 150 };
  const traffic = {
    rules: { armed: { orders: rule } },
    sessions: new Set([session]),
    onChange: () => undefined,
    holdFree: () => Promise.resolve(),
  } as unknown as Traffic;
  const timer = Promise.withResolvers<void>();
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs, sleep: () => timer.promise } as unknown as Clock;
  new Arming({ traffic, clock, log: silentLogger, loginsMax: 1, onChange: () => undefined });
  await sleep(1);
  expect(ended).toEqual([]);
  nowMs = 149.6;
  timer.resolve();
  await sleep(1);
  expect(ended).toEqual(["why"]);
});
