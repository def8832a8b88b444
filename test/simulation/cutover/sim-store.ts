import { isSwitchyardError, SwitchyardError } from "../../../src/base/errors.ts";
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
import { identify } from "../../../src/store/store-limits.ts";
import { StoreState } from "../../../src/store/store-state.ts";
import type { SimProcess, World } from "./world.ts";

const ANSWER_TIMEOUT_MS = 120;

interface Watcher {
  readonly prefix: string;
  deliver: (events: readonly StoreEvent[]) => void;
}

/** How the messages to and from the store fare. */
export interface StoreFaults {
  lostRequest: number;
  lostAnswer: number;
  lateRequest: number;
  refused: number;
}

/** The store itself: the real state machine behind a network that loses, delays and repeats nothing twice. */
export class SimStoreServer {
  readonly world: World;
  readonly state = new StoreState();
  readonly watchers = new Set<Watcher>();
  readonly faults: StoreFaults = { lostRequest: 0, lostAnswer: 0, lateRequest: 0, refused: 0 };
  awayUntil = 0;
  /** How long a late request takes. */
  lateMs: readonly [number, number] = [ANSWER_TIMEOUT_MS * 0.8, ANSWER_TIMEOUT_MS * 4];
  #leases = 0;
  readonly #expiry = new Map<string, number>();

  constructor(world: World) {
    this.world = world;
  }

  get away(): boolean {
    return this.world.now < this.awayUntil;
  }

  apply(conditions: readonly Compare[], writes: readonly StoreWrite[]): TransactionResult {
    const { result, events } = this.state.transact(conditions, identify(writes));
    this.#tell(events);
    return result;
  }

  newLease(ttlMs: number): string {
    const id = `l${++this.#leases}`;
    this.state.addLease(id);
    this.#extend(id, ttlMs);
    return id;
  }

  /** Whether the lease still stood, and is good for another TTL. */
  keepAlive(id: string, ttlMs: number): boolean {
    if (!this.state.hasLease(id)) return false;
    this.#extend(id, ttlMs);
    return true;
  }

  end(id: string): void {
    if (this.state.hasLease(id)) this.#tell(this.state.endLease(id));
  }

  #extend(id: string, ttlMs: number): void {
    const expires = this.world.now + ttlMs;
    this.#expiry.set(id, expires);
    this.world.after(ttlMs, () => {
      if (this.#expiry.get(id) === expires) this.end(id);
    });
  }

  #tell(events: readonly StoreEvent[]): void {
    for (const watcher of this.watchers) {
      const matching = events.filter((event) => event.key.startsWith(watcher.prefix));
      if (matching.length > 0) watcher.deliver(matching);
    }
  }
}

/** The store as one process reaches it. */
export class SimStore implements Store {
  readonly #server: SimStoreServer;
  readonly #process: SimProcess;

  constructor(server: SimStoreServer, process: SimProcess) {
    this.#server = server;
    this.#process = process;
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    return await this.#ask(() => this.#server.state.get(key));
  }

  async list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    return await this.#ask(() => ({ entries: this.#server.state.list(prefix), revision: this.#server.state.revision }));
  }

  async transact(conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<TransactionResult> {
    const { world, faults } = this.#server;
    await this.#process.gate();
    const fate = world.random.next();
    const refuse = faults.refused;
    if (this.#unreachable() || fate < refuse) {
      await world.delay(2);
      await this.#process.gate();
      throw new SwitchyardError("STORE_UNAVAILABLE", { what: "the simulated store is away" });
    }
    const apply = (): TransactionResult => this.#server.apply(conditions, writes);
    // Nobody hears the answer any more, not even that a lease had ended.
    const unheard = (): void => {
      try {
        apply();
      } catch (error) {
        if (!isSwitchyardError(error)) throw error;
      }
    };
    if (fate < refuse + faults.lostRequest) return await this.#unknown();
    if (fate < refuse + faults.lostRequest + faults.lostAnswer) {
      world.after(this.#latency(), unheard);
      return await this.#unknown();
    }
    if (fate < refuse + faults.lostRequest + faults.lostAnswer + faults.lateRequest) {
      world.after(world.random.between(...this.#server.lateMs), () => {
        world.note(`a late transaction of ${this.#process.name} arrives`);
        unheard();
      });
      return await this.#unknown();
    }
    await world.delay(this.#latency());
    const result = apply();
    await world.delay(this.#latency());
    await this.#process.gate();
    return result;
  }

  async watch(prefix: string, handler: WatchHandler): Promise<Watch> {
    const { world } = this.#server;
    const entries = await this.#ask(() => ({
      all: this.#server.state.list(prefix),
      revision: this.#server.state.revision,
    }));
    let last = world.now;
    let open = true;
    const later = (work: () => void): void => {
      last = Math.max(last, world.now + this.#latency() + (this.#process.cut ? world.random.between(50, 400) : 0));
      world.after(last - world.now, () => {
        void this.#process.gate().then(() => {
          if (open) work();
        });
      });
    };
    const watcher: Watcher = { prefix, deliver: (events) => later(() => handler.change(events)) };
    this.#server.watchers.add(watcher);
    handler.reset(entries.all, entries.revision);
    // What changed between the reading and the watching is told as a whole.
    later(() => handler.reset(this.#server.state.list(prefix), this.#server.state.revision));
    return {
      close: async () => {
        open = false;
        this.#server.watchers.delete(watcher);
        await Promise.resolve();
      },
    };
  }

  async lease(ttlMs: number): Promise<Lease> {
    const { world } = this.#server;
    const sent = world.now;
    const id = await this.#ask(() => this.#server.newLease(ttlMs));
    let confirmed = sent;
    let open = true;
    const lost = new AbortController();
    const keep = async (): Promise<void> => {
      while (open && !lost.signal.aborted) {
        await world.delay(ttlMs / 3);
        await this.#process.gate();
        if (!open) return;
        const at = world.now;
        const stands = await this.#ask(() => this.#server.keepAlive(id, ttlMs)).catch(() => undefined);
        if (stands === false) lost.abort();
        if (stands === true) confirmed = at;
      }
    };
    void keep();
    return {
      id,
      ttlMs,
      confirmedSentAtMs: () => confirmed,
      lost: lost.signal,
      revoke: async () => {
        open = false;
        await this.#ask(() => this.#server.end(id)).catch(() => undefined);
      },
    };
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  async #ask<T>(read: () => T): Promise<T> {
    const { world, faults } = this.#server;
    await this.#process.gate();
    await world.delay(this.#latency());
    if (this.#unreachable() || world.random.chance(faults.refused)) {
      await this.#process.gate();
      throw new SwitchyardError("STORE_UNAVAILABLE", { what: "the simulated store is away" });
    }
    const value = read();
    await world.delay(this.#latency());
    await this.#process.gate();
    return value;
  }

  async #unknown(): Promise<never> {
    await this.#server.world.delay(ANSWER_TIMEOUT_MS);
    await this.#process.gate();
    throw new SwitchyardError("STORE_OUTCOME_UNKNOWN", { what: "the simulated store did not answer" });
  }

  #unreachable(): boolean {
    return this.#server.away || this.#process.cut;
  }

  #latency(): number {
    return this.#server.world.random.between(0.2, 2);
  }
}
