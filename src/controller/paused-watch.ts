import { messageOf } from "../base/errors.ts";
import type { StreamPause } from "../cutover/migration-document.ts";
import { Connection } from "../mysql/connection.ts";
import { readKept } from "../replication/runway-meter.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";

/** How late a paused stream is, at most, and for how long the server still keeps the log that it needs. */
export interface PausedStatus {
  /** What it was late by when it was paused, and the time since; left out where that was not known. */
  readonly lagMs?: number;
  /** Left out where the server never purges by age, or cannot be asked. */
  readonly runwayMs?: number;
  readonly problem?: string;
}

const ASK_EVERY_MS = 30_000;
const ASK_AGAIN_MS = 5000;
/** Below a day, somebody should know. */
const WARN_BELOW_MS = 86_400_000;

/**
 * Watches over the server whose log a paused stream has still to read. Nothing of the stream runs meanwhile, and its server
 * is asked now and then only for how long it keeps its log.
 */
export class PausedWatch {
  readonly #context: ControllerContext;
  #retentionMs: number | undefined;
  #problem: string | undefined;
  #home: string | undefined;
  #askAtMs = 0;
  #asking: Promise<void> | undefined;
  #warned = false;
  readonly #closing = new AbortController();

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  /** What is known now; asks beside it where that is due. Nothing for a stream that is not paused. */
  look(paused: StreamPause | undefined, home: string): PausedStatus | undefined {
    if (paused === undefined) {
      this.#warned = false;
      return undefined;
    }
    if (this.#home !== home) {
      this.#home = home;
      this.#retentionMs = undefined;
      this.#problem = undefined;
      this.#askAtMs = 0;
    }
    const { clock, log } = this.#context;
    if (this.#asking === undefined && clock.monotonicMs() >= this.#askAtMs) {
      this.#asking = this.#ask(home).finally(() => {
        this.#asking = undefined;
      });
    }
    const status = pausedStatus(paused, clock.now(), this.#retentionMs, this.#problem);
    const { runwayMs } = status;
    if (runwayMs !== undefined && runwayMs < WARN_BELOW_MS && !this.#warned) {
      this.#warned = true;
      log.warn({ runwayMs, paused }, "the server of a paused stream will purge the log that it needs: resume it");
    }
    return status;
  }

  /** Cuts a question under way: a server that has frozen would never answer it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#asking;
  }

  async #ask(home: string): Promise<void> {
    const { clock } = this.#context;
    const { signal } = this.#closing;
    try {
      const connection = await Connection.connect(endpointOf(this.#context, home), { signal });
      const cut = (): void => connection.destroy();
      signal.addEventListener("abort", cut, { once: true });
      try {
        this.#retentionMs = (await readKept(connection)).retentionMs ?? 0;
      } finally {
        signal.removeEventListener("abort", cut);
        await connection.close();
      }
      this.#problem = undefined;
      this.#askAtMs = clock.monotonicMs() + ASK_EVERY_MS;
    } catch (error) {
      this.#problem = messageOf(error);
      this.#askAtMs = clock.monotonicMs() + ASK_AGAIN_MS;
    }
  }
}

/** What follows from a pause for this moment. A server that keeps its log for ever has a retention of 0. */
export function pausedStatus(
  paused: StreamPause,
  now: Date,
  retentionMs: number | undefined,
  problem?: string,
): PausedStatus {
  const sinceMs = paused.at === undefined ? undefined : Math.max(0, now.getTime() - Date.parse(paused.at));
  const lagMs = sinceMs === undefined || paused.lagMs === undefined ? undefined : paused.lagMs + sinceMs;
  const keeps = retentionMs !== undefined && retentionMs > 0 && lagMs !== undefined;
  return {
    ...(lagMs === undefined ? {} : { lagMs }),
    ...(keeps ? { runwayMs: retentionMs - lagMs } : {}),
    ...(problem === undefined ? {} : { problem }),
  };
}
