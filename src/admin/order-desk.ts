import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { OrderCommand, OrderDocument } from "../cutover/order-document.ts";
import { newOrderId } from "../cutover/order-id.ts";
import { ORDERS_PREFIX } from "../rules/store-keys.ts";
import type { Store } from "../store/store.ts";
import type { ReadOrder, StoredDocuments } from "./stored-documents.ts";

/** Orders that may wait for the controller at once. */
const PENDING_ORDERS_MAX = 100;

export interface NewOrder {
  /** Chosen by the client; made up where absent. */
  readonly id?: string | undefined;
  readonly command: OrderCommand;
  readonly migration: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly who: string;
  readonly reason?: string | undefined;
}

/** Takes orders for the controllers into the store, and tells how they go. */
export class OrderDesk {
  readonly #store: Store;
  readonly #documents: StoredDocuments;
  readonly #clock: Clock;

  constructor(store: Store, documents: StoredDocuments, clock: Clock) {
    this.#store = store;
    this.#documents = documents;
    this.#clock = clock;
  }

  /**
   * Stores an order as `pending`. The same id again gives the order that is there already: a client that lost the
   * answer may ask again without anything being done twice.
   *
   * @throws {SwitchyardError} `ADMIN_BUSY`, `ADMIN_ORDER_EXISTS`, and those of the store
   */
  async place(order: NewOrder): Promise<ReadOrder> {
    const id = order.id ?? newOrderId(this.#clock.now());
    const known = await this.#documents.order(id);
    if (known !== undefined) return sameOrder(known, order);
    await this.#checkRoom();
    const document: OrderDocument = {
      format: 1,
      id,
      command: order.command,
      migration: order.migration,
      options: order.options,
      who: order.who,
      ...(order.reason === undefined ? {} : { reason: order.reason }),
      at: this.#clock.now().toISOString(),
      state: "pending",
      steps: [],
    };
    const key = ORDERS_PREFIX + id;
    const { succeeded, revision } = await this.#store.transact(
      [{ key, revision: 0 }],
      [{ put: key, value: JSON.stringify(document) }],
    );
    if (succeeded) return { order: document, revision };
    const other = await this.#documents.order(id);
    if (other === undefined) throw conflict(id);
    return sameOrder(other, order);
  }

  /**
   * The order once it is newer than `after`, or as it is when `waitMs` have passed.
   *
   * @throws {SwitchyardError} `ADMIN_NOT_FOUND`, and those of the store
   */
  async follow(id: string, options: { waitMs: number; after: number; signal: AbortSignal }): Promise<ReadOrder> {
    const changed = deferred<void>();
    const key = ORDERS_PREFIX + id;
    const watch = await this.#store.watch(key, {
      reset: (entries) => {
        const entry = entries.find((one) => one.key === key);
        if (entry === undefined || entry.revision > options.after) changed.resolve();
      },
      change: (events) => {
        if (events.some((event) => event.revision > options.after)) changed.resolve();
      },
    });
    try {
      const late = new AbortController();
      const signal = AbortSignal.any([options.signal, late.signal]);
      await Promise.race([changed.promise, this.#clock.sleep(options.waitMs, signal).catch(() => undefined)]);
      late.abort();
    } finally {
      await watch.close();
    }
    const found = await this.#documents.order(id);
    if (found !== undefined) return found;
    throw new SwitchyardError("ADMIN_NOT_FOUND", {
      what: `there is no order ${id}`,
      fix: "Finished orders are kept for a while only; `switchyard migration history` keeps what they did.",
    });
  }

  async #checkRoom(): Promise<void> {
    const orders = await this.#documents.orders();
    const open = orders.filter(({ state }) => state === "pending" || state === "running").length;
    if (open < PENDING_ORDERS_MAX) return;
    throw new SwitchyardError("ADMIN_BUSY", {
      what: `${open} orders wait for the controller already`,
      changed: "Nothing was changed.",
      fix: "Look at `/readyz` and the log whether a controller runs; then try again.",
    });
  }
}

function sameOrder(known: ReadOrder, order: NewOrder): ReadOrder {
  const { command, migration, options } = known.order;
  const same =
    command === order.command && migration === order.migration && options["proxy"] === order.options["proxy"];
  if (same) return known;
  throw conflict(known.order.id);
}

function conflict(id: string): SwitchyardError {
  return new SwitchyardError("ADMIN_ORDER_EXISTS", {
    what: `order ${id} exists and asks for something else`,
    changed: "Nothing was changed.",
    fix: "Choose another order id, or none.",
  });
}
