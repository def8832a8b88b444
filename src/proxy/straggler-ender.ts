import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { LocalHold } from "./local-hold.ts";
import type { Traffic } from "./traffic.ts";

/**
 * Ends what sessions still have open when a hold that says so has waited for long enough, see
 * {@link HoldRule.endOpenAfterMs}. The time is counted on this process's own clock, as that of the hold itself, so that
 * nothing more has to be told to anybody while clients wait.
 */
export class StragglerEnder {
  readonly #traffic: Traffic;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #closed = new AbortController();
  readonly #watched = new WeakSet<LocalHold>();

  constructor(options: { traffic: Traffic; clock: Clock; log: Logger }) {
    this.#traffic = options.traffic;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#traffic.onChange(() => this.#look());
    this.#look();
  }

  close(): void {
    this.#closed.abort();
  }

  #look(): void {
    for (const hold of this.#traffic.holds.values()) {
      const afterMs = hold.rule.endOpenAfterMs;
      if (afterMs === undefined || this.#watched.has(hold)) continue;
      this.#watched.add(hold);
      void this.#endAfter(hold, hold.sinceMs + afterMs - this.#clock.monotonicMs());
    }
  }

  async #endAfter(hold: LocalHold, ms: number): Promise<void> {
    await this.#clock.sleep(Math.max(0, ms), this.#closed.signal).catch(() => undefined);
    if (this.#closed.signal.aborted || this.#traffic.holds.get(hold.migration) !== hold) return;
    const { migration, rule } = hold;
    for (const session of hold.waitsFor) {
      const reason = session.openOn(rule.oldHome)?.reason ?? "a statement is in flight";
      const who = { session: session.id, user: session.user, ...session.origin };
      this.#log.warn({ migration, ...who, reason }, "ended, since the switch was told to wait no longer");
      session.endOpen?.(rule.oldHome);
    }
  }
}
