import type { Verdict } from "./speed.ts";

/**
 * `pace`: slows the work down, as less of it is less of this. `snapshot`: closes the snapshot and lets catch-up have its
 * turn, as slower work would keep the snapshot open for longer and make it worse.
 */
export type Effect = "pace" | "snapshot";

export interface SignalSpec {
  readonly effect: Effect;
  readonly unit: string;
  /** Of so many last readings the lowest counts, so that a moment's peak changes nothing. */
  readonly readings: number;
}

/** What is looked at while rows are copied or compared. */
export const SIGNALS = {
  "source-history": {
    effect: "snapshot",
    unit: "",
    readings: 1,
  },
  "source-threads": { effect: "pace", unit: "", readings: 3 },
  "target-threads": { effect: "pace", unit: "", readings: 3 },
  "target-commit": {
    effect: "pace",
    unit: "ms",
    readings: 3,
  },
  "replica-lag": { effect: "pace", unit: "ms", readings: 1 },
  "proxy-p99": {
    effect: "pace",
    unit: "ms",
    readings: 1,
  },
} as const satisfies Record<string, SignalSpec>;

export type SignalName = keyof typeof SIGNALS;
export const SIGNAL_NAMES = Object.keys(SIGNALS) as SignalName[];

/** The most that each may be; what is left out is not looked at. */
export type Ceilings = Readonly<Partial<Record<SignalName, number>>>;

/** A snapshot that was given up for its history is opened again only this far below the ceiling. */
const REOPEN_BELOW = 0.9;

/** What is known of a signal. */
export interface SignalView {
  readonly name: SignalName;
  readonly ceiling: number;
  /** Left out where it has never been read. */
  readonly value?: number;
  readonly ageMs?: number;
  readonly verdict: Verdict;
  /** Why it cannot be read, where it cannot. */
  readonly problem?: string;
}

/** The last readings of every signal. */
export class Readings {
  readonly #values = new Map<SignalName, { values: number[]; atMs: number }>();
  readonly #problems = new Map<SignalName, string>();

  add(name: SignalName, value: number, atMs: number): void {
    const values = [...(this.#values.get(name)?.values ?? []), value].slice(-SIGNALS[name].readings);
    this.#values.set(name, { values, atMs });
    this.#problems.delete(name);
  }

  /** A reading has failed; what was read before counts until it is too old. */
  fail(name: SignalName, problem: string): void {
    this.#problems.set(name, problem);
  }

  clear(): void {
    this.#values.clear();
    this.#problems.clear();
  }

  view(ceilings: Ceilings, now: { readonly ms: number; readonly ageMaxMs: number }): readonly SignalView[] {
    return SIGNAL_NAMES.flatMap((name) => {
      const ceiling = ceilings[name];
      return ceiling === undefined ? [] : [this.#viewOf(name, ceiling, now)];
    });
  }

  #viewOf(name: SignalName, ceiling: number, now: { readonly ms: number; readonly ageMaxMs: number }): SignalView {
    const read = this.#values.get(name);
    const problem = this.#problems.get(name);
    const shown = { name, ceiling, ...(problem === undefined ? {} : { problem }) };
    if (read === undefined) return { ...shown, verdict: "unknown" };
    const value = Math.min(...read.values);
    const ageMs = now.ms - read.atMs;
    const known = ageMs <= now.ageMaxMs;
    return { ...shown, value, ageMs, verdict: known ? (value <= ceiling ? "clear" : "over") : "unknown" };
  }
}

/** The worst that the signals of an effect say; `clear` where there is none. */
export function verdictOf(views: readonly SignalView[], effect: Effect): Verdict {
  const verdicts = views.filter(({ name }) => SIGNALS[name].effect === effect).map(({ verdict }) => verdict);
  return verdicts.includes("unknown") ? "unknown" : verdicts.includes("over") ? "over" : "clear";
}

/** Whether the signals let a snapshot be opened; `reopening` where the last one was given up because of them. */
export function snapshotAllowed(views: readonly SignalView[], reopening: boolean): boolean {
  return views
    .filter(({ name }) => SIGNALS[name].effect === "snapshot")
    .every((view) => view.verdict === "clear" && (!reopening || (view.value ?? 0) <= view.ceiling * REOPEN_BELOW));
}
