import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { proxyProbe } from "../../../src/controller/throttle-probes.ts";
import { SESSIONS_PREFIX } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";

test("how long clients' statements take is what the slowest proxy says, and is not known while one says nothing or is late", async () => {
  const store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  const probe = proxyProbe(store, systemClock, 60_000);
  const says = async (id: string, ageMs: number, latency?: { readonly p99Ms: number }): Promise<void> => {
    const at = new Date(systemClock.now().getTime() - ageMs).toISOString();
    await store.transact([], [{ put: SESSIONS_PREFIX + id, value: JSON.stringify({ format: 1, at, latency }) }]);
  };
  await expect(probe.read(), "no proxy at all").rejects.toThrow("THROTTLE_SIGNAL_MISSING: 0 of 0");
  await says("p1", 0, { p99Ms: 3 });
  await says("p2", 0, { p99Ms: 41 });
  expect(await probe.read()).toEqual({ "proxy-p99": 41 });
  await says("p2", 600_000, { p99Ms: 1 });
  await expect(probe.read(), "a report of long ago").rejects.toThrow("THROTTLE_SIGNAL_MISSING: 1 of 2");
  await says("p2", 0);
  await expect(probe.read(), "an older version").rejects.toThrow("THROTTLE_SIGNAL_MISSING: 1 of 2");
  await store.close();
});
