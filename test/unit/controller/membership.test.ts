import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { FleetView } from "../../../src/controller/fleet-view.ts";
import { Leadership } from "../../../src/controller/leadership.ts";
import { join, type Membership } from "../../../src/controller/membership.ts";
import { StreamClaims } from "../../../src/controller/stream-claims.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import type { Store } from "../../../src/store/store.ts";

const never = new AbortController().signal;
const log = silentLogger;
const clock = systemClock;

const options = (store: Store, id: string) => ({
  ...{ store, clock, log, id },
  backends: ["old", "new"],
  leaseTtlMs: 1000,
  leaseMarginMs: 300,
  retryMs: 50,
});

describe("a controller among others", () => {
  let store: Store;
  let view: FleetView;
  beforeEach(async () => {
    store = await EmbeddedStore.open({ directory: undefined, clock, log });
    view = await FleetView.open({
      ...{ store, clock, log },
      ...{ changed: () => undefined, steadyAfterMs: 0, overdueAfterMs: 0 },
    });
  });
  afterEach(async () => {
    await view.close();
    await store.close();
  });

  test("leads alone, and gives up all that it holds at once when it leaves", async () => {
    const [a, b] = (await Promise.all(["a", "b"].map((id) => join(options(store, id), never)))) as [
      Membership,
      Membership,
    ];
    const [first, second] = [a, b].map((member) => new Leadership({ store, log, member })) as [Leadership, Leadership];
    const [claims, others] = [a, b].map((member) => new StreamClaims({ store, log, member })) as [
      StreamClaims,
      StreamClaims,
    ];
    expect(await first.seek(view)).toBe(true);
    expect(await second.seek(view)).toBe(false);
    const token = await claims.take("m");
    expect(await others.take("m")).toBeUndefined();
    await clock.sleep(10);
    expect(view.leader?.value.id).toBe("a");
    expect(view.controllers().map(({ id }) => id)).toEqual(["a", "b"]);
    expect(view.claimHasGone("m", token ?? 0)).toBe(false);
    await a.leave();
    await clock.sleep(10);
    expect([...view.claims.keys(), ...view.controllers().map(({ id }) => id)]).toEqual(["b"]);
    expect(view.claimHasGone("m", token ?? 0)).toBe(true);
    expect(await second.seek(view)).toBe(true);
    expect(await first.seek(view)).toBe(false);
    expect(first.conditions).toBeUndefined();
    expect(await others.take("m")).toBeGreaterThan(token ?? 0);
    await b.leave();
  });

  test("uses no claim again that it has given back, though its watch still shows it", async () => {
    const member = await join(options(store, "a"), never);
    const claims = new StreamClaims({ store, log, member });
    const token = (await claims.take("m")) ?? 0;
    await clock.sleep(10);
    const unknown = (): unknown[] => [...claims.unknown(view, () => false)];
    // The answer to a claim may be lost: then the claim is ours, and found.
    expect(unknown()).toEqual([["m", token]]);
    const given = claims.giveBack("m", token);
    expect(unknown()).toEqual([]);
    await given;
    await clock.sleep(10);
    await claims.tidy(view);
    const again = (await claims.take("m")) ?? 0;
    await clock.sleep(10);
    expect(unknown()).toEqual([["m", again]]);
    await member.leave();
  });

  test("ends by its own clock when the store no longer answers keep-alives", async () => {
    // 1. the lease is granted; 2. from then on no keep-alive is answered; 3. nothing tells the holder but its clock.
    const silent: Store = Object.assign(Object.create(store) as Store, {
      transact: (...args: Parameters<Store["transact"]>) =>
        store.transact(
          args[0],
          args[1].filter((one) => !("lease" in one)),
        ),
      lease: async (ttlMs: number) => {
        const lease = await store.lease(ttlMs);
        const grantedAtMs = clock.monotonicMs();
        return {
          ...{ id: lease.id, ttlMs, lost: never },
          confirmedSentAtMs: () => grantedAtMs,
          revoke: () => lease.revoke(),
        };
      },
    });
    const before = clock.monotonicMs();
    const member = await join({ ...options(silent, "a"), leaseTtlMs: 500, leaseMarginMs: 200 }, never);
    await new Promise((resolve) => member.ended.addEventListener("abort", resolve, { once: true }));
    expect(clock.monotonicMs() - before).toBeLessThan(500);
  });
});
