import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { readCurrent } from "../rules/document-format.ts";
import { KILL_KIND } from "../rules/document-kinds.ts";
import { KILLS_PREFIX } from "../rules/store-keys.ts";
import type { Lease, Store, StoreEvent, Watch } from "../store/store.ts";

export interface KillRelayOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of this worker: what it has asked goes with it. */
  readonly lease: () => Lease | undefined;
  /** Kills the statement of the session of this worker, if any, that was greeted with this thread id. */
  readonly killHere: (thread: number) => void;
}

/** The others have long looked at it by then; it must not meet a later statement. */
const KEPT_MS = 3000;
/** Requests of one worker under way; the server has done its part of those beyond. */
const UNDER_WAY_MAX = 100;
const RETRY_MS = 1000;

/**
 * KILL QUERY for sessions of other workers and proxies, through the store: the server that greeted a session has already
 * judged that it is allowed, and can end only what runs there. Whoever has the session kills its statement where that
 * waits or runs. What was asked while this worker did not listen is never made up for: the statement is another by then.
 */
export class KillRelay {
  readonly #options: KillRelayOptions;
  readonly #stop = new AbortController();
  #watch: Watch | undefined;
  #underWay = 0;

  constructor(options: KillRelayOptions) {
    this.#options = options;
  }

  /** Listens; a store that is away is asked again until it answers. Returns at once. */
  listen(): void {
    void this.#listen();
  }

  /** Asks the other workers. Returns at once, as a server's KILL does. */
  ask(thread: number): void {
    void this.#ask(thread);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watch?.close().catch(() => undefined);
  }

  async #listen(): Promise<void> {
    const { store, clock, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const watch = await store.watch(KILLS_PREFIX, { reset: () => undefined, change: (all) => this.#heard(all) });
        if (signal.aborted) await watch.close();
        this.#watch = watch;
        return;
      } catch (error) {
        log.debug({ error: messageOf(error) }, "requests to kill statements cannot be listened to yet");
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  #heard(events: readonly StoreEvent[]): void {
    for (const { key, value } of events) {
      if (value === undefined) continue;
      try {
        const { thread } = readCurrent(KILL_KIND, key, value);
        if (typeof thread === "number") this.#options.killHere(thread);
      } catch (error) {
        this.#options.log.warn({ error: messageOf(error) }, "a request to kill a statement cannot be read");
      }
    }
  }

  async #ask(thread: number): Promise<void> {
    const { store, clock, log } = this.#options;
    const lease = this.#options.lease();
    if (lease === undefined || this.#underWay >= UNDER_WAY_MAX) {
      log.warn({ thread }, "a KILL reaches only what the session runs on its first server");
      return;
    }
    this.#underWay += 1;
    const key = KILLS_PREFIX + randomUUID();
    try {
      await store.transact([], [{ put: key, value: JSON.stringify({ format: 1, thread }), lease }]);
      await clock.sleep(KEPT_MS, this.#stop.signal).catch(() => undefined);
      await store.transact([], [{ delete: key }]);
    } catch (error) {
      log.warn({ thread, error: messageOf(error) }, "other proxies could not be asked to kill a statement");
    } finally {
      this.#underWay -= 1;
    }
  }
}
