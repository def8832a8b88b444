import type { Clock } from "../base/clock.ts";
import { type Gtid, GtidSet } from "../gtid/gtid-set.ts";

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** After so long without a refusal the next one counts as the first. */
const FORGIVEN_MS = 600_000;

/**
 * A time in which changes are applied by statements, begun by row events that the target refused: at least until what
 * was refused is applied. Each change of mode asks for the log anew, so where refusals follow each other the spells grow
 * longer, up to a minute.
 */
export class StatementSpell {
  readonly #clock: Clock;
  #refused = GtidSet.empty;
  #lengthMs = 0;
  #endsMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(refused: readonly Gtid[]): void {
    const now = this.#clock.monotonicMs();
    const again = now - this.#endsMs < FORGIVEN_MS;
    this.#lengthMs = again ? Math.min(this.#lengthMs * 2, LONGEST_MS) : FIRST_MS;
    this.#endsMs = now + this.#lengthMs;
    this.#refused = GtidSet.of(...refused);
  }

  /** Whether it lasts, given all that is applied. */
  lasts(executed: GtidSet): boolean {
    return this.#clock.monotonicMs() < this.#endsMs || !executed.contains(this.#refused);
  }
}
