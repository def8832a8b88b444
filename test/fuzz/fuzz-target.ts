import type { ErrorCode } from "../../src/base/error-codes.ts";

/** Code under test that reads bytes from outside, and inputs to begin with. */
export interface FuzzTarget {
  /** Inputs that are well formed, one for each thing that the target can read; what is tried are changes of these. */
  corpus(): readonly Buffer[] | Promise<readonly Buffer[]>;
  /** Bytes that mean something to the target: keywords, headers, lengths at the edges. */
  readonly dictionary?: readonly Buffer[];
  /** The codes that the target's contract allows. Left out: any of the catalogue but `INTERNAL_INVARIANT`. */
  readonly errors?: readonly ErrorCode[];
  /**
   * Reads `input`, which it may keep no reference to. Throws what the contract allows, or anything else where a
   * promise of the target does not hold: that is what is looked for.
   */
  run(input: Buffer): void | Promise<void>;
}

/** Inputs are never longer. */
export const INPUT_BYTES_MAX = 1 << 20;

export interface FuzzFailure {
  readonly why: string;
  readonly input: Buffer;
  /** Which execution it was, from 0; the same seed meets the same input at the same execution. */
  readonly execution: number;
}
