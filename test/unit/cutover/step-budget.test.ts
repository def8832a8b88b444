import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { deadlineIn } from "../../../src/base/deadline.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { Attempt } from "../../../src/cutover/attempt.ts";
import { runInBudget, type SwitchStep } from "../../../src/cutover/steps.ts";
import { DEFAULT_SWITCH_LIMITS } from "../../../src/cutover/switch-options.ts";

/** An attempt that has this much time left for holding its clients; none is held where that is left out. */
function attempt(leftMs?: number): Attempt {
  const ports = { clock: systemClock, log: silentLogger, failpoint: noFailpoints, progress: () => undefined };
  return {
    ports,
    ends: { migration: "m" },
    options: { limits: DEFAULT_SWITCH_LIMITS },
    times: [],
    holdDeadline: leftMs === undefined ? undefined : deadlineIn(systemClock, leftMs),
  } as unknown as Attempt;
}

function step(run: () => Promise<void>): SwitchStep {
  return { name: "s", title: () => "write down the position", run };
}

describe("a step while clients are held", () => {
  test("that a server keeps waiting is given up when their time is over, by name, and what it fails with later is nobody's", async () => {
    const hung = Promise.withResolvers<void>();
    const given = runInBudget(
      step(() => hung.promise),
      attempt(20),
    );
    await expect(given).rejects.toMatchObject({ code: "CUTOVER_HOLD_EXPIRED" });
    await expect(given).rejects.toThrow("write down the position");
    hung.reject(new Error("the session was closed"));
    await new Promise((resolve) => setImmediate(resolve));
  });

  test("that fails by itself says what it fails with, and one that ends has ended", async () => {
    const failing = runInBudget(
      step(() => Promise.reject(new Error("no such row"))),
      attempt(10_000),
    );
    await expect(failing).rejects.toThrow("no such row");
    const done = attempt(10_000);
    await runInBudget(
      step(() => Promise.resolve()),
      done,
    );
    expect(done.times.map(({ step: name }) => name)).toEqual(["s"]);
  });

  test("before anybody is held may take its time", async () => {
    const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));
    await runInBudget(step(slow), attempt());
  });
});
