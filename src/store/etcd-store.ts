import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import { isSwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { EtcdFailure, storeError } from "./etcd-failure.ts";
import { EtcdKeepAlives } from "./etcd-keep-alives.ts";
import { EtcdKeys } from "./etcd-keys.ts";
import type { EtcdAccess } from "./etcd-link.ts";
import { EtcdLinks } from "./etcd-links.ts";
import type { EtcdKeyValue } from "./etcd-watch-stream.ts";
import { EtcdWatches } from "./etcd-watches.ts";
import { KeptLease } from "./kept-lease.ts";
import type { Compare, Lease, Store, StoreEntry, StoreWrite, TransactionResult, Watch, WatchHandler } from "./store.ts";
import { checkKey, checkLeaseTtl, checkTransaction, type IdentifiedWrite, identify } from "./store-limits.ts";

export interface EtcdStoreOptions {
  readonly access: EtcdAccess;
  /** How all keys begin that are asked for, and how etcd's keys begin instead. */
  readonly root: string;
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** A request that is not answered within it is given up. */
  readonly requestTimeoutMs?: number;
  /** How often the stream of watches is asked whether it still lives. */
  readonly pingMs?: number;
}

const REQUEST_TIMEOUT_MS = 5000;
/** For the answer to a transaction that was sent. */
const TRANSACTION_ANSWER_MS_MAX = 3000;
const PING_MS = 1000;
const MS_PER_SECOND = 1000;

interface Header {
  readonly header: { readonly revision: string };
}

/**
 * An etcd, alone or a cluster, shared by processes of many machines.
 *
 * Reads and leases are asked for again, over another endpoint where there is one. A transaction is sent once: over a
 * connection that has just answered, so that it certainly did nothing where none has, and never a second time.
 *
 * etcd counts leases in whole seconds, and no shorter than it takes to elect a leader; a lease may therefore outlive the
 * TTL that was asked for, never the other way round.
 */
export class EtcdStore implements Store {
  readonly #clock: Clock;
  readonly #keys: EtcdKeys;
  readonly #links: EtcdLinks;
  readonly #watches: EtcdWatches;
  readonly #keepAlives: EtcdKeepAlives;
  readonly #leases = new Set<KeptLease>();
  readonly #requestTimeoutMs: number;

  constructor(options: EtcdStoreOptions) {
    const { access, clock, log } = options;
    this.#clock = clock;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#keys = new EtcdKeys(options.root, options.prefix);
    this.#links = new EtcdLinks({ access, clock, log, probeKey: this.#keys.unused });
    this.#keepAlives = new EtcdKeepAlives(this.#links, clock);
    this.#watches = new EtcdWatches({
      ...{ clock, log, links: this.#links, keys: this.#keys },
      list: (prefix) => this.list(prefix),
      pingMs: options.pingMs ?? PING_MS,
      openTimeoutMs: this.#requestTimeoutMs,
    });
  }

  /** How long ago etcd answered anything. While something is watched or leased it is asked every second or so. */
  get silentMs(): number {
    return this.#links.silentMs;
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    checkKey(key);
    const answer = await this.#range({ key: this.#keys.stored(key) });
    return answer.kvs.map((one) => this.#entry(one))[0];
  }

  async list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    const answer = await this.#range(this.#keys.range(prefix));
    return { entries: answer.kvs.map((one) => this.#entry(one)), revision: Number(answer.header.revision) };
  }

  async transact(conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<TransactionResult> {
    const identified = identify(writes);
    checkTransaction(conditions, identified);
    const request = {
      compare: conditions.map(({ key, revision }) => ({
        ...{ key: this.#keys.stored(key), target: "Mod", result: "Equal", mod_revision: String(revision) },
      })),
      success: identified.map((write) => this.#operation(write)),
    };
    const link = await this.#links.usable(deadlineIn(this.#clock, this.#requestTimeoutMs));
    try {
      type Answer = Header & { readonly succeeded: boolean };
      const answer = await link.call<Answer>("KV", "txn", request, TRANSACTION_ANSWER_MS_MAX);
      this.#links.answered();
      return { succeeded: answer.succeeded, revision: Number(answer.header.revision) };
    } catch (error) {
      if (error instanceof EtcdFailure && !error.refused) this.#links.doubt(link);
      throw storeError(error, { write: true });
    }
  }

  watch(prefix: string, handler: WatchHandler): Promise<Watch> {
    return this.#watches.open(prefix, handler);
  }

  async lease(ttlMs: number): Promise<Lease> {
    checkLeaseTtl(ttlMs);
    const facts = await this.#links.repeatedly(this.#requestTimeoutMs, async (link, attemptMs) => {
      const sentAtMs = this.#clock.monotonicMs();
      const request = { TTL: String(Math.ceil(ttlMs / MS_PER_SECOND)) };
      const { ID: id } = await link.call<{ readonly ID: string }>("Lease", "leaseGrant", request, attemptMs);
      return { id, ttlMs, sentAtMs };
    });
    const keeper = {
      keepAlive: (id: string) => this.#keepAlives.send(id),
      revokeLease: (id: string) => {
        this.#leases.delete(lease);
        return this.#revoke(id);
      },
    };
    const lease = new KeptLease(this.#clock, keeper, facts);
    this.#leases.add(lease);
    lease.lost.addEventListener("abort", () => this.#leases.delete(lease), { once: true });
    return lease;
  }

  /** Ends watches and keep-alives here; leases that were not revoked run out by their TTL. */
  close(): Promise<void> {
    for (const lease of this.#leases) lease.abandon();
    this.#leases.clear();
    this.#watches.close();
    this.#keepAlives.close();
    this.#links.close();
    return Promise.resolve();
  }

  async #revoke(id: string): Promise<void> {
    try {
      await this.#links.repeatedly(this.#requestTimeoutMs, (link, attemptMs) =>
        link.call("Lease", "leaseRevoke", { ID: id }, attemptMs),
      );
    } catch (error) {
      // It has ended already: by its TTL, or by a request whose answer was lost.
      if (!isSwitchyardError(error, "STORE_LEASE_LOST")) throw error;
    }
  }

  #range(request: object): Promise<Header & { readonly kvs: readonly EtcdKeyValue[] }> {
    return this.#links.repeatedly(this.#requestTimeoutMs, (link, attemptMs) =>
      link.call("KV", "range", request, attemptMs),
    );
  }

  #operation(write: IdentifiedWrite): object {
    if (!("put" in write)) return { request_delete_range: { key: this.#keys.stored(write.delete) } };
    const { put, value, leaseId } = write;
    const lease = leaseId === undefined ? {} : { lease: leaseId };
    return { request_put: { key: this.#keys.stored(put), value: Buffer.from(value), ...lease } };
  }

  #entry({ key, value, mod_revision }: EtcdKeyValue): StoreEntry {
    return { key: this.#keys.key(key), value: value.toString(), revision: Number(mod_revision) };
  }
}
