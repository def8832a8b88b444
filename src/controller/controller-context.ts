import type { Clock } from "../base/clock.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import type { Limits } from "../config/limits.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { Compare, Store } from "../store/store.ts";
import type { StatusPublisher } from "./status-publisher.ts";

/** What every part of a leading controller works with. */
export interface ControllerContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly failpoint: FailpointHook;
  readonly metrics: Metrics;
  readonly status: StatusPublisher;
  /** By name in `backends:`. */
  readonly backends: Readonly<Record<string, Endpoint>>;
  readonly defaultBackend: string;
  readonly limits: Limits;
  /** Conditions that hold only while this controller leads. */
  readonly leadership: () => readonly Compare[];
  /** Aborts when the controller must stop: shutdown, or leadership lost. */
  readonly signal: AbortSignal;
}

/**
 * The server of a backend.
 *
 * @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID` when the configuration has no such backend.
 */
export function endpointOf(context: ControllerContext, backend: string): Endpoint {
  const endpoint = context.backends[backend];
  if (endpoint !== undefined) return endpoint;
  throw new SwitchyardError("MIGRATION_REQUEST_INVALID", {
    what: `there is no backend "${backend}"`,
    details: [`configured are: ${Object.keys(context.backends).join(", ")}`],
    changed: "Nothing was changed.",
    fix: "Name one of these, or add it to backends: in the configuration and restart.",
  });
}
