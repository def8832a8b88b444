import { deferred } from "../base/deferred.ts";
import { messageOf } from "../base/errors.ts";
import type { Limits } from "../config/limits.ts";
import { LEADER_KEY } from "../rules/store-keys.ts";
import type { ControllerContext } from "./controller-context.ts";
import { lead, type Term } from "./leadership.ts";
import { MigrationFleet } from "./migration-fleet.ts";
import { OrderLoop } from "./order-loop.ts";
import { StatusPublisher } from "./status-publisher.ts";

/** What a controller process is given; the rest of {@link ControllerContext} it makes itself. */
export interface ControllerOptions
  extends Pick<ControllerContext, "store" | "clock" | "log" | "failpoint" | "metrics" | "backends" | "defaultBackend"> {
  /** Names this process, for example host and process id. */
  readonly id: string;
  /** Read anew by whatever begins: the owner may change what is in it, and a switch keeps those that it began with. */
  readonly limits: Limits;
}

export interface Controller {
  /** Rejects when leadership was lost or could not be used: the process should end and be started again. */
  readonly ended: Promise<void>;
  /** Ends streams and gives leadership up. Migrations go on wherever the next leader is. */
  close(): Promise<void>;
}

const LEADER_RETRY_MS = 1000;

/**
 * Seeks leadership and, once it leads, keeps every unfinished migration going and carries out orders.
 *
 * A controller leads once. When its term ends against its will it stops all that it does and {@link Controller.ended}
 * rejects; sessions on servers end with the process, and the successor settles what was under way.
 */
export function startController(options: ControllerOptions): Controller {
  const stop = new AbortController();
  const ended = deferred<void>();
  const work = run(options, stop.signal).then(ended.resolve, ended.reject);
  return {
    ended: ended.promise,
    async close() {
      stop.abort();
      await work;
    },
  };
}

async function run(options: ControllerOptions, stop: AbortSignal): Promise<void> {
  const { store, clock, log, id } = options;
  const { leaseTtlMs, leaseMarginMs } = options.limits;
  let term: Term;
  try {
    term = await lead({ store, clock, log, id, leaseTtlMs, leaseMarginMs, retryMs: LEADER_RETRY_MS }, stop);
  } catch (error) {
    if (stop.aborted) return;
    throw error;
  }
  log.info({ fencingToken: term.fencingToken }, "this controller leads");
  const status = new StatusPublisher({ store, log, leaseTtlMs });
  const context: ControllerContext = {
    ...options,
    status,
    leadership: () => [{ key: LEADER_KEY, revision: term.fencingToken }],
    signal: AbortSignal.any([stop, term.ended]),
  };
  const fleet = new MigrationFleet(context);
  const orders = new OrderLoop({
    store,
    clock,
    log,
    metrics: options.metrics,
    leadership: context.leadership,
    handle: (order, step) => fleet.handle(order, step),
  });
  try {
    await fleet.start();
    await orders.start();
    await aborted(context.signal);
  } catch (error) {
    log.error({ error: messageOf(error) }, "the controller cannot go on");
    throw error;
  } finally {
    await orders.close();
    await fleet.close();
    await status.close();
    await term.resign();
  }
  if (!stop.aborted) throw new Error("leadership was lost");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
