import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { withoutHold } from "../rules/rules-edits.ts";
import { changeRules, readRules } from "../rules/rules-store.ts";
import type { Store } from "../store/store.ts";
import type { LocalHold } from "./local-hold.ts";
import type { Traffic } from "./traffic.ts";

/**
 * Ends holds that nobody else ends. A hold whose time has run out here is removed from the rules by
 * compare-and-swap: the switch itself needs the hold to be there, so the store decides which of the two came first.
 *
 * While the store does not answer, nothing is released: the tables may have moved. Statements that have waited out
 * the whole time are then given up, unsent.
 */
export class HoldKeeper {
  readonly #store: Store;
  readonly #traffic: Traffic;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #retryMs: number;
  readonly #closed = new AbortController();
  readonly #kept = new Set<string>();

  constructor(options: { store: Store; traffic: Traffic; clock: Clock; log: Logger; retryMs: number }) {
    this.#store = options.store;
    this.#traffic = options.traffic;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#retryMs = options.retryMs;
    this.#traffic.onChange(() => this.#look());
    this.#look();
  }

  close(): void {
    this.#closed.abort();
  }

  #look(): void {
    for (const hold of this.#traffic.holds.values()) {
      if (this.#kept.has(hold.rule.token)) continue;
      this.#kept.add(hold.rule.token);
      this.#keep(hold)
        .catch((error: unknown) => this.#log.error({ error: messageOf(error) }, "a hold is not looked after any more"))
        .finally(() => this.#kept.delete(hold.rule.token));
    }
  }

  async #keep(hold: LocalHold): Promise<void> {
    const { signal } = this.#closed;
    const inForce = (): boolean => this.#traffic.holds.get(hold.migration) === hold && !signal.aborted;
    const overAtMs = hold.sinceMs + hold.rule.ttlMs;
    await this.#sleep(Math.max(0, overAtMs - this.#clock.monotonicMs()));
    while (inForce()) {
      try {
        await this.#remove(hold);
        return;
      } catch (error) {
        this.#log.warn(
          { migration: hold.migration, error: messageOf(error) },
          "a hold is over its time, and the store does not say whether the tables have moved",
        );
        if (inForce()) this.#traffic.giveUp(hold.migration, hold.rule.ttlMs);
      }
      await this.#sleep(this.#retryMs);
    }
  }

  /** Removes the hold, or finds out that it is gone. Whichever it was, the rules that say so are put in force. */
  async #remove(hold: LocalHold): Promise<void> {
    const { migration, rule } = hold;
    const written = await changeRules(this.#store, (rules) => withoutHold(rules, migration, rule.token));
    if (written !== undefined) {
      this.#log.warn({ migration, token: rule.token }, "a hold was over its time; this worker has removed it");
    }
    const found = written ?? (await readRules(this.#store));
    this.#traffic.apply(found.rules, found.revision);
  }

  async #sleep(ms: number): Promise<void> {
    await this.#clock.sleep(ms, this.#closed.signal).catch(() => undefined);
  }
}
