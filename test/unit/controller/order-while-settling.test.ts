import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { DEFAULT_LIMITS } from "../../../src/config/limits.ts";
import { type Controller, startController } from "../../../src/controller/controller.ts";
import { streamKey } from "../../../src/controller/stream-claims.ts";
import { migrationKey } from "../../../src/cutover/journal.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import { ORDERS_PREFIX } from "../../../src/rules/store-keys.ts";
import type { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { migrationDocument, storeWith } from "../cutover/memory-store.ts";

const attempt = { token: "t", kind: "switch", startedAt: "2026-01-01T00:00:00.000Z", who: "ann" } as const;
const order: OrderDocument = {
  format: 1,
  id: "o1",
  command: "rollback",
  migration: "m",
  options: {},
  who: "bob",
  at: "2026-01-01T00:00:01.000Z",
  state: "pending",
  steps: [],
};
// Nobody listens there.
const nowhere = { host: "127.0.0.1", port: 1, user: "u", password: "", tls: { mode: "disabled" } as const };

/**
 * 1. A switch is under way; its controller ends, and its servers do not answer.
 * 2. The next one takes the migration up, and settles for as long as that lasts. A rollback is ordered.
 * 3. It ends, or loses its lease, before it has settled anything. A third one finds the switch taken back, and the order.
 */
describe("an order that comes while a controller settles what another has left", () => {
  let store: EmbeddedStore;
  let controller: Controller | undefined;
  beforeEach(async () => {
    store = await storeWith({ ...migrationDocument(), phase: "switching", attempt });
  });
  afterEach(async () => {
    await controller?.close();
    await store.close();
  });

  const start = (id: string): void => {
    controller = startController({
      ...{ store, clock: systemClock, log: silentLogger, failpoint: noFailpoints, metrics: noMetrics, id },
      backends: { old: { ...nowhere, name: "old" }, new: { ...nowhere, name: "new" } },
      defaultBackend: "old",
      dataDirectory: "",
      limits: { ...DEFAULT_LIMITS },
    });
  };
  const read = async (): Promise<OrderDocument> =>
    JSON.parse((await store.get(ORDERS_PREFIX + order.id))?.value ?? "null") as OrderDocument;
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < 2000 && !(await holds()); tries += 1) await systemClock.sleep(5);
  };

  test("is not begun by it, and so is not taken for begun by whoever comes next", async () => {
    start("second");
    await until(async () => (await store.get(streamKey("m"))) !== undefined);
    await store.transact([], [{ put: ORDERS_PREFIX + order.id, value: JSON.stringify(order) }]);
    await systemClock.sleep(50);
    await controller?.close();
    expect(await read()).toEqual(order);
    const settled = JSON.stringify({ ...migrationDocument(), phase: "running" });
    await store.transact([], [{ put: migrationKey("m"), value: settled }]);
    start("third");
    await until(async () => ["done", "failed"].includes((await read()).state));
    // It is tried, in vain; not answered as done since the tables are where it would have them, nor as taken back.
    expect(await read()).toMatchObject({ state: "failed", error: { code: "MYSQL_UNREACHABLE" } });
  });
});
