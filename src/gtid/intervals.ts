/**
 * Sorted, disjoint, non-adjacent ranges of transaction numbers as one flat list: first, last, first, last, …
 * (`last` included). Every function expects that form and returns it; none changes its arguments.
 */
export type Intervals = readonly number[];

/** Index of the range that holds `value`, as a position of its `first`; or where a range that holds it would go, as `-1 - position`. */
export function findInterval(intervals: Intervals, value: number): number {
  let low = 0;
  let high = intervals.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(intervals, middle * 2 + 1) < value) low = middle + 1;
    else high = middle;
  }
  const position = low * 2;
  if (position < intervals.length && at(intervals, position) <= value) return position;
  return -1 - position;
}

/** Sorts and joins ranges given in any order. */
export function normalize(pairs: readonly (readonly [number, number])[]): number[] {
  const sorted = [...pairs].sort((a, b) => a[0] - b[0]);
  const result: number[] = [];
  for (const [first, last] of sorted) append(result, first, last);
  return result;
}

export function unionIntervals(a: Intervals, b: Intervals): number[] {
  const result: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && at(a, i) <= at(b, j))) {
      append(result, at(a, i), at(a, i + 1));
      i += 2;
    } else {
      append(result, at(b, j), at(b, j + 1));
      j += 2;
    }
  }
  return result;
}

export function subtractIntervals(a: Intervals, b: Intervals): number[] {
  const result: number[] = [];
  let j = 0;
  for (let i = 0; i < a.length; i += 2) {
    let first = at(a, i);
    const last = at(a, i + 1);
    while (j < b.length && at(b, j + 1) < first) j += 2;
    for (let k = j; k < b.length && at(b, k) <= last; k += 2) {
      if (at(b, k) > first) result.push(first, at(b, k) - 1);
      first = at(b, k + 1) + 1;
    }
    if (first <= last) result.push(first, last);
  }
  return result;
}

export function intersectIntervals(a: Intervals, b: Intervals): number[] {
  const result: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const first = Math.max(at(a, i), at(b, j));
    const last = Math.min(at(a, i + 1), at(b, j + 1));
    if (first <= last) result.push(first, last);
    if (at(a, i + 1) < at(b, j + 1)) i += 2;
    else j += 2;
  }
  return result;
}

/** Whether every number of `b` is in `a`. */
export function containsIntervals(a: Intervals, b: Intervals): boolean {
  let i = 0;
  for (let j = 0; j < b.length; j += 2) {
    while (i < a.length && at(a, i + 1) < at(b, j)) i += 2;
    if (i >= a.length || at(a, i) > at(b, j) || at(a, i + 1) < at(b, j + 1)) return false;
  }
  return true;
}

/** Adds one number in place: the only function here that changes its argument, for builders. */
export function insertInto(intervals: number[], value: number): void {
  const length = intervals.length;
  if (length > 0 && at(intervals, length - 1) + 1 === value) {
    intervals[length - 1] = value;
    return;
  }
  const found = findInterval(intervals, value);
  if (found >= 0) return;
  const position = -1 - found;
  const joinsBefore = position > 0 && at(intervals, position - 1) + 1 === value;
  const joinsAfter = position < length && at(intervals, position) - 1 === value;
  if (joinsBefore && joinsAfter) intervals.splice(position - 1, 2);
  else if (joinsBefore) intervals[position - 1] = value;
  else if (joinsAfter) intervals[position] = value;
  else intervals.splice(position, 0, value, value);
}

/** Appends a range whose `first` is not below any `first` already there. */
function append(result: number[], first: number, last: number): void {
  const end = result.length - 1;
  if (end > 0 && first <= at(result, end) + 1) {
    if (last > at(result, end)) result[end] = last;
  } else {
    result.push(first, last);
  }
}

function at(intervals: Intervals, index: number): number {
  return intervals[index] as number;
}
