import { type Deferred, deferred } from "../base/deferred.ts";
import type { PaceWorker } from "../base/pace.ts";
import type { Connection } from "../mysql/connection.ts";
import { SegmentCursor } from "./segment-cursor.ts";

/** The rows of one side of a table, in order. */
export interface RowSource {
  readonly cursor: SegmentCursor;
  /** Makes sure that the cursor stands before a row. Answers whether there is one. Answers at once where it can. */
  fill(): boolean | Promise<boolean>;
  /** Lets all remaining rows pass unseen, so that the connection is free again. */
  drain(): Promise<void>;
}

/** Bytes of runs that may wait to be compared; one larger run waits alone. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** Bytes after which a reader asks its pace. */
const PACED_BYTES = 1024 * 1024;

/** Reads the rows of a statement ahead of whoever compares them, up to a bound. */
export class StreamedRows implements RowSource {
  readonly cursor = new SegmentCursor();
  readonly #waiting: { readonly bytes: Buffer; readonly rows: number }[] = [];
  #waitingBytes = 0;
  #ended = false;
  #draining = false;
  #failure: { readonly error: unknown } | undefined;
  #arrival: Deferred<void> | undefined;
  #room: Deferred<void> | undefined;
  readonly #begun = deferred<void>();
  readonly #finished: Promise<void>;
  readonly #pace: PaceWorker | undefined;
  #bytesSinceRest = 0;

  /** @param pace of one side: the other waits for it anyway. What is compared is as of one moment, so it never stops. */
  constructor(connection: Connection, sql: string, pace?: PaceWorker) {
    this.#pace = pace;
    this.#finished = connection
      .streamSegments(sql, {
        columns: () => this.#begun.resolve(),
        segment: (bytes, rows) => this.#take(bytes, rows),
      })
      .then(
        () => this.#end(),
        (error: unknown) => {
          this.#failure = { error };
          this.#begun.reject(error);
          this.#end();
        },
      );
  }

  /** Resolves when the server has opened the table: its definition is pinned from then on. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  fill(): boolean | Promise<boolean> {
    if (!this.cursor.spent) return true;
    return this.#loadNext() || this.#waitForNext();
  }

  async drain(): Promise<void> {
    this.#draining = true;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#makeRoom();
    await this.#finished;
  }

  #take(bytes: Buffer, rows: number): void | Promise<void> {
    if (this.#draining) return undefined;
    this.#waiting.push({ bytes, rows });
    this.#waitingBytes += bytes.length;
    this.#arrive();
    const rest = this.#rest(bytes.length);
    return rest === undefined ? this.#untilRoom() : rest.then(() => this.#untilRoom());
  }

  #rest(bytes: number): Promise<void> | undefined {
    this.#bytesSinceRest += bytes;
    if (this.#bytesSinceRest < PACED_BYTES) return undefined;
    this.#bytesSinceRest = 0;
    return this.#pace?.rest() ?? undefined;
  }

  #untilRoom(): Promise<void> | undefined {
    if (this.#waitingBytes <= WAITING_BYTES_MAX) return undefined;
    this.#room ??= deferred();
    return this.#room.promise;
  }

  #loadNext(): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) return false;
    this.#waitingBytes -= next.bytes.length;
    if (this.#waitingBytes <= WAITING_BYTES_MAX / 2) this.#makeRoom();
    this.cursor.load(next.bytes, next.rows);
    return true;
  }

  async #waitForNext(): Promise<boolean> {
    for (;;) {
      if (this.#loadNext()) return true;
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return false;
      this.#arrival ??= deferred();
      await this.#arrival.promise;
    }
  }

  #end(): void {
    this.#ended = true;
    this.#arrive();
  }

  #arrive(): void {
    this.#arrival?.resolve();
    this.#arrival = undefined;
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
