/** What several tries of one thing took, in milliseconds. */
export interface Measured {
  /** The median. */
  readonly typicalMs: number;
  readonly slowestMs: number;
}

/** What was measured just now, where a switch will work. */
export interface PauseFigures {
  /** A read of the store, and a write that changes nothing: what the embedded store's disk takes for a sync is not in it. */
  readonly storeRead: Measured;
  readonly storeWrite: Measured;
  /** A round trip on the migration's servers. */
  readonly oldHome: Measured;
  readonly newHome: Measured;
  /** A write on the new home, committed. */
  readonly commit: Measured;
  /** From a commit until its transaction is read in the log. */
  readonly arrival: Measured;
  /** By all proxies together; absent where they do not tell. */
  readonly statementsPerSecond?: number;
}

/** One phase of the pause, by the name of the step that it is spent in. */
export interface ForecastPhase extends Measured {
  readonly step: string;
  /** Of what it was computed. */
  readonly from: string;
}

export interface PauseForecast extends Measured {
  readonly phases: readonly ForecastPhase[];
  /** So many statements come in that time, whatever tables they use: those on the tables of the migration are held. */
  readonly statements?: { readonly typical: number; readonly most: number };
}

/** A time as the sum of round trips that follow each other; `of` takes the typical times, or the slowest. */
type Sum = (of: (measured: Measured) => number) => number;

/**
 * How long the switch itself will make a statement wait: without the time in which a transaction that was open before is
 * still open, since that is its client's own.
 *
 * Computed as the sum of the round trips that a switch makes one after the other while clients wait, each with what it
 * takes now. The range goes from the medians to the slowest of what was measured. A lock that somebody keeps, a proxy
 * that is stopped and a disk that is busy for a moment are in neither.
 */
export function forecastPause(figures: PauseFigures): PauseForecast {
  const { storeRead, storeWrite, oldHome, newHome, commit, arrival, statementsPerSecond } = figures;
  const word: Sum = (of) => of(storeWrite) + 2 * of(storeRead);
  const fence: Sum = (of) => 2 * of(oldHome);
  const rows: readonly (readonly [step: string, from: string, sum: Sum])[] = [
    ["drain", "a write to the store, and two reads", word],
    ["fence", "two round trips on the old home", fence],
    [
      "close-stream",
      "a round trip on the old home, a commit on the new one, and what is left of the last transaction's way there",
      (of) => of(oldHome) + of(commit) + Math.max(0, of(arrival) + of(commit) - word(of) - fence(of)),
    ],
    ["stray-check", "the way from a commit into the log", (of) => of(arrival)],
    [
      "swap",
      "a round trip on both homes at once, and a write to the store",
      (of) => Math.max(of(oldHome), of(newHome)) + of(storeWrite),
    ],
    ["release", "what a read of the store takes", (of) => of(storeRead)],
  ];
  const phases = rows.map(([step, from, sum]) => ({
    step,
    from,
    typicalMs: rounded(sum(({ typicalMs }) => typicalMs)),
    slowestMs: rounded(sum(({ slowestMs }) => slowestMs)),
  }));
  const total = (of: (phase: Measured) => number): number => rounded(phases.reduce((sum, phase) => sum + of(phase), 0));
  const typicalMs = total((phase) => phase.typicalMs);
  const slowestMs = total((phase) => phase.slowestMs);
  if (statementsPerSecond === undefined) return { phases, typicalMs, slowestMs };
  const within = (ms: number): number => Math.round((statementsPerSecond * ms) / 1000);
  return { phases, typicalMs, slowestMs, statements: { typical: within(typicalMs), most: within(slowestMs) } };
}

/** The figures of several tries. */
export function measuredOf(tries: readonly number[]): Measured {
  const sorted = [...tries].sort((a, b) => a - b);
  return { typicalMs: sorted[Math.floor((sorted.length - 1) / 2)] ?? 0, slowestMs: sorted.at(-1) ?? 0 };
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
