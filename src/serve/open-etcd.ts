import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { EtcdConfig } from "../config/config.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { KEYS_ROOT } from "../rules/store-keys.ts";
import { EtcdStore } from "../store/etcd-store.ts";

/** etcd is asked every second, and has three to answer. */
const CONNECTED_SILENT_MS_MAX = 5000;

/** The store in etcd that the configuration names. Nothing is sent before the first request. */
export function openEtcd(config: EtcdConfig, context: { readonly clock: Clock; readonly log: Logger }): EtcdStore {
  const { prefix, kind: _, ...access } = config;
  return new EtcdStore({ access, root: KEYS_ROOT, prefix, ...context });
}

/** Says in the metrics whether etcd answers this process. To be called before they are read. */
export function reportEtcd(store: EtcdStore, metrics: Metrics): void {
  const { silentMs } = store;
  metrics.gauge("store_connected", {}).set(silentMs <= CONNECTED_SILENT_MS_MAX ? 1 : 0);
  metrics.gauge("store_stale_seconds", {}).set(silentMs / 1000);
}
