import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Connection } from "../mysql/connection.ts";
import { writeBeat } from "./heartbeat.ts";
import type { StreamName } from "./stream-session.ts";

export interface LagMeterOptions {
  readonly name: StreamName;
  readonly connect: () => Promise<Connection>;
  readonly clock: Clock;
  readonly everyMs: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** More heartbeats than this on their way tell nothing new. */
const BEATS_MAX = 1000;

/**
 * How late the stream is: the age of the oldest transaction that is not applied, by the source's clock.
 *
 * A row on the source is changed again and again. While a change has not come back through the stream the stream is at
 * least as late as that change is old, so a stream that is cut off looks late and not idle, and an idle one does not.
 */
export class LagMeter {
  readonly #options: LagMeterOptions;
  /** Beats that were sent and have not come back, oldest first, with the monotonic time of sending. */
  #beats: { readonly number: number; readonly atMs: number }[] = [];
  #beat: number;
  readonly #firstBeat: number;
  #seen = false;
  /** Source's clock in microseconds since 1970, less our monotonic one. */
  #offsetMicros: number | undefined;
  #workingOn: number | undefined;
  #lastDone: number | undefined;
  #warned = false;

  constructor(options: LagMeterOptions) {
    this.#options = options;
    this.#beat = options.clock.now().getTime() * 1000;
    this.#firstBeat = this.#beat;
  }

  /** Beats until the signal aborts. Never throws: whatever fails shows as lag. */
  async run(): Promise<void> {
    const { clock, everyMs, signal } = this.#options;
    let connection: Connection | undefined;
    while (!signal.aborted) {
      try {
        connection ??= await this.#options.connect();
        await this.#beatOnce(connection);
      } catch (error) {
        connection?.destroy();
        connection = undefined;
        this.#warn(error);
      }
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
    await connection?.close();
  }

  /** A beat has come back through the stream and its transaction is done with. */
  seen(number: number): void {
    // Those of an earlier process come too. Ours count also where the list was full: that one was noted is enough.
    if (number <= this.#firstBeat || number > this.#beat) return;
    this.#beats = this.#beats.filter((beat) => beat.number > number);
    this.#seen = true;
  }

  /** The oldest transaction at hand and not applied. */
  working(commitMicros: number | undefined): void {
    this.#workingOn = commitMicros;
  }

  done(commitMicros: number): void {
    this.#lastDone = commitMicros;
  }

  /** Age of the oldest transaction not applied; infinite while nothing is known. */
  lagMs(): number {
    const now = this.#options.clock.monotonicMs();
    if (this.#offsetMicros === undefined) return Number.POSITIVE_INFINITY;
    const sourceNow = now * 1000 + this.#offsetMicros;
    const ages = [0];
    const oldest = this.#beats[0];
    if (oldest !== undefined) ages.push(now - oldest.atMs);
    const pending = this.#workingOn ?? (this.#seen ? undefined : (this.#lastDone ?? Number.NEGATIVE_INFINITY));
    if (pending !== undefined) ages.push((sourceNow - pending) / 1000);
    return Math.max(...ages);
  }

  async #beatOnce(connection: Connection): Promise<void> {
    const { clock, name } = this.#options;
    const number = ++this.#beat;
    if (this.#beats.length < BEATS_MAX) this.#beats.push({ number, atMs: clock.monotonicMs() });
    await writeBeat(connection, name, number);
    const before = clock.monotonicMs();
    const row = await connection.one("SELECT UNIX_TIMESTAMP(NOW(6)) AS now");
    const middle = (before + clock.monotonicMs()) / 2;
    this.#offsetMicros = Math.round(Number(row?.["now"]) * 1e6) - middle * 1000;
    this.#warned = false;
  }

  #warn(error: unknown): void {
    if (this.#warned || this.#options.signal.aborted) return;
    this.#warned = true;
    this.#options.log.warn({ error: messageOf(error) }, "the heartbeat row could not be written; the lag is not known");
  }
}
