import { SwitchyardError } from "../base/errors.ts";
import type { MigrationDocument, StreamPause, StreamState } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { activeDirection } from "./active-direction.ts";
import type { MigrationRunner } from "./migration-runner.ts";

type Report = Readonly<Record<string, unknown>>;

/** Pauses the stream of the present phase. Changes wait in the server's binary log meanwhile. Idempotent. */
export async function orderPause(runner: MigrationRunner, order: OrderDocument): Promise<Report> {
  return await runner.exclusively({ what: "pausing", who: order.who }, async () => {
    const direction = requireStream(runner);
    const earlier = runner.document.streams[direction].paused;
    const paused = earlier?.at === undefined ? pauseOf(runner, direction, order) : { ...earlier, ...saidBy(order) };
    await runner.record(
      entry(order, `${direction} stream paused`),
      withStream(direction, (state) => ({ ...state, paused })),
    );
    await runner.keepers[direction].close();
    return { direction, paused };
  });
}

/**
 * Opens the stream again, after a pause or after the cause of its error is gone; with `afterDdl` behind the DDL that has
 * stopped it, which is passed over then. Idempotent.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID` where it has not stopped at that DDL: nothing else is acknowledged with it
 */
export async function orderResume(runner: MigrationRunner, order: OrderDocument): Promise<Report> {
  return await runner.exclusively({ what: "resuming", who: order.who }, async () => {
    const direction = requireStream(runner);
    const { afterDdl } = order.options;
    if (typeof afterDdl !== "string") {
      await runner.record(
        entry(order, `${direction} stream resumed`),
        withStream(direction, () => ({})),
      );
    } else {
      requireStoppedAt(runner, direction, afterDdl);
      await runner.record(
        entry(order, `${direction} stream resumed after DDL ${afterDdl}`),
        withStream(direction, () => ({ afterDdl })),
      );
      // One that is open, as after an abort that has let it go on, does not know of it, and would stop there again.
      await runner.keepers[direction].close();
    }
    runner.openActiveStream();
    return { direction, ...(typeof afterDdl === "string" ? { afterDdl } : {}) };
  });
}

function requireStoppedAt(runner: MigrationRunner, direction: "forward" | "reverse", gtid: string): void {
  const { stoppedAtDdl, afterDdl } = runner.document.streams[direction];
  if (gtid === stoppedAtDdl || gtid === afterDdl) return;
  throw new SwitchyardError("MIGRATION_REQUEST_INVALID", {
    what: `the ${direction} stream of migration "${runner.id}" has not stopped at DDL of transaction ${gtid}`,
    details: [stoppedAtDdl === undefined ? "it has stopped at no DDL" : `it has stopped at  ${stoppedAtDdl}`],
    changed: "Nothing was changed.",
    fix: `\`switchyard migration status ${runner.id}\` shows the statement and its transaction.`,
  });
}

function saidBy(order: OrderDocument): { readonly by: string; readonly reason: string } {
  return { by: order.who, reason: order.reason ?? "no reason was given" };
}

function pauseOf(runner: MigrationRunner, direction: "forward" | "reverse", order: OrderDocument): StreamPause {
  const lagMs = runner.keepers[direction].status()?.lagMs;
  // Before the stream has caught up once its lag is not known, and JSON has no infinity.
  const known = lagMs !== undefined && Number.isFinite(lagMs) ? { lagMs: Math.round(lagMs) } : {};
  return { ...saidBy(order), at: runner.context.clock.now().toISOString(), ...known };
}

function requireStream(runner: MigrationRunner): "forward" | "reverse" {
  const direction = activeDirection(runner.document);
  if (direction !== undefined) return direction;
  throw new SwitchyardError("MIGRATION_PHASE_REFUSED", {
    what: `migration "${runner.id}" is ${runner.document.phase}; it has no stream`,
    changed: "Nothing was changed.",
  });
}

function withStream(direction: "forward" | "reverse", change: (state: StreamState) => StreamState) {
  return (document: MigrationDocument): MigrationDocument => ({
    ...document,
    streams: { ...document.streams, [direction]: change(document.streams[direction]) },
  });
}

function entry(order: OrderDocument, what: string): { who: string; what: string; reason?: string } {
  return { who: order.who, what, ...(order.reason === undefined ? {} : { reason: order.reason }) };
}
