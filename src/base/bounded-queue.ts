import { type Deferred, deferred } from "./deferred.ts";

/**
 * A first-in first-out queue between one producer and one consumer, bounded by the sum of the items' sizes.
 *
 * The producer waits in {@link push} while the queue is full; an item larger than the whole bound passes alone.
 */
export class BoundedQueue<T> {
  readonly #sizeMax: number;
  readonly #items: { readonly item: T; readonly size: number }[] = [];
  #size = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #room: Deferred<void> | undefined;
  #arrival: Deferred<void> | undefined;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  get size(): number {
    return this.#size;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Adds an item as soon as there is room. Throws the error given to {@link fail}. */
  async push(item: T, size: number): Promise<void> {
    while (this.#size > 0 && this.#size + size > this.#sizeMax && !this.#ended) {
      this.#room ??= deferred();
      await this.#room.promise;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#ended) return;
    this.#items.push({ item, size });
    this.#size += size;
    this.#arrival?.resolve();
    this.#arrival = undefined;
  }

  /** The next item; `undefined` once the queue has ended and is empty. Throws the error given to {@link fail}. */
  async shift(): Promise<T | undefined> {
    while (this.#items.length === 0) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return undefined;
      this.#arrival ??= deferred();
      await this.#arrival.promise;
    }
    const first = this.#items.shift();
    if (first === undefined) return undefined;
    this.#size -= first.size;
    this.#room?.resolve();
    this.#room = undefined;
    return first.item;
  }

  /** Says that no more items come; those inside are still delivered. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Ends the queue with an error: items inside are dropped and both sides throw it. */
  fail(error: unknown): void {
    this.#ended = true;
    this.#failure = { error };
    this.#items.length = 0;
    this.#size = 0;
    this.#wake();
  }

  #wake(): void {
    this.#room?.resolve();
    this.#room = undefined;
    this.#arrival?.resolve();
    this.#arrival = undefined;
  }
}
