import type { Clock } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { EmbeddedLeases } from "./embedded-leases.ts";
import { JournalFile } from "./journal-file.ts";
import { KeptLease } from "./kept-lease.ts";
import { replay } from "./replay-journal.ts";
import type {
  Compare,
  Lease,
  Store,
  StoreEntry,
  StoreEvent,
  StoreWrite,
  TransactionResult,
  Watch,
  WatchHandler,
} from "./store.ts";
import { checkKey, checkLeaseTtl, checkTransaction, type IdentifiedWrite, identify } from "./store-limits.ts";
import { type DurableChange, StoreState } from "./store-state.ts";

export interface EmbeddedStoreOptions {
  /** Where the journal lives; `undefined` keeps everything in memory. */
  readonly directory: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** The journal could not be written: the store has stopped, and only a new process may go on from the disk. */
  readonly onFailure?: (error: SwitchyardError) => void;
  /** The journal is compacted when it is larger than this, and than four times what it holds. */
  readonly journalBytesMax?: number;
}

/** Transactions that share one fsync. */
const BATCH_MAX = 256;
const JOURNAL_BYTES_MAX = 4 * 1024 * 1024;

interface Operation {
  /** Does the work in memory; what it returns is called once all that came before is on disk. */
  readonly apply: (durable: DurableTransaction[]) => () => void;
  readonly reject: (error: SwitchyardError) => void;
  readonly writes: boolean;
}

interface DurableTransaction {
  readonly revision: number;
  readonly changes: readonly DurableChange[];
}

interface Watcher {
  readonly prefix: string;
  readonly handler: WatchHandler;
}

/**
 * The store of a `serve` process: all keys in memory, each change on disk before anyone hears of it.
 *
 * Reads, writes and watches pass one queue in order. Neither an answer nor an event leaves before the writes it
 * could show are synced: a reader never sees what a crash could take back. Writes that wait share one fsync.
 *
 * Keys under a lease are not journalled. They belong to processes that end with this one.
 */
export class EmbeddedStore implements Store {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #state: StoreState;
  readonly #journal: JournalFile | undefined;
  readonly #journalBytesMax: number;
  readonly #onFailure: (error: SwitchyardError) => void;
  readonly #leases: EmbeddedLeases;
  readonly #kept = new Set<KeptLease>();
  readonly #watchers = new Set<Watcher>();
  readonly #queue: Operation[] = [];
  #draining: Promise<void> | undefined;
  #compactAbove: number;
  #stopped: SwitchyardError | undefined;
  #closed = false;

  private constructor(options: EmbeddedStoreOptions, state: StoreState, journal: JournalFile | undefined) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onFailure = options.onFailure ?? (() => undefined);
    this.#journalBytesMax = options.journalBytesMax ?? JOURNAL_BYTES_MAX;
    this.#compactAbove = this.#journalBytesMax;
    this.#state = state;
    this.#journal = journal;
    this.#leases = new EmbeddedLeases(options.clock, (id) => this.#expire(id));
  }

  /**
   * Opens the store and takes its directory for this process alone.
   *
   * @throws {SwitchyardError} `STORE_LOCKED`, `STORE_DIRECTORY_UNUSABLE`, `STORE_CORRUPT`, `STORE_FORMAT_NEWER`
   */
  static async open(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    const state = new StoreState();
    if (options.directory === undefined) return new EmbeddedStore(options, state, undefined);
    const { journal, records } = await JournalFile.open(options.directory, options.log);
    for (const record of records) replay(state, record);
    return new EmbeddedStore(options, state, journal);
  }

  get(key: string): Promise<StoreEntry | undefined> {
    return this.#read(() => {
      checkKey(key);
      return this.#state.get(key);
    });
  }

  list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    return this.#read(() => ({ entries: this.#state.list(prefix), revision: this.#state.revision }));
  }

  transact(conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<TransactionResult> {
    return this.transactIdentified(conditions, identify(writes));
  }

  /** As {@link transact}, with leases named by id: for leases that another process holds. */
  transactIdentified(conditions: readonly Compare[], writes: readonly IdentifiedWrite[]): Promise<TransactionResult> {
    return this.#enqueue(true, (durable, answer) => {
      checkTransaction(conditions, writes);
      const applied = this.#state.transact(conditions, writes);
      if (applied.durable.length > 0) durable.push({ revision: applied.result.revision, changes: applied.durable });
      return () => {
        answer.resolve(applied.result);
        this.#tell(applied.events);
      };
    });
  }

  watch(prefix: string, handler: WatchHandler): Promise<Watch> {
    const watcher = { prefix, handler };
    return this.#enqueue<Watch>(false, (_, answer) => {
      const entries = this.#state.list(prefix);
      const revision = this.#state.revision;
      return () => {
        this.#watchers.add(watcher);
        this.#guarded(() => handler.reset(entries, revision));
        answer.resolve({ close: () => this.#unwatch(watcher) });
      };
    });
  }

  async lease(ttlMs: number): Promise<Lease> {
    const sentAtMs = this.#clock.monotonicMs();
    const id = await this.grantLease(ttlMs);
    const lease = new KeptLease(this.#clock, this, { id, ttlMs, sentAtMs });
    this.#kept.add(lease);
    lease.lost.addEventListener("abort", () => this.#kept.delete(lease), { once: true });
    return lease;
  }

  /** A lease that somebody else keeps alive, through {@link keepAlive}. */
  grantLease(ttlMs: number): Promise<string> {
    return this.#enqueue<string>(false, (_, answer) => {
      checkLeaseTtl(ttlMs);
      const id = this.#leases.grant(ttlMs);
      this.#state.addLease(id);
      return () => answer.resolve(id);
    });
  }

  /** Counts the lease's TTL anew from now. False when it has ended. Does not wait for the disk. */
  keepAlive(id: string): Promise<boolean> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return Promise.resolve(this.#leases.keepAlive(id));
  }

  /** Ends a lease now and deletes its keys. Does nothing where it has ended already. */
  revokeLease(id: string): Promise<void> {
    for (const lease of this.#kept) if (lease.id === id) this.#kept.delete(lease);
    return this.#enqueue<void>(true, (_, answer) => {
      const events = this.#endLease(id);
      return () => {
        answer.resolve();
        this.#tell(events);
      };
    });
  }

  /** Finishes what is queued, then refuses everything and frees the directory. */
  async close(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
    this.#stop(new SwitchyardError("STORE_UNAVAILABLE", { what: "the store has been closed" }));
    if (this.#closed) return;
    this.#closed = true;
    await this.#journal?.close();
  }

  #expire(id: string): void {
    const operation = this.#enqueue<void>(true, (_, answer) => {
      const events = this.#leases.isOver(id) ? this.#endLease(id) : [];
      return () => {
        answer.resolve();
        this.#tell(events);
      };
    });
    operation.catch(() => undefined);
  }

  #endLease(id: string): readonly StoreEvent[] {
    this.#leases.end(id);
    return this.#state.endLease(id);
  }

  #unwatch(watcher: Watcher): Promise<void> {
    this.#watchers.delete(watcher);
    return Promise.resolve();
  }

  #read<T>(look: () => T): Promise<T> {
    return this.#enqueue<T>(false, (_, answer) => {
      const value = look();
      return () => answer.resolve(value);
    });
  }

  /** Queues an operation; an error thrown by `apply` is its answer and changes nothing. */
  #enqueue<T>(writes: boolean, apply: (durable: DurableTransaction[], answer: Deferred<T>) => () => void): Promise<T> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    const answer = deferred<T>();
    this.#queue.push({
      writes,
      apply: (durable) => apply(durable, answer),
      reject: (error) => answer.reject(error),
    });
    this.#draining ??= this.#drain();
    return answer.promise;
  }

  async #drain(): Promise<void> {
    // A caller that queues several operations in one turn gets them into one batch.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_MAX);
      const durable: DurableTransaction[] = [];
      const releases = batch.map((operation) => this.#apply(operation, durable));
      if (durable.length > 0 && this.#journal !== undefined) {
        try {
          await this.#journal.append({ batch: durable });
        } catch (error) {
          this.#fail(error, batch);
          break;
        }
      }
      for (const release of releases) release();
      await this.#compactWhereLarge();
    }
    this.#draining = undefined;
  }

  #apply(operation: Operation, durable: DurableTransaction[]): () => void {
    try {
      return operation.apply(durable);
    } catch (error) {
      return () => operation.reject(error as SwitchyardError);
    }
  }

  async #compactWhereLarge(): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined || journal.bytes <= this.#compactAbove) return;
    const before = journal.bytes;
    try {
      await journal.compact(this.#state.durableEntries(), this.#state.revision);
      this.#compactAbove = Math.max(this.#journalBytesMax, journal.bytes * 4);
      this.#log.debug({ before, after: journal.bytes }, "compacted the store's journal");
    } catch (error) {
      this.#compactAbove = before * 2;
      this.#log.warn({ error: messageOf(error) }, "could not compact the store's journal; the old one stays in use");
    }
  }

  #fail(cause: unknown, batch: readonly Operation[]): void {
    const facts = {
      what: `the store's journal could not be written: ${messageOf(cause)}`,
      fix: "Free the disk or repair it, then start Switchyard again: it goes on from what the disk holds.",
      cause,
    };
    const failure = new SwitchyardError("STORE_UNAVAILABLE", facts);
    const unknown = new SwitchyardError("STORE_OUTCOME_UNKNOWN", facts);
    for (const operation of batch) operation.reject(operation.writes ? unknown : failure);
    this.#stop(failure);
    this.#onFailure(failure);
  }

  /** Refuses everything from now on, with `error`. */
  #stop(error: SwitchyardError): void {
    this.#stopped ??= error;
    for (const operation of this.#queue.splice(0)) operation.reject(error);
    this.#leases.endAll();
    for (const lease of this.#kept) lease.abandon();
    this.#kept.clear();
    for (const { handler } of this.#watchers) this.#guarded(() => handler.stale?.(error.facts.what));
    this.#watchers.clear();
  }

  #tell(events: readonly StoreEvent[]): void {
    if (events.length === 0) return;
    for (const { prefix, handler } of [...this.#watchers]) {
      const seen = events.filter((event) => event.key.startsWith(prefix));
      if (seen.length > 0) this.#guarded(() => handler.change(seen));
    }
  }

  /** A watcher that throws must not keep the others from hearing. */
  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, "a watcher of the store failed");
    }
  }
}
