import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { isSwitchyardError, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { serializeProxyDocument } from "../rules/proxy-codec.ts";
import type { ProxyDocument } from "../rules/proxy-document.ts";
import { parseRules } from "../rules/rules-codec.ts";
import { ensureRules, type StoredRules } from "../rules/rules-store.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX, RULES_KEY } from "../rules/store-keys.ts";
import type { Store, StoreEvent, Watch } from "../store/store.ts";
import type { Licence } from "./licence.ts";
import type { ProxyMetrics } from "./proxy-metrics.ts";

export interface ParticipantOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ProxyMetrics;
  readonly licence: Licence;
  readonly id: string;
  readonly defaultBackend: string;
  readonly leaseTtlMs: number;
  readonly retryMs: number;
  /** Puts rules in force; older ones than those in force are to be passed over. */
  readonly apply: (rules: StoredRules) => void;
  /** What is to be told now. */
  readonly document: () => ProxyDocument;
}

/**
 * This worker's part in the store: its registration, its sign of life, and the rules as they change.
 *
 * It joins, and joins again after its lease has ended or its registration was removed, by one transaction that holds
 * only if the rules are still those that it has loaded: nobody can set a hold between the reading and the joining
 * without either being seen by this worker or seeing it.
 */
export class Participant {
  readonly #options: ParticipantOptions;
  readonly #key: string;
  readonly #stop = new AbortController();
  #watch: Watch | undefined;
  /** Revision of our registration; 0 while there is none. */
  #registered = 0;
  #dirty = false;
  #running: Promise<void> = Promise.resolve();
  #wake = deferred<void>();

  constructor(options: ParticipantOptions) {
    this.#options = options;
    this.#key = PROXIES_PREFIX + options.id;
  }

  /** Joins, and from then on stays joined. Rejects when the store cannot be reached the first time. */
  async start(): Promise<void> {
    await this.#join();
    this.#watch = await this.#options.store.watch(RULES_KEY, {
      reset: (entries) => this.#heard(entries),
      change: (events) => this.#heard(events),
      stale: (reason) => {
        this.#options.metrics.stale(true);
        this.#options.log.warn({ reason }, "the store is away; serving by the last known rules");
      },
    });
    this.#running = this.#run();
  }

  /** What this worker has to tell has changed; it is written as soon as the write before has ended. */
  publish(): void {
    this.#dirty = true;
    this.#wake.resolve();
  }

  /** Leaves: the registration goes, since this worker has no connections left through which it could write. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake.resolve();
    await this.#running;
    await this.#watch?.close().catch(() => undefined);
    const { lease } = this.#options.licence;
    this.#options.licence.use(undefined);
    await this.#options.store.transact([], [{ delete: this.#key }]).catch(() => undefined);
    await lease?.revoke().catch(() => undefined);
  }

  #heard(events: readonly StoreEvent[]): void {
    this.#options.metrics.stale(false);
    for (const { key, value, revision } of events) {
      if (key !== RULES_KEY || value === undefined) continue;
      try {
        this.#options.apply({ rules: parseRules(value), revision });
      } catch (error) {
        this.#options.log.error(
          { error: messageOf(error) },
          "the new rules cannot be read; the last ones stay in force",
        );
      }
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#registered === 0 || this.#options.licence.lease?.lost.aborted === true) await this.#join();
        else if (this.#dirty) await this.#write();
        else await this.#nextChange();
      } catch (error) {
        this.#options.log.warn({ error: messageOf(error) }, "the store did not take what this proxy has to tell");
        this.#dirty = true;
        await this.#options.clock.sleep(this.#options.retryMs, signal).catch(() => undefined);
      }
    }
  }

  async #nextChange(): Promise<void> {
    const wake = deferred<void>();
    this.#wake = wake;
    if (this.#dirty || this.#stop.signal.aborted) return;
    const lost = this.#options.licence.lease?.lost;
    const onLost = (): void => wake.resolve();
    lost?.addEventListener("abort", onLost, { once: true });
    await wake.promise;
    lost?.removeEventListener("abort", onLost);
  }

  async #join(): Promise<void> {
    const { store, licence, leaseTtlMs, id, defaultBackend } = this.#options;
    const before = licence.lease;
    licence.use(undefined);
    this.#registered = 0;
    if (before?.lost.aborted === false) await before.revoke();
    for (;;) {
      const loaded = await ensureRules(store, defaultBackend);
      this.#options.apply(loaded);
      const lease = await store.lease(leaseTtlMs);
      this.#dirty = false;
      const value = serializeProxyDocument(this.#options.document());
      const result = await store
        .transact(
          [{ key: RULES_KEY, revision: loaded.revision }],
          [
            { put: this.#key, value },
            { put: ALIVE_PREFIX + id, value: JSON.stringify({ format: 1, id }), lease },
          ],
        )
        .catch(async (error: unknown) => {
          await lease.revoke().catch(() => undefined);
          throw error;
        });
      if (result.succeeded) {
        this.#registered = result.revision;
        licence.use(lease);
        return;
      }
      await lease.revoke();
    }
  }

  async #write(): Promise<void> {
    this.#dirty = false;
    const value = serializeProxyDocument(this.#options.document());
    try {
      const condition = { key: this.#key, revision: this.#registered };
      const result = await this.#options.store.transact([condition], [{ put: this.#key, value }]);
      // Whoever removed the registration took this worker for dead: it must join anew before it is heard.
      this.#registered = result.succeeded ? result.revision : 0;
    } catch (error) {
      if (isSwitchyardError(error, "STORE_OUTCOME_UNKNOWN")) {
        this.#registered = (await this.#options.store.get(this.#key))?.revision ?? 0;
      }
      throw error;
    }
  }
}
