import type { Clock } from "../base/clock.ts";
import { isSwitchyardError, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { outcomeOf } from "../cutover/order-record.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { ORDERS_PREFIX } from "../rules/store-keys.ts";
import type { Compare, Store, StoreEntry, Watch } from "../store/store.ts";
import { OrderJournal, parseOrder } from "./order-journal.ts";
import { pruneRecords } from "./order-records.ts";

/**
 * Does what an order asks, and returns what its command reports. The order is as it was found: `pending`, or `running`
 * where an earlier leader had begun with it.
 */
export type OrderHandler = (
  order: OrderDocument,
  step: (text: string) => void,
) => Promise<Readonly<Record<string, unknown>>>;

/** Finished orders beyond this number are deleted, oldest first. */
const FINISHED_ORDERS_MAX = 200;

export interface OrderLoopOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Conditions that hold only while this controller leads. */
  readonly leadership: () => readonly Compare[];
  readonly handle: OrderHandler;
}

/**
 * Watches for orders and has each handled once by this leader.
 *
 * An order that a former leader left `running` is handled again: every handler first reads where the journal
 * stands, so what had been done is found and not repeated.
 */
export class OrderLoop {
  readonly #store: Store;
  readonly #leadership: OrderLoopOptions["leadership"];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #handle: OrderHandler;
  readonly #metrics: Metrics;
  readonly #seen = new Set<string>();
  readonly #finished = new Set<string>();
  #watch: Watch | undefined;
  #closed = false;

  constructor(options: OrderLoopOptions) {
    this.#store = options.store;
    this.#leadership = options.leadership;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#handle = options.handle;
  }

  async start(): Promise<void> {
    this.#watch = await this.#store.watch(ORDERS_PREFIX, {
      reset: (entries) => {
        for (const entry of entries) this.#consider(entry);
      },
      change: (events) => {
        for (const event of events) {
          if (event.value === undefined) this.#finished.delete(event.key);
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

  #consider(entry: StoreEntry): void {
    if (this.#closed) return;
    let order: OrderDocument;
    try {
      order = parseOrder(entry);
    } catch (error) {
      this.#log.error({ key: entry.key, error: messageOf(error) }, "an order cannot be read and is left alone");
      return;
    }
    if (order.state === "done" || order.state === "failed") {
      this.#retire(entry.key);
      return;
    }
    if (this.#seen.has(entry.key)) return;
    this.#seen.add(entry.key);
    void this.#run(
      new OrderJournal({ store: this.#store, clock: this.#clock, leadership: this.#leadership }, order, entry.revision),
    );
  }

  async #run(journal: OrderJournal): Promise<void> {
    const found = journal.order;
    const { id, command, migration, who } = found;
    const log = this.#log.child({ order: id, command, migration });
    try {
      await journal.take();
      log.info({ who }, "order taken");
      const result = await this.#handle(found, (text) => journal.step(text));
      await journal.done(result);
      this.#metrics.counter("orders_total", { command, outcome: "done" }).add();
      log.info({}, "order done");
    } catch (error) {
      if (isSwitchyardError(error, "ORDER_TAKEN")) {
        log.warn({}, "another controller answers this order");
        return;
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
  }

  #retire(key: string): void {
    this.#finished.add(key);
    if (this.#finished.size <= FINISHED_ORDERS_MAX) return;
    const oldest = [...this.#finished].sort()[0];
    if (oldest === undefined) return;
    this.#finished.delete(oldest);
    this.#store.transact([], [{ delete: oldest }]).catch(() => undefined);
  }
}
