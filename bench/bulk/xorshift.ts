/** Whole numbers from 0 to 2^32 - 1. */
export type Random = () => number;

/** Marsaglia's generator of 32 bits, the same numbers for the same seed. */
export function xorshift(seed: number): Random {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
