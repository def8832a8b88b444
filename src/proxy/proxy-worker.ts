import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { SESSIONS_PREFIX } from "../rules/store-keys.ts";
import type { Store } from "../store/store.ts";
import { BackendProbe } from "./backend-probe.ts";
import { OFFERED_BY_DEFAULT } from "./client-compression.ts";
import { TrustedNetworks } from "./client-origin.ts";
import { type ConfiguredUser, ConfiguredUsers } from "./configured-users.ts";
import { isKnownByItsGreeting, killAt } from "./kill-command.ts";
import { KillRelay } from "./kill-relay.ts";
import { Listener } from "./listener.ts";
import { participate } from "./participation.ts";
import { PasswordCache } from "./password-cache.ts";
import { PreparedXids } from "./prepared-xids.ts";
import { DEFAULT_PROXY_LIMITS, type FrontTls, type ProxyLimits, type ProxyWorkerConfig } from "./proxy-config.ts";
import { ProxyMetrics } from "./proxy-metrics.ts";
import { RouteHints } from "./route-hints.ts";
import { givenContext, makeServerKeys } from "./server-keys.ts";
import type { Session } from "./session.ts";
import { reportSessions } from "./session-report.ts";
import { SessionWatch } from "./session-watch.ts";
import { UserSessions } from "./user-sessions.ts";

/** What a worker is given. */
export interface ProxyWorkerOptions {
  readonly config: ProxyWorkerConfig;
  readonly store: Store;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** What may change while a worker runs. */
export interface ProxyChange {
  readonly limits: Partial<ProxyLimits>;
  readonly tls: FrontTls;
  readonly users?: readonly ConfiguredUser[];
  readonly hintUsers?: readonly string[];
  readonly trustedNetworks?: readonly string[];
}

/** One process's share of the proxy: a listener, its sessions, and a participant of its own in the store. */
export interface ProxyWorker {
  readonly id: string;
  /** Where it listens itself; 0 where its clients are handed to it. */
  readonly port: number;
  /**
   * Puts other limits, users and trusted networks in force, and another certificate where one was given: for what begins from now on. Sessions that
   * are open keep their encryption.
   */
  reconfigure(change: ProxyChange): void;
  /** Accepts nobody any more, lets open transactions end for `drainMs`, ends the rest, and leaves the store. */
  close(options?: { readonly drainMs: number }): Promise<void>;
}

/**
 * Starts a worker: it joins the store first and accepts clients only then.
 *
 * @throws {SwitchyardError} `PROXY_LISTEN_FAILED`, and what the store throws when it cannot be reached
 */
export async function startProxyWorker(options: ProxyWorkerOptions): Promise<ProxyWorker> {
  const { config, store, clock, log } = options;
  const limits = { ...DEFAULT_PROXY_LIMITS, ...config.limits };
  const bootNonce = randomBytes(12).toString("hex");
  const id = `${config.name}-${bootNonce}`;
  const metrics = new ProxyMetrics(options.metrics);
  metrics.holdLimits(limits);
  const keys = { ...(await makeServerKeys(config.tls, clock.now())) };
  const users = new ConfiguredUsers(config.users ?? []);
  const hints = new RouteHints(config.hintUsers ?? []);
  const trusted = new TrustedNetworks(config.trustedNetworks ?? []);
  const { licence, close: leave, ...joined } = await participate(options, { id, bootNonce, limits, metrics });
  const byThread = new Map<number, Session>();
  const killHere = (thread: number): void => {
    const victim = byThread.get(thread);
    if (victim !== undefined && isKnownByItsGreeting(victim)) void killAt(victim, victim.loginBackend);
  };
  const kills = new KillRelay({ store, clock, log, lease: () => licence.lease, killHere });
  kills.listen();
  const listener = new Listener(
    {
      ...{ ...joined, metrics, limits, clock, log, bootNonce, keys },
      backends: config.backends,
      ...{ users, hints, trusted },
      compression: config.compression ?? OFFERED_BY_DEFAULT,
      passwords: new PasswordCache(limits.passwordsMax),
      byThread,
      probe: new BackendProbe(config.backends, clock),
      userSessions: new UserSessions(),
      xids: new PreparedXids(),
      relayKill: (thread) => kills.ask(thread),
    },
    config,
  );
  const report = async (): Promise<void> => {
    const sessions = reportSessions(id, listener.sessions, clock, limits.reportSessionsMax);
    metrics.leaseLeft(licence.leftMs);
    metrics.sessions(sessions.states);
    const { lease } = licence;
    if (lease === undefined || lease.lost.aborted) return;
    const value = JSON.stringify({ ...sessions, latency: metrics.times.take(clock.monotonicMs()) });
    await store
      .transact([], [{ put: SESSIONS_PREFIX + id, value, lease }])
      .catch((error: unknown) => log.debug({ error: messageOf(error) }, "the sessions could not be reported"));
  };
  const reporter = setInterval(() => void report(), limits.reportEveryMs);
  const watch = new SessionWatch({ sessions: listener.sessions, limits, clock, log });
  const port = await listener.listen().catch(async (error: unknown) => {
    clearInterval(reporter);
    watch.close();
    await kills.close();
    await leave();
    throw error;
  });
  log.info({ id, ...(port === 0 ? {} : { port }) }, "the proxy accepts clients");
  return {
    id,
    port,
    reconfigure: (change) => {
      Object.assign(limits, change.limits);
      metrics.holdLimits(limits);
      if (change.users !== undefined) users.replace(change.users);
      if (change.hintUsers !== undefined) hints.replace(change.hintUsers);
      if (change.trustedNetworks !== undefined) trusted.replace(change.trustedNetworks);
      if (typeof change.tls === "object") keys.tls = givenContext(change.tls);
    },
    close: async ({ drainMs } = { drainMs: 0 }) => {
      await listener.close(drainMs);
      clearInterval(reporter);
      watch.close();
      await kills.close();
      await leave();
    },
  };
}
