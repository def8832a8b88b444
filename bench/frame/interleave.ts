import type { BenchContext } from "./bench.ts";
import { median } from "./figures.ts";

/** What one contender did in one round, by name: queries per second, milliseconds, … */
export type Measures = Readonly<Record<string, number>>;

/** One of those who are compared. */
export interface Contender {
  readonly name: string;
  /** Does the work once. What it needs has been prepared, and it leaves everything as it found it. */
  measure(): Promise<Measures>;
}

/**
 * Measures all contenders once in each round, so that a change of the machine's mood meets all of them, and gives the
 * medians by contender. Each round starts with another one. When the next round would not end in time there is none;
 * the first one always runs.
 *
 * @throws {Error} when a contender's measures are not the same in each round.
 */
export async function interleave(
  context: BenchContext,
  contenders: readonly Contender[],
  rounds: number,
): Promise<ReadonlyMap<string, Measures>> {
  const taken = new Map<string, Measures[]>(contenders.map(({ name }) => [name, []]));
  let longestMs = 0;
  for (let round = 0; round < rounds; round += 1) {
    if (round > 0 && context.timeLeftMs() < longestMs) {
      context.say(`no time for more than ${round} of ${rounds} rounds`);
      break;
    }
    const startedAt = performance.now();
    for (const contender of rotated(contenders, round)) {
      const measures = await contender.measure();
      taken.get(contender.name)?.push(measures);
      context.say(`round ${round + 1}  ${contender.name}: ${describeMeasures(measures)}`);
    }
    longestMs = Math.max(longestMs, performance.now() - startedAt);
  }
  return new Map([...taken].map(([name, list]) => [name, medians(name, list)]));
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const start = by % Math.max(1, list.length);
  return [...list.slice(start), ...list.slice(0, start)];
}

function medians(name: string, list: readonly Measures[]): Measures {
  const keys = Object.keys(list[0] ?? {});
  const entries = keys.map((key): [string, number] => {
    const values = list.map((measures) => measures[key]).filter((value) => value !== undefined);
    if (values.length !== list.length) throw new Error(`${name} has ${key} in some rounds only`);
    return [key, median(values)];
  });
  return Object.fromEntries(entries);
}

function describeMeasures(measures: Measures): string {
  return Object.entries(measures)
    .map(([key, value]) => `${key} ${Number(value.toPrecision(4))}`)
    .join(", ");
}
