import { type Deferred, deferred } from "../base/deferred.ts";
import { type ReleaseLimits, ReleaseLine } from "./release-line.ts";

/** Why a held statement goes on, or does not. */
export type HoldOutcome =
  /** The hold is gone: judge the statement anew. */
  | "released"
  /** Too many wait already, by number or by bytes. */
  | "full"
  /** Its time is over, and the store could not be asked. */
  | "given-up"
  /** KILL QUERY. */
  | "killed"
  /** Its own limit on execution time has passed. */
  | "timed-out"
  /** The client is gone. */
  | "abandoned";

/** A statement that waits. It keeps its place where it has to wait again after a release. */
export interface HeldStatement {
  readonly bytes: number;
  readonly sinceMs: number;
  /** Whose it is: user and address. */
  readonly client: string;
  /** Migrations whose hold it waits for. */
  migrations: readonly string[];
  /** Its place in the order of arrival; set by the queue. */
  place: number;
  wake: Deferred<HoldOutcome>;
}

export interface HoldQueueLimits extends ReleaseLimits {
  readonly holdStatementsMax: number;
  readonly holdBytesMax: number;
}

/** The statements of one worker that wait for a hold to end, in the order in which they came. */
export class HoldQueue {
  readonly #limits: HoldQueueLimits;
  readonly #onChange: (waiting: number) => void;
  #waiting: HeldStatement[] = [];
  readonly #released: ReleaseLine;
  #bytes = 0;
  #places = 0;

  constructor(limits: HoldQueueLimits, onChange: (waiting: number) => void) {
    this.#limits = limits;
    this.#onChange = onChange;
    this.#released = new ReleaseLine(limits, (statement) => this.#settle(statement, "released"));
  }

  get waiting(): number {
    return this.#waiting.length + this.#released.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Statements that have gone on and have no answer yet. */
  get onTheWay(): number {
    return this.#released.onTheWay;
  }

  /** A new place in the order, for a statement that is about to wait for the first time. */
  statement(bytes: number, nowMs: number, client = ""): HeldStatement {
    return { bytes, sinceMs: nowMs, client, migrations: [], place: this.#places++, wake: deferred() };
  }

  /** One that was released has its answer: another may go on. */
  done(statement: HeldStatement): void {
    this.#released.done(statement);
    this.#onChange(this.waiting);
  }

  close(): void {
    this.#released.close();
  }

  /** Waits for a release of these migrations; settles at once where the queue is full. */
  wait(statement: HeldStatement, migrations: readonly string[]): Promise<HoldOutcome> {
    this.#released.done(statement);
    if (this.waiting >= this.#limits.holdStatementsMax || this.#bytes + statement.bytes > this.#limits.holdBytesMax) {
      return Promise.resolve("full");
    }
    statement.migrations = migrations;
    statement.wake = deferred();
    this.#insert(statement);
    this.#bytes += statement.bytes;
    this.#onChange(this.waiting);
    return statement.wake.promise;
  }

  /** Ends the wait of one statement for another reason than a release; it goes unsent. */
  remove(statement: HeldStatement, outcome: HoldOutcome): void {
    const at = this.#waiting.indexOf(statement);
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (!this.#released.remove(statement)) return;
    this.#settle(statement, outcome);
  }

  /** The holds of these migrations are gone. Those who waited go on in their order, as fast as {@link ReleaseLine} lets them. */
  release(migrations: ReadonlySet<string>): void {
    const [going, staying] = partition(this.#waiting, (one) => one.migrations.some((name) => migrations.has(name)));
    this.#waiting = staying;
    this.#released.add(going);
  }

  /** Gives up those who have waited for one of these migrations since before `beforeMs`. */
  giveUp(migrations: ReadonlySet<string>, beforeMs: number): void {
    const tooLong = (one: HeldStatement): boolean =>
      one.sinceMs <= beforeMs && one.migrations.some((name) => migrations.has(name));
    const [given, staying] = partition(this.#waiting, tooLong);
    this.#waiting = staying;
    for (const statement of given) this.#settle(statement, "given-up");
  }

  #settle(statement: HeldStatement, outcome: HoldOutcome): void {
    this.#bytes -= statement.bytes;
    statement.wake.resolve(outcome);
    this.#onChange(this.waiting);
  }

  #insert(statement: HeldStatement): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.place ?? -1) > statement.place) at -= 1;
    this.#waiting.splice(at, 0, statement);
  }
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [yes, no];
}
