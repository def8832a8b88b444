/** What was measured again and again, and whether it has levelled off. */
export interface Level {
  readonly middle: number;
  readonly last: number;
  readonly max: number;
  readonly level: boolean;
}

/**
 * Compares the median of the last third of the values with that of the middle third; what grew at the beginning has
 * reached its size. It may have grown by the share `growthMax` of itself and by `more`.
 *
 * @throws {Error} where there are too few values to tell.
 */
export function levelOf(values: readonly number[], growthMax: number, more: number): Level {
  const third = Math.floor(values.length / 3);
  if (third < 3) throw new Error(`${values.length} values are too few to tell`);
  const middle = median(values.slice(-2 * third, -third));
  const last = median(values.slice(-third));
  const max = middle * (1 + growthMax) + more;
  return { middle, last, max, level: last <= max };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
