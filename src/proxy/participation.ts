import type { ProxyDocument } from "../rules/proxy-document.ts";
import { ensureRules } from "../rules/rules-store.ts";
import { Arming } from "./arming.ts";
import { HoldKeeper } from "./hold-keeper.ts";
import { Licence } from "./licence.ts";
import { Participant } from "./participant.ts";
import type { ProxyLimits } from "./proxy-config.ts";
import type { ProxyMetrics } from "./proxy-metrics.ts";
import type { ProxyWorkerOptions } from "./proxy-worker.ts";
import { ServersReached } from "./reached-servers.ts";
import { SeenTogether } from "./seen-together.ts";
import type { SessionContext } from "./session-context.ts";
import { StragglerEnder } from "./straggler-ender.ts";
import { Traffic } from "./traffic.ts";

/** Who this worker is, and what its parts share. */
export interface WorkerIdentity {
  readonly id: string;
  readonly bootNonce: string;
  readonly limits: ProxyLimits;
  readonly metrics: ProxyMetrics;
}

/** A worker that has joined: the rules are in force, holds and arming are kept and acknowledged. */
export interface Participation extends Pick<SessionContext, "traffic" | "arming" | "seen" | "account" | "servers"> {
  readonly licence: Licence;
  close(): Promise<void>;
}

/** Joins the store. When it resolves, this worker is registered under the very rules that it has put in force. */
export async function participate(options: ProxyWorkerOptions, worker: WorkerIdentity): Promise<Participation> {
  const { config, store, clock, log } = options;
  const { id, limits, metrics, bootNonce } = worker;
  const licence = new Licence(clock, limits.leaseMarginMs);
  const loaded = await ensureRules(store, config.defaultBackend);
  const traffic = new Traffic({ clock, log, limits, metrics, licence, ...loaded });
  const accounts = new Set<string>();
  const closed = new AbortController();
  let waiting = false;
  const changed = (): void => {
    const now = clock.monotonicMs();
    const waitMs = Math.max(0, ...[...traffic.holds.values()].map((hold) => hold.tellAfterMs(now)));
    if (waitMs === 0) participant.publish();
    if (waitMs === 0 || waiting) return;
    waiting = true;
    void clock.sleep(waitMs, closed.signal).then(
      () => {
        waiting = false;
        participant.publish();
      },
      () => undefined,
    );
  };
  const seen = new SeenTogether(limits.seenTogetherMax, changed);
  const servers = new ServersReached(clock, closed.signal, changed);
  const arming = new Arming({ traffic, clock, log, loginsMax: limits.armLoginsMax, onChange: () => changed() });
  const document = (): ProxyDocument => ({
    format: 3,
    id,
    bootNonce,
    version: config.version,
    generation: traffic.rules.generation,
    armed: arming.acknowledgements(clock.monotonicMs()),
    holds: Object.fromEntries(
      [...traffic.holds].map(([migration, hold]) => [migration, hold.acknowledgement(clock.monotonicMs())]),
    ),
    seenTogether: seen.list(),
    accounts: [...accounts],
    servers: servers.list(),
  });
  const participant = new Participant({
    ...{ store, clock, log, metrics, licence, id, document },
    defaultBackend: config.defaultBackend,
    leaseTtlMs: limits.leaseTtlMs,
    retryMs: limits.storeRetryMs,
    apply: ({ rules, revision }) => traffic.apply(rules, revision),
  });
  traffic.onChange(changed);
  await participant.start();
  const keeper = new HoldKeeper({ store, traffic, clock, log, retryMs: limits.storeRetryMs });
  const stragglers = new StragglerEnder({ traffic, clock, log });
  const account = (user: string, host: string): void => {
    const name = `${user}@${host}`;
    if (accounts.has(name) || accounts.size >= limits.accountsMax) return;
    accounts.add(name);
    changed();
  };
  const close = async (): Promise<void> => {
    closed.abort();
    keeper.close();
    stragglers.close();
    traffic.close();
    await participant.close();
  };
  return { traffic, arming, seen, servers, account, licence, close };
}
