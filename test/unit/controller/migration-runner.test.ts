import { describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { DEFAULT_LIMITS } from "../../../src/config/limits.ts";
import { orderDiffStop, whileComparing } from "../../../src/controller/comparing.ts";
import { MigrationRunner } from "../../../src/controller/migration-runner.ts";
import { orderComplete } from "../../../src/controller/run-end.ts";
import { StatusPublisher } from "../../../src/controller/status-publisher.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import type { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { migrationDocument, storeWith } from "../cutover/memory-store.ts";

const attempt = { token: "t", kind: "switch", startedAt: "2026-01-01T00:00:00.000Z", who: "ann" } as const;

/** Runs the migration between servers that are away: nobody listens there. */
async function runnerOf(
  migration: Partial<MigrationDocument>,
  rules: Partial<RulesDocument> = {},
): Promise<{ runner: MigrationRunner; store: EmbeddedStore; stop: AbortController }> {
  const document = { ...migrationDocument(), ...migration };
  const store = await storeWith(document, rules);
  const stop = new AbortController();
  const nowhere = { host: "127.0.0.1", port: 1, user: "u", password: "", tls: { mode: "disabled" } as const };
  const context = {
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
  };
  return { runner: new MigrationRunner(context, document), store, stop };
}

/**
 * 1. A switch is under way; its controller ends.
 * 2. The next one takes the migration up, and begins to settle; orders wait for that.
 * 3. It loses its claim before it has settled anything.
 */
describe("a controller that loses a migration while it settles", () => {
  test.each(["is closed", "has to stop"])("takes no order: it %s", async (how) => {
    const { runner, store, stop } = await runnerOf({ phase: "switching", attempt });
    const started = runner.start();
    if (how === "has to stop") stop.abort();
    else await runner.close();
    stop.abort();
    await started;
    expect(runner.isReady).toBe(false);
    expect(runner.keepers.forward.isOpen).toBe(false);
    await runner.close();
    await store.close();
  });
});

/**
 * 1. A controller is cut off from the store in the midst of a rollback, and its lease runs out.
 * 2. Another one takes the attempt back, and runs the stream.
 * 3. The first reaches the store again, and hears that its rollback is not its own any more: its order ends.
 */
describe("a controller whose order ends after it has lost the migration", () => {
  test.each(["is closed", "has to stop"])("opens no stream: it %s", async (how) => {
    const { runner, store, stop } = await runnerOf({ phase: "running" });
    if (how === "has to stop") stop.abort();
    else await runner.close();
    runner.openActiveStream();
    expect(runner.keepers.forward.isOpen).toBe(false);
    await runner.close();
    await store.close();
  });
});

describe("a completion that ends the reverse stream and then fails", () => {
  test("leaves a way back that goes on", async () => {
    const tables = Object.fromEntries(
      migrationDocument().tables.map((table) => [table, { to: "new", migration: "m" }]),
    );
    const { runner, store, stop } = await runnerOf({ phase: "switched", fenceToken: "t" }, { tables });
    await runner.start();
    const { reverse } = runner.keepers;
    vi.spyOn(reverse, "health").mockResolvedValue({ state: "running", lagMs: 1, drift: 0, ddl: 0 });
    const order = { migration: "m", who: "ann", options: {} } as OrderDocument;
    // The old home is away since.
    const completing = orderComplete(runner, order, () => undefined);
    await expect(completing).rejects.toThrow(/CONNECTION|ECONNREFUSED/);
    await vi.waitFor(() => expect(reverse.isOpen).toBe(true), { timeout: 10_000, interval: 20 });
    stop.abort();
    await runner.close();
    await store.close();
  });
});

/** Both have the stream stand where they need it: a switch's cut would let a repair write over what came before it. */
describe("a diff or a repair", () => {
  const never = (): Promise<void> => Promise.reject(new Error("it has begun"));
  const stop = { who: "ann", command: "diff-stop", options: {} } as unknown as OrderDocument;

  test("begins neither behind the gate of a switch, nor before what it has left is settled", async () => {
    const { runner, store } = await runnerOf({});
    await runner.exclusively({ what: "switch", who: "ann" }, async () => {
      const begun = whileComparing(runner, "repair", never);
      await expect(begun).rejects.toMatchObject({
        code: "MIGRATION_BUSY",
        message: expect.stringMatching(/busy: switch, ordered by ann/),
      });
    });
    expect(runner.diff).toBeUndefined();
    const left = await runnerOf({ phase: "switching", attempt });
    await expect(whileComparing(left.runner, "diff", never)).rejects.toMatchObject({ code: "MIGRATION_BUSY" });
    await Promise.all([store.close(), left.store.close()]);
  });

  test("that is told to stop says what it was, and that it had ended where it had", async () => {
    const { runner, store } = await runnerOf({});
    const until = async (signal: AbortSignal) => {
      while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    const repair = whileComparing(runner, "repair", async (signal) => {
      await until(signal);
      throw new Error("stopped");
    }).catch((error: Error) => error.message);
    expect(await orderDiffStop(runner, stop)).toMatchObject({ stopped: true, kind: "repair" });
    expect(await repair).toBe("stopped");
    expect(runner.document.history.at(-1)?.what).toBe("repair stopped");
    const diff = whileComparing(runner, "diff", until);
    await expect(orderDiffStop(runner, stop)).rejects.toMatchObject({ code: "DIFF_NOT_RUNNING" });
    await diff;
    await store.close();
  });
});
