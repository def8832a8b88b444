import type { BenchContext } from "../frame/bench.ts";

/** Every set of rows, with setting up and the rounds that are under way when it is over, takes a little more. */
const ALL_MS_MAX = 12 * 60_000;

/**
 * The context of each part of a run, one after the other, with its share of the time: what is left, divided by the parts that
 * have not begun. What one part leaves is there for the next; the largest comes last.
 */
export function timeShares(context: BenchContext, parts: number): () => BenchContext {
  const endsAt = performance.now() + Math.min(ALL_MS_MAX, context.timeLeftMs());
  let partsLeft = parts;
  return () => {
    const now = performance.now();
    const partEndsAt = now + (endsAt - now) / partsLeft;
    partsLeft -= 1;
    return { ...context, timeLeftMs: () => partEndsAt - performance.now() };
  };
}
