/** How many sessions each user has, from the proof of its password until the session has ended. */
export class UserSessions {
  readonly #counts = new Map<string, number>();

  /** Counts a session more, unless the user has `max` already; 0 for any number. Whoever enters must leave. */
  enter(user: string, max: number): boolean {
    if (this.isFull(user, max)) return false;
    this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1);
    return true;
  }

  isFull(user: string, max: number): boolean {
    return max > 0 && (this.#counts.get(user) ?? 0) >= max;
  }

  leave(user: string): void {
    const count = this.#counts.get(user) ?? 0;
    if (count > 1) this.#counts.set(user, count - 1);
    else this.#counts.delete(user);
  }
}
