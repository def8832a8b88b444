import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { readEnvironment } from "../config/environment.ts";
import { failpointFromEnvironment } from "../config/failpoint-environment.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Store } from "../store/store.ts";
import type { ChildStart } from "./child-messages.ts";
import { childIds } from "./ended-process.ts";

/** What a child is, once it is that. */
export interface RunningRole {
  /** Where it listens, if it does. */
  readonly address?: string;
  /** Settles when it has ended by itself; rejects when it should be started again. */
  readonly ended: Promise<void>;
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
  const { sessionsMax, connectTimeoutMs, holdStatementsMax, holdBytesMax, leaseTtlMs, leaseMarginMs } = config.limits;
  const { clientTls } = config;
  const worker = await startProxyWorker({
    ...context,
    config: {
      listen: config.listen,
      name: childIds(name, process.pid),
      version,
      backends: config.backends,
      defaultBackend: config.default,
      tls: clientTls.kind === "given" ? { cert: clientTls.cert, key: clientTls.key } : clientTls.kind,
      limits: { sessionsMax, connectTimeoutMs, holdStatementsMax, holdBytesMax, leaseTtlMs, leaseMarginMs },
    },
  });
  const { address: host, family, port } = worker.address;
  return {
    address: family === "IPv6" ? `[${host}]:${port}` : `${host}:${port}`,
    ended: new Promise(() => undefined),
    close: () => worker.close({ drainMs: config.limits.shutdownTimeoutMs }),
  };
}

async function startControllerRole({ config, name }: ChildStart, context: RoleContext): Promise<RunningRole> {
  const failpoint = failpointFromEnvironment(readEnvironment().all);
  const { startController } = await import("../controller/controller.ts");
  const controller = startController({
    ...context,
    failpoint,
    id: childIds(name, process.pid),
    backends: config.backends,
    defaultBackend: config.default,
    limits: config.limits,
  });
  return { ended: controller.ended, close: () => controller.close() };
}
