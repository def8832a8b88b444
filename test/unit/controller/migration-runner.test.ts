import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { DEFAULT_LIMITS } from "../../../src/config/limits.ts";
import { MigrationRunner } from "../../../src/controller/migration-runner.ts";
import { StatusPublisher } from "../../../src/controller/status-publisher.ts";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import { migrationDocument, storeWith } from "../cutover/memory-store.ts";

const attempt = { token: "t", kind: "switch", startedAt: "2026-01-01T00:00:00.000Z", who: "ann" } as const;

/**
 * 1. A switch is under way; its controller ends.
 * 2. The next one takes the migration and the order up, and begins to settle; the order waits for that.
 * 3. It loses its claim before it has settled anything.
 */
describe("a controller that loses a migration while it settles", () => {
  test.each(["is closed", "has to stop"])("answers no order that waits for the settling: it %s", async (how) => {
    const document = { ...migrationDocument(), phase: "switching" as const, attempt };
    const store = await storeWith(document);
    const stop = new AbortController();
    // Nobody listens there.
    const nowhere = { host: "127.0.0.1", port: 1, user: "u", password: "", tls: { mode: "disabled" } as const };
    const runner = new MigrationRunner(
      {
        store,
        clock: systemClock,
        log: silentLogger,
        failpoint: noFailpoints,
        metrics: noMetrics,
        status: new StatusPublisher({ store, log: silentLogger, leaseTtlMs: 5000 }),
        backends: { old: { ...nowhere, name: "old" }, new: { ...nowhere, name: "new" } },
        defaultBackend: "old",
        dataDirectory: "",
        limits: { ...DEFAULT_LIMITS },
        signal: stop.signal,
        leadership: () => [],
      },
      document,
    );
    const waits = runner.ready.then(
      () => "goes on",
      (error: { code?: string }) => error.code,
    );
    const started = runner.start();
    if (how === "has to stop") stop.abort();
    else await runner.close();
    expect(await waits).toBe("ORDER_TAKEN");
    stop.abort();
    await started;
    expect(runner.keepers.forward.isOpen).toBe(false);
    await runner.close();
    await store.close();
  });
});
