import type { Clock } from "../base/clock.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import type { Limits } from "../config/limits.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { Compare, Store } from "../store/store.ts";
import type { StatusPublisher } from "./status-publisher.ts";

/** What every part of a controller works with. */
export interface ControllerBase {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly failpoint: FailpointHook;
  readonly metrics: Metrics;
  readonly status: StatusPublisher;
  /** By name in `backends:`. */
  readonly backends: Readonly<Record<string, Endpoint>>;
  readonly defaultBackend: string;
  /** Where this process may write files. */
  readonly dataDirectory: string;
  readonly limits: Limits;
  /** Aborts when the work must stop: shutdown, the lease lost, the migration not this controller's any more. */
  readonly signal: AbortSignal;
}

/** What work that a controller is in charge of is done with. */
export interface ControllerContext extends ControllerBase {
  /**
   * Conditions that hold only while it is in charge: it has claimed the migration or, where the work concerns none, it
   * leads.
   */
  readonly leadership: () => readonly Compare[];
}

/**
 * The server of a backend.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID` when the configuration has no such backend.
 */
export function endpointOf(context: Pick<ControllerBase, "backends">, backend: string): Endpoint {
  const endpoint = context.backends[backend];
  if (endpoint !== undefined) return endpoint;
  throw new SwitchyardError("MIGRATION_REQUEST_INVALID", {
    what: `there is no backend "${backend}"`,
    details: [`configured are: ${Object.keys(context.backends).join(", ")}`],
    changed: "Nothing was changed.",
    fix: "Name one of these, or add it to backends: in the configuration and restart.",
  });
}
