import type { Clock } from "../base/clock.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { commitsStandStill } from "../mysql/standstill.ts";
import { readerAttributes, type StreamName } from "./stream-session.ts";

export interface StandstillMeterOptions {
  readonly name: StreamName;
  /** The server that the stream writes to. */
  readonly target: Endpoint;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Grows with whatever the stream has done for good. */
  readonly steps: () => number;
  /** Whether it should be doing something. */
  readonly isBehind: () => boolean;
}

const LOOK_EVERY_MS = 1000;
/** Nothing has been done for so long before the server is asked. */
const QUIET_MS = 2000;

/**
 * Asks the server that a stream writes to, where nothing comes of its writes, why that is. A server whose log has no room
 * gives no error: it lets whoever commits wait, and without a look the stream would only grow late.
 */
export class StandstillMeter {
  readonly #options: StandstillMeterOptions;
  #waiting: string | undefined;

  constructor(options: StandstillMeterOptions) {
    this.#options = options;
  }

  /** What the server keeps the stream waiting for; undefined where it does not, or does not say. */
  get waiting(): string | undefined {
    return this.#waiting;
  }

  /** Looks until the signal aborts. Never throws: a server that does not answer is told of by the stream itself. */
  async run(): Promise<void> {
    const { clock, signal, steps, isBehind } = this.#options;
    let connection: Connection | undefined;
    let seen = { steps: steps(), atMs: clock.monotonicMs() };
    while (!signal.aborted) {
      const now = steps();
      if (now !== seen.steps || !isBehind()) seen = { steps: now, atMs: clock.monotonicMs() };
      try {
        if (clock.monotonicMs() - seen.atMs < QUIET_MS) {
          this.#waiting = undefined;
          await connection?.close();
          connection = undefined;
        } else {
          connection ??= await this.#connect();
          this.#waiting = await commitsStandStill(connection);
        }
      } catch {
        connection?.destroy();
        connection = undefined;
        this.#waiting = undefined;
      }
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    }
    await connection?.close();
  }

  #connect(): Promise<Connection> {
    const { target, name, signal } = this.#options;
    return Connection.connect(target, { attributes: readerAttributes(name), signal });
  }
}
