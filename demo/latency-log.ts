/** When each statement of the clients was sent and answered, on the monotonic clock. */
export class LatencyLog {
  readonly #startedAt: number[] = [];
  readonly #endedAt: number[] = [];

  get statements(): number {
    return this.#endedAt.length;
  }

  record(startedAt: number, endedAt: number): void {
    this.#startedAt.push(startedAt);
    this.#endedAt.push(endedAt);
  }

  /** The longest time that a client waited for a statement which was under way at any moment of `from … until`. */
  longestBetween(from: number, until: number): number {
    let longest = 0;
    for (const [index, startedAt] of this.#startedAt.entries()) {
      const endedAt = this.#endedAt[index] ?? startedAt;
      if (endedAt >= from && startedAt <= until) longest = Math.max(longest, endedAt - startedAt);
    }
    return longest;
  }

  /** The longest wait among the last `count` statements, for the live display. */
  longestOfLast(count: number): number {
    let longest = 0;
    for (let i = Math.max(0, this.#endedAt.length - count); i < this.#endedAt.length; i++) {
      longest = Math.max(longest, (this.#endedAt[i] ?? 0) - (this.#startedAt[i] ?? 0));
    }
    return longest;
  }
}
