import { SwitchyardError } from "../../../src/base/errors.ts";
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
} from "../../../src/store/store.ts";

/** A store that can be taken away: nothing reaches it, no keep-alive is answered, no event is heard, until it is back. */
export class DistantStore implements Store {
  /** Called ahead of each transaction: what others do to the store in that very moment. */
  before: ((conditions: readonly Compare[]) => Promise<void>) | undefined;
  readonly #store: Store;
  readonly #watches: { readonly prefix: string; readonly handler: WatchHandler }[] = [];
  readonly #frozen: (() => void)[] = [];
  #away = false;

  constructor(store: Store) {
    this.#store = store;
  }

  takeAway(): void {
    this.#away = true;
    for (const freeze of this.#frozen) freeze();
    for (const { handler } of this.#watches) handler.stale?.("taken away by a test");
  }

  async bringBack(): Promise<void> {
    this.#away = false;
    for (const { prefix, handler } of this.#watches) {
      const { entries, revision } = await this.#store.list(prefix);
      handler.reset(entries, revision);
    }
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#reach();
    return await this.#store.get(key);
  }

  async list(prefix: string): ReturnType<Store["list"]> {
    this.#reach();
    return await this.#store.list(prefix);
  }

  async transact(conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<TransactionResult> {
    this.#reach();
    await this.before?.(conditions);
    return await this.#store.transact(conditions, writes);
  }

  async watch(prefix: string, handler: WatchHandler): Promise<Watch> {
    this.#reach();
    this.#watches.push({ prefix, handler });
    return await this.#store.watch(prefix, {
      reset: (entries, revision) => handler.reset(entries, revision),
      change: (events: readonly StoreEvent[]) => {
        if (!this.#away) handler.change(events);
      },
    });
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#reach();
    const lease = await this.#store.lease(ttlMs);
    let frozenAt: number | undefined;
    this.#frozen.push(() => {
      frozenAt = lease.confirmedSentAtMs();
    });
    const isAway = (): boolean => this.#away;
    // The store behind it must know the very lease, so it is given out itself, with one method replaced.
    const confirmed = lease.confirmedSentAtMs.bind(lease);
    lease.confirmedSentAtMs = () => (isAway() ? (frozenAt ?? confirmed()) : confirmed());
    return lease;
  }

  async close(): Promise<void> {}

  #reach(): void {
    if (this.#away) throw new SwitchyardError("STORE_UNAVAILABLE", { what: "the store was taken away by a test" });
  }
}
