/** More pulses than this on their way tell nothing new. */
const PULSES_MAX = 2000;

/**
 * Numbers that were written into a row of a server, and when: how far a replica of it is behind shows in which of them it
 * has. A replica that has none of them yet is behind by an unknown time.
 */
export class PulseLog {
  #pulses: { readonly number: number; readonly atMs: number }[] = [];

  sent(number: number, atMs: number): void {
    this.#pulses.push({ number, atMs });
    if (this.#pulses.length > PULSES_MAX) this.#pulses.splice(0, this.#pulses.length - PULSES_MAX);
  }

  /** Age of the oldest pulse that a replica with this one has not; undefined for a number that was not sent. */
  lagMs(number: number, nowMs: number): number | undefined {
    const at = this.#pulses.findIndex((pulse) => pulse.number === number);
    if (at < 0) return undefined;
    const next = this.#pulses[at + 1];
    return next === undefined ? 0 : nowMs - next.atMs;
  }
}
