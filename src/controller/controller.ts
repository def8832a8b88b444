import { deferred } from "../base/deferred.ts";
import { messageOf } from "../base/errors.ts";
import type { Limits } from "../config/limits.ts";
import type { ControllerBase } from "./controller-context.ts";
import { ensureRules } from "./initial-rules.ts";
import { join, type Membership } from "./membership.ts";
import { MigrationFleet } from "./migration-fleet.ts";
import { OrderLoop } from "./order-loop.ts";
import { StatusPublisher } from "./status-publisher.ts";

/** What a controller process is given; the rest of {@link ControllerBase} it makes itself. */
export interface ControllerOptions
  extends Pick<
    ControllerBase,
    "store" | "clock" | "log" | "failpoint" | "metrics" | "backends" | "defaultBackend" | "dataDirectory"
  > {
  /** Names this process, for example host and process id. */
  readonly id: string;
  /** Read anew by whatever begins: the owner may change what is in it, and a switch keeps those that it began with. */
  readonly limits: Limits;
}

export interface Controller {
  /** Rejects when the lease was lost or could not be used: the process should end and be started again. */
  readonly ended: Promise<void>;
  /** Ends streams and gives everything back at once. Migrations go on at other controllers. */
  close(): Promise<void>;
}

const JOIN_RETRY_MS = 1000;

/**
 * Joins the other controllers, keeps its share of the unfinished migrations going, and carries out the orders about them;
 * one of the controllers leads, and carries out those that concern no single migration.
 *
 * A controller joins once. When its lease ends against its will it stops all that it does and {@link Controller.ended}
 * rejects; sessions on servers end with the process, and the others settle what was under way.
 */
export function startController(options: ControllerOptions): Controller {
  const stop = new AbortController();
  const ended = deferred<void>();
  const work = run(options, stop.signal).then(
    () => ended.resolve(),
    (error: unknown) => ended.reject(error),
  );
  return {
    ended: ended.promise,
    async close() {
      stop.abort();
      await work;
    },
  };
}

async function run(options: ControllerOptions, stop: AbortSignal): Promise<void> {
  const { store, clock, log, id, metrics } = options;
  const { leaseTtlMs, leaseMarginMs } = options.limits;
  const backends = Object.keys(options.backends);
  let member: Membership;
  try {
    member = await join({ store, clock, log, id, backends, leaseTtlMs, leaseMarginMs, retryMs: JOIN_RETRY_MS }, stop);
  } catch (error) {
    if (stop.aborted) return;
    throw error;
  }
  const status = new StatusPublisher({ store, log, leaseTtlMs });
  const signal = AbortSignal.any([stop, member.ended]);
  const context: ControllerBase = { ...options, status, signal };
  const fleet = new MigrationFleet({ context, member, leaseTtlMs, changed: () => orders.reconsider() });
  const orders = new OrderLoop({ store, clock, log, metrics, accept: (order) => fleet.accept(order) });
  try {
    await ensureRules(context);
    await orders.start();
    await Promise.race([fleet.run(), aborted(signal)]);
  } catch (error) {
    log.error({ error: messageOf(error) }, "the controller cannot go on");
    throw error;
  } finally {
    await orders.close();
    await fleet.close();
    await status.close();
    await member.leave();
  }
  if (!stop.aborted) throw new Error("the controller's lease was lost");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
