import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { readEnvironment } from "../config/environment.ts";
import { failpointFromEnvironment } from "../config/failpoint-environment.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { FrontTls, ProxyLimits } from "../proxy/proxy-config.ts";
import type { ProxyChange } from "../proxy/proxy-worker.ts";
import type { Store } from "../store/store.ts";
import type { ChildStart } from "./child-messages.ts";
import { childIds } from "./ended-process.ts";
import { clientsFrom, type HandingProcess } from "./handed-clients.ts";

/** What a child is, once it is that. */
export interface RunningRole {
  /** Settles when it has ended by itself; rejects when it should be started again. */
  readonly ended: Promise<void>;
  /** Puts in force what may change while it runs; all else in `config` is as it was. */
  reconfigure(config: Config): void;
  /** Finishes what clients have begun, as far as the configuration allows, and ends. */
  close(): Promise<void>;
}

export interface RoleContext {
  readonly store: Store;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Makes a child what the primary wants it to be. */
export async function startRole(start: ChildStart, context: RoleContext): Promise<RunningRole> {
  return await (start.role === "proxy" ? startProxy(start, context) : startControllerRole(start, context));
}

async function startProxy({ config, name, version }: ChildStart, context: RoleContext): Promise<RunningRole> {
  const { startProxyWorker } = await import("../proxy/proxy-worker.ts");
  let { shutdownTimeoutMs } = config.limits;
  const worker = await startProxyWorker({
    ...context,
    config: {
      listen: clientsFrom(process as HandingProcess),
      name: childIds(name, process.pid),
      version,
      backends: config.backends,
      defaultBackend: config.default,
      tls: frontTls(config),
      ...clients(config),
      compression: config.compression,
      limits: proxyLimits(config),
    },
  });
  return {
    ended: new Promise(() => undefined),
    reconfigure: (next) => {
      ({ shutdownTimeoutMs } = next.limits);
      worker.reconfigure({ limits: proxyLimits(next), tls: frontTls(next), ...clients(next) });
    },
    close: () => worker.close({ drainMs: shutdownTimeoutMs }),
  };
}

function frontTls({ clientTls }: Config): FrontTls {
  return clientTls.kind === "given" ? { cert: clientTls.cert, key: clientTls.key } : clientTls.kind;
}

function clients(config: Config): Pick<ProxyChange, "users" | "hintUsers" | "trustedNetworks"> {
  const { users, routeHints, proxyProtocol } = config;
  return { users, hintUsers: routeHints.users, trustedNetworks: proxyProtocol.trusted };
}

function proxyLimits({ limits }: Config): Partial<ProxyLimits> {
  const { holdStatementsMax, holdBytesMax, releaseInFlightMax, releaseSlotMs, leaseTtlMs, leaseMarginMs } = limits;
  const { sessionsMax, sessionsPerUserMax, loginsPendingMax } = limits;
  const { connectTimeoutMs, loginTimeoutMs, idleTimeoutMs, queryTimeoutMs, orphanTimeoutMs } = limits;
  return {
    ...{ holdStatementsMax, holdBytesMax, releaseInFlightMax, releaseSlotMs, leaseTtlMs, leaseMarginMs },
    ...{ sessionsMax, sessionsPerUserMax, loginsPendingMax },
    ...{ connectTimeoutMs, loginTimeoutMs, idleTimeoutMs, queryTimeoutMs, orphanTimeoutMs },
  };
}

async function startControllerRole({ config, name }: ChildStart, context: RoleContext): Promise<RunningRole> {
  const failpoint = failpointFromEnvironment(readEnvironment().all);
  const { startController } = await import("../controller/controller.ts");
  const limits = { ...config.limits };
  const controller = startController({
    ...context,
    failpoint,
    id: childIds(name, process.pid),
    backends: config.backends,
    defaultBackend: config.default,
    dataDirectory: config.dataDirectory,
    limits,
  });
  const reconfigure = (next: Config): void => void Object.assign(limits, next.limits);
  return { ended: controller.ended, reconfigure, close: () => controller.close() };
}
