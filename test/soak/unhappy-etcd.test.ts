import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Failpoint } from "../../src/base/failpoints.ts";
import { Arena, expectEnd } from "./unhappy/arena.ts";

const CASE_TIMEOUT_MS = 180_000;
/** An etcd that is alone needs a second or two to come back, on a busy machine several. */
const LIMITS = { leaseTtlMs: 20_000, leaseMarginMs: 1000, holdBudgetMs: 15_000 };

let arena: Arena;

beforeAll(async () => {
  arena = await Arena.start({ etcd: true, limits: LIMITS });
}, 120_000);

afterEach(async () => {
  await arena?.atRest();
}, 120_000);

afterAll(async () => {
  await arena?.stop();
}, 60_000);

/** Longer than a lease is the matter of the matrix of faults, and of `fleet-faults`. */
describe("an etcd that is killed in the midst of a switch and started again", () => {
  const points: readonly Failpoint[] = ["switch-after-hold", "switch-after-fence", "switch-before-swap"];
  test.each(points)(
    "at %s: clients wait for it, the switch is done, and so is the way back",
    async (point) => {
      let back: Promise<void> = Promise.resolve();
      const result = await arena.moveWith("switch", point, async () => {
        await arena.etcd.kill9();
        back = arena.etcd.start();
      });
      await back;
      expectEnd(result, 0);
      expect(await arena.settled()).toBe("switched");
      await arena.moves("rollback");
      await arena.calm();
      await arena.again();
    },
    CASE_TIMEOUT_MS,
  );
});
