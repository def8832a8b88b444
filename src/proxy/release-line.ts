import type { HeldStatement } from "./hold-queue.ts";

export interface ReleaseLimits {
  /** Held statements that go on in one turn of the event loop. */
  readonly releasePerTurnMax: number;
  /** Held statements that have gone on and have no answer yet: a new home is cold, and all come at once. */
  readonly releaseInFlightMax: number;
  /** One that takes longer than this makes room for the next: it may wait for a lock that the next one would give up. */
  readonly releaseSlotMs: number;
}

/**
 * Statements that may go on, and how fast: only so many are on their way at a time. Each client's go in the order in
 * which they came, and the clients take turns, so that one with a thousand of them keeps nobody waiting.
 */
export class ReleaseLine {
  readonly #limits: ReleaseLimits;
  readonly #go: (statement: HeldStatement) => void;
  /** By client; whose turn it is comes first. */
  readonly #clients = new Map<string, HeldStatement[]>();
  /** Since when each is on its way, the oldest first. */
  readonly #onTheWay = new Map<HeldStatement, number>();
  #size = 0;
  #nextTurn = false;
  #slotTimer: NodeJS.Timeout | undefined;

  /** @param go lets one go on; {@link done} is to be called when it has its answer, or goes on no further */
  constructor(limits: ReleaseLimits, go: (statement: HeldStatement) => void) {
    this.#limits = limits;
    this.#go = go;
  }

  /** How many still wait for their turn. */
  get size(): number {
    return this.#size;
  }

  get onTheWay(): number {
    return this.#onTheWay.size;
  }

  add(statements: readonly HeldStatement[]): void {
    for (const statement of statements) {
      const list = this.#clients.get(statement.client);
      if (list === undefined) this.#clients.set(statement.client, [statement]);
      else list.push(statement);
    }
    this.#size += statements.length;
    this.#pump();
  }

  /** Takes one out that still waits for its turn. Answers whether it did. */
  remove(statement: HeldStatement): boolean {
    const list = this.#clients.get(statement.client);
    const at = list?.indexOf(statement) ?? -1;
    if (list === undefined || at < 0) return false;
    list.splice(at, 1);
    if (list.length === 0) this.#clients.delete(statement.client);
    this.#size -= 1;
    return true;
  }

  done(statement: HeldStatement): void {
    if (this.#onTheWay.delete(statement)) this.#pump();
  }

  close(): void {
    clearTimeout(this.#slotTimer);
  }

  #pump(): void {
    if (this.#nextTurn) return;
    let going = 0;
    while (this.#size > 0 && this.#onTheWay.size < this.#limits.releaseInFlightMax) {
      if (going === this.#limits.releasePerTurnMax) {
        this.#nextTurn = true;
        setImmediate(() => {
          this.#nextTurn = false;
          this.#pump();
        });
        return;
      }
      going += 1;
      const next = this.#take();
      this.#onTheWay.set(next, performance.now());
      this.#go(next);
    }
    if (this.#size > 0) this.#makeRoomInTime();
  }

  /** The next one, by turns of the clients. */
  #take(): HeldStatement {
    for (const [client, list] of this.#clients) {
      const next = list.shift();
      this.#clients.delete(client);
      if (list.length > 0) this.#clients.set(client, list);
      if (next === undefined) continue;
      this.#size -= 1;
      return next;
    }
    throw new Error("nobody is in the line");
  }

  #makeRoomInTime(): void {
    const [oldest] = this.#onTheWay.values();
    if (this.#slotTimer !== undefined || oldest === undefined) return;
    const leftMs = oldest + this.#limits.releaseSlotMs - performance.now();
    this.#slotTimer = setTimeout(
      () => {
        this.#slotTimer = undefined;
        const tooOld = performance.now() - this.#limits.releaseSlotMs;
        for (const [statement, since] of this.#onTheWay) if (since <= tooOld) this.#onTheWay.delete(statement);
        this.#pump();
      },
      Math.max(1, leftMs),
    );
  }
}
