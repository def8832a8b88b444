/** How long statements took, for those who keep out of clients' way. */
export interface TimesReport {
  readonly p99Ms: number;
  readonly statements: number;
  /** In how much time these came; absent the first time. */
  readonly overMs?: number;
}

/** Each bucket ends a sixth above the one before; the first at 10 µs, the last above three hours. */
const GROWTH = 7 / 6;
const FIRST_MS = 0.01;
const BUCKETS = 135;
const SCALE = 1 / Math.log(GROWTH);

/** Counts the times of statements by their size: cheap enough for every one, and exact to a sixth. */
export class StatementTimes {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;
  #takenAtMs: number | undefined;

  add(ms: number): void {
    const bucket = ms <= FIRST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) * SCALE));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  /** What has been added since the last call; a time of 0 where nothing has. */
  take(nowMs: number): TimesReport {
    const overMs = this.#takenAtMs === undefined ? {} : { overMs: Math.round(nowMs - this.#takenAtMs) };
    this.#takenAtMs = nowMs;
    const statements = this.#total;
    const rank = Math.ceil(statements * 0.99);
    let bucket = 0;
    for (let seen = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) break;
    }
    this.#counts.fill(0);
    this.#total = 0;
    return { p99Ms: statements === 0 ? 0 : FIRST_MS * GROWTH ** bucket, statements, ...overMs };
  }
}
