import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { ERROR_CODES } from "../base/error-codes.ts";
import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { recordOf } from "../cutover/order-record.ts";
import { readCurrent } from "../rules/document-format.ts";
import { ORDER_KIND } from "../rules/document-kinds.ts";
import { ORDERS_PREFIX } from "../rules/store-keys.ts";
import type { Compare, Store, StoreEntry, StoreWrite, TransactionResult } from "../store/store.ts";
import { recordKey } from "./order-records.ts";

const STEPS_MAX = 200;
const STEPS_QUIET_MS = 150;
/** The end of an order is tried this often while the store is away: about a minute. */
const ATTEMPTS_MAX = 70;
const RETRY = { firstMs: 50, maxMs: 1000 };

type Edit = (order: OrderDocument) => OrderDocument;
type Further = (order: OrderDocument) => readonly StoreWrite[];

export interface OrderJournalOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Conditions that hold only while the order is this controller's. */
  readonly leadership: () => readonly Compare[];
  /** Steps that follow each other faster than this are written together. */
  readonly stepsQuietMs?: number;
}

/** Reads an order. @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_DOCUMENT_INVALID` */
export function parseOrder(entry: StoreEntry): OrderDocument {
  return readCurrent(ORDER_KIND, entry.key, entry.value) as unknown as OrderDocument;
}

/**
 * One order while a controller works on it: remembers the revision it last wrote, so that one that was
 * replaced cannot answer over its successor.
 */
export class OrderJournal {
  readonly #options: OrderJournalOptions;
  readonly #clock: Clock;
  #order: OrderDocument;
  #revision: number;
  #tail: Promise<void> = Promise.resolve();
  /** Texts whose writing may or may not have been carried out. */
  readonly #unsure = new Set<string>();
  /** Steps that are not written yet. */
  #told: string[] = [];

  constructor(options: OrderJournalOptions, order: OrderDocument, revision: number) {
    this.#options = options;
    this.#clock = options.clock;
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

  /**
   * Tells whoever waits what has just been done, once no other step has come for a moment: while clients wait for a
   * switch, whose steps take milliseconds, nobody is to wait for these to be written, sent and shown. Lost on failure:
   * steps are for the eye.
   */
  step(text: string): void {
    const told = this.#told;
    const count = told.push(text);
    void this.#clock.sleep(this.#options.stepsQuietMs ?? STEPS_QUIET_MS).then(() => {
      const isLast = this.#told === told && told.length === count;
      if (isLast) this.#write(this.#withSteps()).catch(() => undefined);
    });
  }

  /** An edit that adds the steps told since the last. */
  #withSteps(): Edit {
    const texts = this.#told;
    this.#told = [];
    return (order) => ({ ...order, steps: [...order.steps, ...texts].slice(-STEPS_MAX) });
  }

  async done(result: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#end((order) => ({ ...order, state: "done", result }));
  }

  async failed(error: unknown): Promise<void> {
    const code = isSwitchyardError(error) ? error.code : "INTERNAL_INVARIANT";
    const exit = ERROR_CODES[code].exit;
    await this.#end((order) => ({ ...order, state: "failed", error: { code, message: messageOf(error), exit } }));
  }

  /**
   * The end of an order and its record are one write: none ends without leaving word of who asked for it. Somebody waits
   * for it, so it is tried for as long as the store may come back.
   */
  async #end(edit: Edit): Promise<void> {
    const further: Further = (order) => {
      const record = recordOf(order, this.#clock.now().toISOString());
      return [{ put: recordKey(order.migration, order.id), value: JSON.stringify(record) }];
    };
    const told = this.#withSteps();
    await this.#write((order) => edit(told(order)), further, true);
  }

  #write(edit: Edit, further: Further = () => [], persist = false): Promise<void> {
    const result = this.#tail.then(() => this.#writeOnce(edit, further, persist));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #writeOnce(edit: Edit, further: Further, persist: boolean): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (await this.#tryWrite(edit, further)) return;
      } catch (error) {
        const away = isSwitchyardError(error, "STORE_UNAVAILABLE", "STORE_OUTCOME_UNKNOWN");
        if (!persist || !away || attempt >= ATTEMPTS_MAX) throw error;
        await this.#clock.sleep(backoffMs(attempt, RETRY, Math.random()));
      }
    }
  }

  /** False where it has to be tried again, from what an earlier write of ours turns out to have left. */
  async #tryWrite(edit: Edit, further: Further): Promise<boolean> {
    const { store, leadership } = this.#options;
    const next = edit(this.#order);
    const key = ORDERS_PREFIX + next.id;
    const value = JSON.stringify(next);
    let result: TransactionResult;
    try {
      result = await store.transact(
        [{ key, revision: this.#revision }, ...leadership()],
        [{ put: key, value }, ...further(next)],
      );
    } catch (error) {
      if (isSwitchyardError(error, "STORE_OUTCOME_UNKNOWN")) this.#unsure.add(value);
      throw error;
    }
    if (!result.succeeded) return await this.#adopt(key, value);
    this.#order = next;
    this.#revision = result.revision;
    return true;
  }

  /**
   * What is there may be a write of ours whose answer was lost: while it is ours nobody else writes it. Whether it is the
   * wanted one.
   *
   * @throws {SwitchyardError} `ORDER_TAKEN` where it is not ours
   */
  async #adopt(key: string, wanted: string): Promise<boolean> {
    const entry = await this.#options.store.get(key);
    if (entry === undefined || entry.revision === this.#revision || !this.#unsure.has(entry.value)) {
      throw new SwitchyardError("ORDER_TAKEN", {
        what: `order ${this.#order.id} has been taken by another controller`,
      });
    }
    this.#order = parseOrder(entry);
    this.#revision = entry.revision;
    return entry.value === wanted;
  }
}
