import { isSwitchyardError, SwitchyardError } from "../../../src/base/errors.ts";
import { migrationKey } from "../../../src/cutover/journal.ts";
import type { ProxyDocument } from "../../../src/rules/proxy-document.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX, RULES_KEY } from "../../../src/rules/store-keys.ts";
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
import { MIGRATION } from "./sim-home.ts";
import { ANSWER_TIMEOUT_MS, MESSAGE_MS, RECONNECT_MS } from "./sim-times.ts";
import type { ProxyList, Random, SimProcess, World } from "./world.ts";

const JOURNAL = migrationKey(MIGRATION);

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
  /** A request arrives once more, long after it was answered. */
  repeatedLate: number;
  /** A request is carried out twice, and only the second answer is heard. */
  repeatedAnswer: number;
  /** What a watch tells is told again, after what came later; or all that exists is. */
  repeatedEvent: number;
}

const NO_FAULTS: StoreFaults = {
  lostRequest: 0,
  lostAnswer: 0,
  lateRequest: 0,
  refused: 0,
  repeatedLate: 0,
  repeatedAnswer: 0,
  repeatedEvent: 0,
};

/** The same share of everything that can happen to a message. */
export function faultsOf(share: number): StoreFaults {
  const each = (name: string): readonly [string, number] => [name, share];
  return { ...NO_FAULTS, ...Object.fromEntries(Object.keys(NO_FAULTS).map(each)) };
}

/** The store itself: the real state machine behind a network that loses, delays and repeats. */
export class SimStoreServer {
  readonly world: World;
  readonly state = new StoreState();
  readonly watchers = new Set<Watcher>();
  readonly faults: StoreFaults = { ...NO_FAULTS };
  /** Told of each transaction that applies, and by whom and when it was sent. */
  onApplied: (sender: SimProcess, sentAt: number) => void = () => undefined;
  awayUntil = 0;
  /** How long a late request takes. */
  lateMs: readonly [number, number] = [ANSWER_TIMEOUT_MS * 0.8, ANSWER_TIMEOUT_MS * 4];
  #leases = 0;
  readonly #expiry = new Map<string, number>();
  /** Whose lease it is, for those that stand. */
  readonly #owners = new Map<string, SimProcess>();

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

  newLease(ttlMs: number, owner: SimProcess): string {
    const id = `l${++this.#leases}`;
    this.#owners.set(id, owner);
    this.state.addLease(id);
    this.#extend(id, ttlMs);
    return id;
  }

  /** Who is registered now, to be looked at later. */
  proxies(): ProxyList {
    const registered = this.state.list(PROXIES_PREFIX);
    const alive = new Set(this.state.list(ALIVE_PREFIX).map(({ key }) => key.slice(ALIVE_PREFIX.length)));
    const rules = this.state.get(RULES_KEY)?.value ?? "{}";
    const lacks = (nonce: string): boolean => {
      const { generation } = JSON.parse(rules) as { readonly generation: number };
      const proxies = registered.map(({ value }) => JSON.parse(value) as ProxyDocument);
      return proxies.some((one) => one.bootNonce === nonce && (!alive.has(one.id) || one.generation < generation));
    };
    return { at: this.world.now, lacks };
  }

  /** Whether the lease still stood, and is good for another TTL. */
  keepAlive(id: string, ttlMs: number): boolean {
    if (!this.state.hasLease(id)) return false;
    this.#extend(id, ttlMs);
    return true;
  }

  /** One of the leases that stand ends before its time. */
  endSome(random: Random): void {
    if (this.#owners.size === 0) return;
    const [id, owner] = random.pick([...this.#owners]);
    owner.losesLease();
    this.end(id);
  }

  end(id: string): void {
    this.#owners.delete(id);
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

type Fate = "refused" | "request lost" | "answer lost" | "late" | "again later" | "twice";

function pickFate(fates: readonly (readonly [number, Fate])[], chance: number): Fate | undefined {
  let below = 0;
  for (const [share, fate] of fates) {
    below += share;
    if (chance < below) return fate;
  }
  return undefined;
}

/** The store as one process reaches it. */
export class SimStore implements Store {
  readonly #server: SimStoreServer;
  readonly #process: SimProcess;

  constructor(server: SimStoreServer, process: SimProcess) {
    this.#server = server;
    this.#process = process;
  }

  /** Whether the store shows at this moment that a proxy has no lease, or not the newest rules. */
  lacks(nonce: string): boolean {
    return this.#server.proxies().lacks(nonce);
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    if (key !== JOURNAL) return await this.#ask(() => this.#server.state.get(key));
    const { entry, at } = await this.#ask(() => {
      const { stopsAtJournal: stops } = this.#process;
      if (stops?.answer === 1) this.#process.stop(stops.ms);
      this.#process.stopsAtJournal = stops && stops.answer > 1 ? { ...stops, answer: stops.answer - 1 } : undefined;
      return { entry: this.#server.state.get(key), at: this.#server.world.now };
    });
    this.#process.journalAt = at;
    return entry;
  }

  async list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    const { list, proxies } = await this.#ask(() => ({
      list: { entries: this.#server.state.list(prefix), revision: this.#server.state.revision },
      proxies: this.#server.proxies(),
    }));
    if (prefix === PROXIES_PREFIX || prefix === ALIVE_PREFIX)
      this.#process.listed = [proxies, ...this.#process.listed.slice(0, 1)];
    return list;
  }

  async transact(conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<TransactionResult> {
    const { world, faults } = this.#server;
    await this.#process.gate();
    const sentAt = world.now;
    const fates: readonly (readonly [number, Fate])[] = [
      [faults.refused, "refused"],
      [faults.lostRequest, "request lost"],
      [faults.lostAnswer, "answer lost"],
      [faults.lateRequest, "late"],
      [faults.repeatedLate, "again later"],
      [faults.repeatedAnswer, "twice"],
    ];
    const fate = this.#unreachable() ? "refused" : pickFate(fates, world.random.next());
    if (fate !== undefined) this.#process.trouble("unheard");
    if (fate === "refused") {
      await world.delay(2);
      await this.#process.gate();
      throw new SwitchyardError("STORE_UNAVAILABLE", { what: "the simulated store is away" });
    }
    const apply = (): TransactionResult => {
      const result = this.#server.apply(conditions, writes);
      if (result.succeeded) this.#server.onApplied(this.#process, sentAt);
      return result;
    };
    // Nobody hears the answer any more, not even that a lease had ended.
    const unheard = (): void => {
      try {
        apply();
      } catch (error) {
        if (!isSwitchyardError(error)) throw error;
      }
    };
    if (fate === "request lost") return await this.#unknown();
    if (fate === "answer lost") {
      world.after(this.#latency(), unheard);
      return await this.#unknown();
    }
    if (fate === "late" || fate === "again later") {
      world.after(world.random.between(...this.#server.lateMs), () => {
        world.note(`a ${fate === "late" ? "late" : "repeated"} transaction of ${this.#process.name} arrives`);
        unheard();
      });
      if (fate === "late") return await this.#unknown();
    }
    await world.delay(this.#latency());
    if (fate === "twice") unheard();
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
      const { cut, cutUntil, deafUntil } = this.#process;
      const reconnected = cut ? cutUntil + world.random.between(...RECONNECT_MS) : 0;
      last = Math.max(last, world.now + this.#latency(), reconnected, deafUntil);
      world.after(last - world.now, () => {
        void this.#process.gate().then(() => {
          if (open) work();
        });
      });
    };
    const whole = (): void => handler.reset(this.#server.state.list(prefix), this.#server.state.revision);
    const watcher: Watcher = {
      prefix,
      deliver: (events) => {
        later(() => handler.change(events));
        if (!world.random.chance(this.#server.faults.repeatedEvent)) return;
        const again = world.random.chance(0.5) ? whole : (): void => handler.change(events);
        world.after(world.random.between(1, 300), () => later(again));
      },
    };
    this.#server.watchers.add(watcher);
    handler.reset(entries.all, entries.revision);
    // What changed between the reading and the watching is told as a whole.
    later(whole);
    return {
      close: async () => {
        open = false;
        this.#server.watchers.delete(watcher);
        await Promise.resolve();
      },
    };
  }

  async lease(ttlMs: number): Promise<Lease> {
    const { clock } = this.#process;
    const sent = clock.monotonicMs();
    const id = await this.#ask(() => this.#server.newLease(ttlMs, this.#process));
    let confirmed = sent;
    let open = true;
    const lost = new AbortController();
    const keep = async (): Promise<void> => {
      while (open && !lost.signal.aborted) {
        await clock.sleep(ttlMs / 3);
        if (!open) return;
        const at = clock.monotonicMs();
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
      this.#process.trouble("unheard");
      await this.#process.gate();
      throw new SwitchyardError("STORE_UNAVAILABLE", { what: "the simulated store is away" });
    }
    // Questions, keep-alives and the ends of leases: carried out once more, they are answered alike.
    if (faults.repeatedLate > 0 && world.random.chance(faults.repeatedLate)) {
      world.after(world.random.between(...this.#server.lateMs), () => void read());
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
    return this.#process.linkMs + this.#server.world.random.between(...MESSAGE_MS);
  }
}
