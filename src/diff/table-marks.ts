import type { Clock } from "../base/clock.ts";
import type { DiffLimits } from "./diff-options.ts";
import type { ComparisonMarks } from "./table-comparison.ts";

/** When what has been compared is kept, and when the snapshots have been open for long enough. */
export class TableMarks implements ComparisonMarks {
  readonly #clock: Clock;
  readonly #limits: DiffLimits;
  readonly #keep: (key: readonly Buffer[], keys: number) => Promise<void>;
  readonly #openedMs: number;
  #keptMs: number;

  constructor(clock: Clock, limits: DiffLimits, keep: (key: readonly Buffer[], keys: number) => Promise<void>) {
    this.#clock = clock;
    this.#limits = limits;
    this.#keep = keep;
    this.#openedMs = clock.monotonicMs();
    this.#keptMs = this.#openedMs;
  }

  due(): boolean {
    return this.#clock.monotonicMs() - this.#keptMs >= this.#everyMs;
  }

  async passed(key: readonly Buffer[], keys: number): Promise<boolean> {
    await this.#keep(key, keys);
    this.#keptMs = this.#clock.monotonicMs();
    return this.#keptMs - this.#openedMs < this.#limits.sliceMaxMs;
  }

  get #everyMs(): number {
    return Math.min(this.#limits.keepEveryMs, this.#limits.sliceMaxMs);
  }
}
