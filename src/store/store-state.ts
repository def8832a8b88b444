import { SwitchyardError } from "../base/errors.ts";
import type { Compare, StoreEntry, StoreEvent, TransactionResult } from "./store.ts";
import { type IdentifiedWrite, writtenKey } from "./store-limits.ts";

/** What a transaction changed for good: `[key, value]` for a put, `[key]` for a deletion. */
export type DurableChange = readonly [string, string] | readonly [string];

/** What {@link StoreState.transact} has done, and who must hear of it. */
export interface Applied {
  readonly result: TransactionResult;
  readonly events: readonly StoreEvent[];
  /** What must be on disk before the result is told to anyone. Keys under a lease are not in it. */
  readonly durable: readonly DurableChange[];
}

interface Item {
  readonly value: string;
  readonly revision: number;
  readonly leaseId: string | undefined;
}

/** The keys of the embedded store in order, with their revisions and leases. Knows neither time nor files. */
export class StoreState {
  readonly #items = new Map<string, Item>();
  /** All keys, sorted by code unit. */
  readonly #keys: string[] = [];
  readonly #leases = new Map<string, Set<string>>();
  #revision = 0;

  get revision(): number {
    return this.#revision;
  }

  /** Sets an entry read back from disk, without a lease and without telling anyone. */
  restore(entry: StoreEntry): void {
    this.#set(entry.key, { value: entry.value, revision: entry.revision, leaseId: undefined });
    this.#revision = Math.max(this.#revision, entry.revision);
  }

  /** Does again what a journalled transaction did at `revision`. */
  replay(revision: number, changes: readonly DurableChange[]): void {
    for (const [key, value] of changes) {
      if (value === undefined) this.#remove(key);
      else this.#set(key, { value, revision, leaseId: undefined });
    }
    this.#revision = Math.max(this.#revision, revision);
  }

  /** Lets the revision continue after `revision`. */
  raiseRevision(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  get(key: string): StoreEntry | undefined {
    const item = this.#items.get(key);
    return item === undefined ? undefined : { key, value: item.value, revision: item.revision };
  }

  list(prefix: string): StoreEntry[] {
    const entries: StoreEntry[] = [];
    for (let index = this.#indexOf(prefix); index < this.#keys.length; index++) {
      const key = this.#keys[index];
      if (key === undefined || !key.startsWith(prefix)) break;
      const entry = this.get(key);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** The entries that outlive this process. */
  durableEntries(): StoreEntry[] {
    return this.list("").filter((entry) => this.#items.get(entry.key)?.leaseId === undefined);
  }

  addLease(id: string): void {
    this.#leases.set(id, new Set());
  }

  hasLease(id: string): boolean {
    return this.#leases.has(id);
  }

  /** Ends a lease and deletes its keys, all at one revision. */
  endLease(id: string): readonly StoreEvent[] {
    const keys = [...(this.#leases.get(id) ?? [])].sort();
    this.#leases.delete(id);
    if (keys.length === 0) return [];
    const revision = ++this.#revision;
    for (const key of keys) this.#remove(key);
    return keys.map((key) => ({ key, revision }));
  }

  /**
   * Makes all writes at one new revision if every condition holds, else none.
   *
   * @throws {SwitchyardError} `STORE_LEASE_LOST` when a write names a lease that has ended; nothing is changed.
   */
  transact(conditions: readonly Compare[], writes: readonly IdentifiedWrite[]): Applied {
    this.#checkLeases(writes);
    const holds = conditions.every(({ key, revision }) => (this.#items.get(key)?.revision ?? 0) === revision);
    const effective = writes.filter((write) => "put" in write || this.#items.has(write.delete));
    if (!holds || effective.length === 0) {
      return { result: { succeeded: holds, revision: this.#revision }, events: [], durable: [] };
    }
    const revision = ++this.#revision;
    const durable: DurableChange[] = [];
    const events = effective.map((write): StoreEvent => this.#write(write, revision, durable));
    return { result: { succeeded: true, revision }, events, durable };
  }

  #write(write: IdentifiedWrite, revision: number, durable: DurableChange[]): StoreEvent {
    const key = writtenKey(write);
    const before = this.#items.get(key);
    const wasDurable = before !== undefined && before.leaseId === undefined;
    if ("put" in write) {
      this.#set(key, { value: write.value, revision, leaseId: write.leaseId });
      if (write.leaseId === undefined) durable.push([key, write.value]);
      else if (wasDurable) durable.push([key]);
      return { key, value: write.value, revision };
    }
    this.#remove(key);
    if (wasDurable) durable.push([key]);
    return { key, revision };
  }

  #checkLeases(writes: readonly IdentifiedWrite[]): void {
    for (const write of writes) {
      if (!("put" in write) || write.leaseId === undefined || this.#leases.has(write.leaseId)) continue;
      throw new SwitchyardError("STORE_LEASE_LOST", {
        what: `${write.put} cannot be written under a lease that has ended`,
        changed: "Nothing was written.",
      });
    }
  }

  #set(key: string, item: Item): void {
    const before = this.#items.get(key);
    if (before === undefined) this.#keys.splice(this.#indexOf(key), 0, key);
    else if (before.leaseId !== undefined) this.#leases.get(before.leaseId)?.delete(key);
    this.#items.set(key, item);
    if (item.leaseId !== undefined) this.#leases.get(item.leaseId)?.add(key);
  }

  #remove(key: string): void {
    const before = this.#items.get(key);
    if (before === undefined) return;
    if (before.leaseId !== undefined) this.#leases.get(before.leaseId)?.delete(key);
    this.#items.delete(key);
    this.#keys.splice(this.#indexOf(key), 1);
  }

  /** Where `key` is, or belongs. */
  #indexOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.#keys[middle];
      if (at !== undefined && at < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
