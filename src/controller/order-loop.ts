import type { Clock } from "../base/clock.ts";
import { isSwitchyardError, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { outcomeOf } from "../cutover/order-record.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { ORDERS_PREFIX } from "../rules/store-keys.ts";
import type { Compare, Store, StoreEntry, Watch } from "../store/store.ts";
import { OrderJournal, type OrderJournalOptions, parseOrder } from "./order-journal.ts";
import { pruneRecords } from "./order-records.ts";

/** What this controller has to do for an order that it has accepted. */
export interface OrderWork {
  /** Conditions that hold only while the order is this controller's. */
  readonly leadership: () => readonly Compare[];
  /** Does what the order asks, and returns what its command reports. */
  handle(step: (text: string) => void): Promise<Readonly<Record<string, unknown>>>;
  /** Called once, when the order was answered or given up. */
  end(): void;
}

/** Finished orders beyond this number are deleted, oldest first. */
const FINISHED_ORDERS_MAX = 200;

export interface OrderLoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /**
   * Accepts an order that is this controller's. The order is as it was found: `pending`, or `running` where another
   * controller had begun with it. Absent for an order that is not, or not yet, this controller's.
   */
  readonly accept: (order: OrderDocument) => Promise<OrderWork | undefined>;
  /** Steps of an order that follow each other faster than this are written together. */
  readonly stepsQuietMs?: number;
}

/**
 * Watches for orders and has each that is this controller's handled once here.
 *
 * An order that a former controller left `running` is handled again: every handler first reads where the journal
 * stands, so what had been done is found and not repeated.
 */
export class OrderLoop {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #accept: OrderLoopOptions["accept"];
  readonly #metrics: Metrics;
  readonly #journals: Pick<OrderJournalOptions, "store" | "clock" | "stepsQuietMs">;
  /** Every order that nobody has answered yet, as last seen. */
  readonly #open = new Map<string, StoreEntry>();
  /** Orders that are being offered or handled here, and those that were. */
  readonly #here = new Set<string>();
  /** The revision at which each was told to have ended. */
  readonly #finished = new Map<string, number>();
  #watch: Watch | undefined;
  #closed = false;

  constructor(options: OrderLoopOptions) {
    this.#store = options.store;
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#journals = options;
    this.#accept = options.accept;
  }

  async start(): Promise<void> {
    this.#watch = await this.#store.watch(ORDERS_PREFIX, {
      reset: (entries) => {
        this.#open.clear();
        for (const entry of entries) this.#consider(entry);
      },
      change: (events) => {
        for (const event of events) {
          if (event.value === undefined) this.#forget(event.key);
          else this.#consider({ key: event.key, value: event.value, revision: event.revision });
        }
      },
    });
  }

  /** Takes no further orders. Those under way go on until their handlers end. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#watch?.close();
  }

  /** Offers again what was not this controller's: it may be now. */
  reconsider(): void {
    for (const key of this.#open.keys()) this.#offer(key);
  }

  #consider(entry: StoreEntry): void {
    const order = this.#read(entry);
    if (order === undefined) return;
    if (order.state === "done" || order.state === "failed") {
      this.#forget(entry.key);
      this.#retire(entry);
      return;
    }
    this.#open.set(entry.key, entry);
    this.#offer(entry.key);
  }

  #read(entry: StoreEntry): OrderDocument | undefined {
    try {
      return parseOrder(entry);
    } catch (error) {
      this.#log.error({ key: entry.key, error: messageOf(error) }, "an order cannot be read and is left alone");
      return undefined;
    }
  }

  #forget(key: string): void {
    this.#open.delete(key);
    this.#here.delete(key);
    this.#finished.delete(key);
  }

  #offer(key: string): void {
    const entry = this.#open.get(key);
    if (this.#closed || entry === undefined || this.#here.has(key)) return;
    this.#here.add(key);
    void this.#take(entry)
      .catch((error: unknown) => {
        this.#log.warn({ key, error: messageOf(error) }, "an order is not taken yet");
        return false;
      })
      .then((answered) => {
        // What was answered here stays out until the store tells so.
        if (!answered) this.#here.delete(key);
      });
  }

  /** Whether the order needs nothing more from this controller. */
  async #take(entry: StoreEntry): Promise<boolean> {
    const order = parseOrder(entry);
    const work = await this.#accept(order);
    if (work === undefined) return false;
    try {
      const { leadership } = work;
      const journal = new OrderJournal({ ...this.#journals, leadership }, order, entry.revision);
      return !this.#closed && (await this.#run(journal, work));
    } finally {
      work.end();
    }
  }

  async #run(journal: OrderJournal, work: OrderWork): Promise<boolean> {
    const { id, command, migration, who } = journal.order;
    const log = this.#log.child({ order: id, command, migration });
    try {
      await journal.take();
      log.info({ who }, "order taken");
      const result = await work.handle((text) => journal.step(text));
      await journal.done(result);
      this.#metrics.counter("orders_total", { command, outcome: "done" }).add();
      log.info({}, "order done");
    } catch (error) {
      if (isSwitchyardError(error, "ORDER_TAKEN")) {
        log.warn({}, "another controller answers this order");
        return false;
      }
      log.warn({ error: messageOf(error) }, "order failed");
      const outcome = outcomeOf(isSwitchyardError(error) ? error.code : "INTERNAL_INVARIANT");
      this.#metrics.counter("orders_total", { command, outcome }).add();
      await journal.failed(error).catch((reason: unknown) => {
        log.error({ error: messageOf(reason) }, "the answer to an order could not be stored");
      });
    }
    await pruneRecords(this.#store, migration).catch((error: unknown) => {
      log.debug({ error: messageOf(error) }, "old records of orders are still there");
    });
    return true;
  }

  /** By when they ended: an id may be the client's own, and says nothing of it. */
  #retire({ key, revision }: StoreEntry): void {
    this.#finished.set(key, revision);
    if (this.#finished.size <= FINISHED_ORDERS_MAX) return;
    const oldest = [...this.#finished].toSorted(([, a], [, b]) => a - b)[0];
    if (oldest === undefined) return;
    const [name, ended] = oldest;
    this.#finished.delete(name);
    // Another controller may have deleted it, and a client sent an order of the same id since.
    this.#store.transact([{ key: name, revision: ended }], [{ delete: name }]).catch(() => undefined);
  }
}
