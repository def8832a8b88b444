import type { Clock } from "./clock.ts";

/** The rate is that of the last this many milliseconds. */
const RATE_WINDOW_MS = 10_000;

/** The rate of something counted, over a sliding window. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #samples: { readonly at: number; readonly done: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Units per second, now that `done` are done; 0 until that can be told. */
  rate(done: number): number {
    const at = this.#clock.monotonicMs();
    const last = this.#samples.at(-1);
    if (last !== undefined && done < last.done) this.#samples.length = 0;
    this.#samples.push({ at, done });
    while ((this.#samples[0]?.at ?? at) < at - RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || at - first.at < 1) return 0;
    return ((done - first.done) / (at - first.at)) * 1000;
  }
}
