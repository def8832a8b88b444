/** A key with its value as read, and the revision at which it was last written. */
export interface StoreEntry {
  readonly key: string;
  /** JSON text; the store does not look inside. */
  readonly value: string;
  /** Revision of the last write of this key; greater than 0. */
  readonly revision: number;
}

/** A condition of a transaction: `key` was last written at `revision`; 0 means that it does not exist. */
export interface Compare {
  readonly key: string;
  readonly revision: number;
}

/** One change of a transaction. A put under a lease vanishes when the lease ends. */
export type StoreWrite =
  | { readonly put: string; readonly value: string; readonly lease?: Lease }
  | { readonly delete: string };

/** What a transaction did: nothing where a condition did not hold. */
export interface TransactionResult {
  readonly succeeded: boolean;
  /** The store's revision after it; where it succeeded, the revision of every key that it wrote. */
  readonly revision: number;
}

/** One change seen by a watcher, in the order of revisions. `value` is absent for a deletion. */
export interface StoreEvent {
  readonly key: string;
  readonly value?: string;
  readonly revision: number;
}

/**
 * A watch on a prefix. It first reports all that exists ({@link WatchHandler.reset}), then each change in order.
 * Where changes may have been missed (reconnect, compaction) it calls `reset` again with the whole truth.
 */
export interface WatchHandler {
  reset(entries: readonly StoreEntry[], revision: number): void;
  change(events: readonly StoreEvent[]): void;
  /** The store cannot be reached; the last known state may be old. Ends with the next `reset` or `change`. */
  stale?(reason: string): void;
}

export interface Watch {
  close(): Promise<void>;
}

/**
 * A lease: keys put under it vanish when it ends. It is kept alive until {@link revoke} is called.
 *
 * {@link confirmedSentAtMs} lets the holder judge for itself, on its own monotonic clock, until when it may
 * trust the lease: the store counts the TTL from no earlier than the moment the keep-alive was sent.
 */
export interface Lease {
  readonly id: string;
  readonly ttlMs: number;
  /** Monotonic time at which the last keep-alive that the store has answered was sent. */
  confirmedSentAtMs(): number;
  /** Aborts when the store said that the lease is gone. Nothing tells when the store is merely away. */
  readonly lost: AbortSignal;
  revoke(): Promise<void>;
}

/**
 * The key-value store that proxies and controllers share: ordered keys, transactions over several keys, watches
 * that miss nothing, leases.
 *
 * Every method throws `STORE_UNAVAILABLE` when the store certainly did nothing, and a write throws
 * `STORE_OUTCOME_UNKNOWN` when it may or may not have been applied: only a later read or swap tells.
 */
export interface Store {
  get(key: string): Promise<StoreEntry | undefined>;
  /** All keys that begin with `prefix`, in key order, as of one revision. */
  list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }>;
  /** Makes all `writes` at one revision if every condition holds, else none. At most 128 of either. */
  transact(conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<TransactionResult>;
  /** Resolves after the first `reset`. */
  watch(prefix: string, handler: WatchHandler): Promise<Watch>;
  lease(ttlMs: number): Promise<Lease>;
  close(): Promise<void>;
}
