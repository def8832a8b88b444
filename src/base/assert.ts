import { SwitchyardError } from "./errors.ts";

/**
 * States what must be true here whatever the outside world does; a failure is a defect of this program.
 * Never used to check input from the network, a file or a user: those have codes of their own.
 *
 * @throws {SwitchyardError} `INTERNAL_INVARIANT`
 */
export function assert(condition: unknown, statement: string): asserts condition {
  if (!condition) {
    throw new SwitchyardError("INTERNAL_INVARIANT", { what: `this should always hold, and did not: ${statement}` });
  }
}

/** Marks a branch that the types rule out. A value that arrives here all the same is a defect. */
export function unreachable(value: never): never {
  throw new SwitchyardError("INTERNAL_INVARIANT", { what: `unexpected value ${JSON.stringify(value)}` });
}
