import { messageOf } from "../base/errors.ts";
import type { StreamPause } from "../cutover/migration-document.ts";
import { Connection } from "../mysql/connection.ts";
import { readKept } from "../replication/runway-meter.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";

/**
 * How late a paused stream is, at most, and for how long its server will certainly still keep the log that it needs. Nothing
 * of the stream runs that could look into the log, so this is an estimate, and one that errs on the early side only.
 */
export interface PausedStatus {
  /** What it was late by when it was paused, and the time since; left out where that was not known. */
  readonly lagMs?: number;
  /** The least that is left; left out where the server never purges by itself, and where nothing is certain. */
  readonly runwayMs?: number;
  /** Why nothing is certain. */
  readonly unsure?: string;
  readonly problem?: string;
}

/** What the server of a paused stream has said of its settings; undefined before it has. */
export type KeptLog = Awaited<ReturnType<typeof readKept>>;

const ASK_EVERY_MS = 30_000;
const ASK_AGAIN_MS = 5000;
/** Below a day, somebody should know. */
const WARN_BELOW_MS = 86_400_000;
/** What has just been committed shows in a stream's lag with the next heartbeat, if the source is quick to answer it. */
const UNSEEN_LAG_MS = 10_000;

/**
 * Watches over the server whose log a paused stream has still to read. Nothing of the stream runs meanwhile, and its server
 * is asked now and then only for how long it keeps its log.
 */
export class PausedWatch {
  readonly #context: ControllerContext;
  #kept: KeptLog | undefined;
  #sinceMs: number | undefined;
  #problem: string | undefined;
  #home: string | undefined;
  #askAtMs = 0;
  #asking: Promise<void> | undefined;
  #warned = "";
  readonly #closing = new AbortController();

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  /** What is known now; asks beside it where that is due. Nothing for a stream that is not paused. */
  look(paused: StreamPause | undefined, home: string): PausedStatus | undefined {
    if (paused === undefined) {
      this.#warned = "";
      this.#sinceMs = undefined;
      return undefined;
    }
    if (this.#home !== home) {
      this.#home = home;
      this.#kept = undefined;
      this.#problem = undefined;
      this.#askAtMs = 0;
    }
    const { clock } = this.#context;
    const nowMs = clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    if (this.#asking === undefined && nowMs >= this.#askAtMs) {
      this.#asking = this.#ask(home).finally(() => {
        this.#asking = undefined;
      });
    }
    const at = { now: clock.now(), knownForMs: nowMs - this.#sinceMs };
    const status = pausedStatus(paused, at, this.#kept, this.#problem);
    this.#warn(status, paused);
    return status;
  }

  /** Once each time that less than a day is left, or that it is not certain how much is. */
  #warn({ runwayMs, unsure, problem }: PausedStatus, paused: StreamPause): void {
    // The first question is still under way.
    if (unsure !== undefined && this.#kept === undefined && problem === undefined) return;
    const low = runwayMs !== undefined && runwayMs < WARN_BELOW_MS ? "low" : "";
    const state = unsure === undefined ? low : "unsure";
    if (state !== "" && state !== this.#warned) {
      const facts = unsure === undefined ? { runwayMs } : { unsure, problem };
      const what = unsure === undefined ? "will" : "may";
      this.#context.log.warn(
        { ...facts, paused },
        `the server of a paused stream ${what} purge the log that it needs: resume it`,
      );
    }
    this.#warned = state;
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
        this.#kept = await readKept(connection);
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

/** What follows from a pause for this moment. */
export function pausedStatus(
  paused: StreamPause,
  at: {
    readonly now: Date;
    /** For how long this process has known of the pause, by a clock that nobody sets. */
    readonly knownForMs: number;
  },
  kept: KeptLog | undefined,
  problem?: string,
): PausedStatus {
  const lagMs = latest(paused, at);
  const troubled = problem === undefined ? {} : { problem };
  const late = lagMs === undefined ? {} : { lagMs };
  const unsure = whyUnsure(lagMs, kept);
  if (unsure !== undefined) return { ...late, unsure, ...troubled };
  const { retentionMs } = kept ?? {};
  const runway =
    retentionMs === undefined || lagMs === undefined ? {} : { runwayMs: retentionMs - lagMs - UNSEEN_LAG_MS };
  return { ...late, ...runway, ...troubled };
}

/** The time of the pause is by the clock of the controller that took the order, which may be ahead of ours. */
function latest(
  paused: StreamPause,
  { now, knownForMs }: { readonly now: Date; readonly knownForMs: number },
): number | undefined {
  if (paused.at === undefined || paused.lagMs === undefined) return undefined;
  return paused.lagMs + Math.max(knownForMs, now.getTime() - Date.parse(paused.at));
}

function whyUnsure(lagMs: number | undefined, kept: KeptLog | undefined): string | undefined {
  if (kept === undefined) return "the server has not said yet for how long it keeps its log";
  if (kept.spaceBytes !== undefined) {
    return `the server keeps ${kept.spaceBytes} bytes of log at most (binlog_space_limit), however soon that is`;
  }
  if (kept.retentionMs !== undefined && lagMs === undefined) {
    return "how late the stream was when it was paused is not known";
  }
  return undefined;
}
