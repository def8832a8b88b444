import type { Clock } from "../base/clock.ts";
import { ERROR_CODES } from "../base/error-codes.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { recordOf } from "../cutover/order-record.ts";
import { readCurrent } from "../rules/document-format.ts";
import { ORDER_KIND } from "../rules/document-kinds.ts";
import { ORDERS_PREFIX } from "../rules/store-keys.ts";
import type { Store, StoreEntry, StoreWrite } from "../store/store.ts";
import { recordKey } from "./order-records.ts";

const STEPS_MAX = 200;

/** Reads an order. @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_DOCUMENT_INVALID` */
export function parseOrder(entry: StoreEntry): OrderDocument {
  return readCurrent(ORDER_KIND, entry.key, entry.value) as unknown as OrderDocument;
}

/**
 * One order while the leader works on it: remembers the revision it last wrote, so that a leader that was
 * replaced cannot answer over its successor.
 */
export class OrderJournal {
  readonly #store: Store;
  readonly #clock: Clock;
  #order: OrderDocument;
  #revision: number;
  #tail: Promise<void> = Promise.resolve();

  constructor(store: Store, clock: Clock, order: OrderDocument, revision: number) {
    this.#store = store;
    this.#clock = clock;
    this.#order = order;
    this.#revision = revision;
  }

  get order(): OrderDocument {
    return this.#order;
  }

  /** Takes the order: nobody else answers it after this. */
  async take(): Promise<void> {
    await this.#write((order) => ({ ...order, state: "running" }));
  }

  /** Tells whoever waits what has just been done. Lost on failure: steps are for the eye. */
  step(text: string): void {
    this.#write((order) => ({ ...order, steps: [...order.steps, text].slice(-STEPS_MAX) })).catch(() => undefined);
  }

  async done(result: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#end((order) => ({ ...order, state: "done", result }));
  }

  async failed(error: unknown): Promise<void> {
    const code = isSwitchyardError(error) ? error.code : "INTERNAL_INVARIANT";
    const exit = ERROR_CODES[code].exit;
    await this.#end((order) => ({ ...order, state: "failed", error: { code, message: messageOf(error), exit } }));
  }

  /** The end of an order and its record are one write: none ends without leaving word of who asked for it. */
  async #end(edit: (order: OrderDocument) => OrderDocument): Promise<void> {
    await this.#write(edit, (order) => {
      const record = recordOf(order, this.#clock.now().toISOString());
      return [{ put: recordKey(order.migration, order.id), value: JSON.stringify(record) }];
    });
  }

  #write(
    edit: (order: OrderDocument) => OrderDocument,
    further: (order: OrderDocument) => readonly StoreWrite[] = () => [],
  ): Promise<void> {
    const run = async (): Promise<void> => {
      const next = edit(this.#order);
      const key = ORDERS_PREFIX + next.id;
      const result = await this.#store.transact(
        [{ key, revision: this.#revision }],
        [{ put: key, value: JSON.stringify(next) }, ...further(next)],
      );
      if (!result.succeeded) {
        throw new SwitchyardError("ORDER_TAKEN", { what: `order ${next.id} has been taken by another controller` });
      }
      this.#order = next;
      this.#revision = result.revision;
    };
    const result = this.#tail.then(run);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
