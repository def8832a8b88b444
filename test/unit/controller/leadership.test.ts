import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { lead } from "../../../src/controller/leadership.ts";
import { LEADER_KEY } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import type { Store } from "../../../src/store/store.ts";

const options = (store: Store, id: string) => ({
  store,
  clock: systemClock,
  log: silentLogger,
  id,
  leaseTtlMs: 1000,
  leaseMarginMs: 300,
  retryMs: 50,
});

describe("leadership", () => {
  let store: Store;
  beforeEach(async () => {
    store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  });
  afterEach(() => store.close());

  test("belongs to one controller at a time, and passes on when it is resigned", async () => {
    const first = await lead(options(store, "a"), new AbortController().signal);
    let secondLeads = false;
    const second = lead(options(store, "b"), new AbortController().signal).then((term) => {
      secondLeads = true;
      return term;
    });
    await systemClock.sleep(150);
    expect(secondLeads).toBe(false);
    await first.resign();
    const term = await second;
    expect(term.fencingToken).toBeGreaterThan(first.fencingToken);
    expect(JSON.parse((await store.get(LEADER_KEY))?.value ?? "{}")).toMatchObject({ id: "b" });
    await term.resign();
  });

  test("ends by the holder's own clock when the store no longer answers keep-alives", async () => {
    // 1. the lease is granted; 2. from then on no keep-alive is answered; 3. nothing tells the holder but its clock.
    const silent: Store = {
      get: (key) => store.get(key),
      list: (prefix) => store.list(prefix),
      transact: (conditions, writes) => store.transact(conditions, writes),
      watch: (prefix, handler) => store.watch(prefix, handler),
      close: () => Promise.resolve(),
      lease: async (ttlMs) => {
        const lease = await store.lease(ttlMs);
        const grantedAtMs = systemClock.monotonicMs();
        return {
          id: lease.id,
          ttlMs,
          lost: new AbortController().signal,
          confirmedSentAtMs: () => grantedAtMs,
          revoke: () => lease.revoke(),
        };
      },
    };
    const before = systemClock.monotonicMs();
    const term = await lead(
      { ...options(silent, "a"), leaseTtlMs: 500, leaseMarginMs: 200 },
      new AbortController().signal,
    );
    await new Promise((resolve) => term.ended.addEventListener("abort", resolve, { once: true }));
    expect(systemClock.monotonicMs() - before).toBeLessThan(500);
  });
});
